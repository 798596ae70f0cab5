//! The Unix socket of a running daemon: one line asked, one text answered.

use crate::process::socket::{self, SocketFile};
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use mio::net::UnixListener;

/// Longest request, octets.
const MAX_REQUEST: u64 = 256;
/// How long a client may take.
const PATIENCE: Duration = Duration::from_millis(100);

/// The listening end; its file goes with it.
pub(super) struct Control {
    _file: SocketFile,
    pub(super) listener: UnixListener,
}

impl Control {
    pub(super) fn bind(path: &Path) -> io::Result<Self> {
        let (listener, file) = socket::listen(path)?;
        Ok(Self {
            listener: UnixListener::from_std(listener),
            _file: file,
        })
    }

    /// Answers every client that waits.
    pub(super) fn serve(&self, mut answer: impl FnMut(&str) -> String) {
        while let Ok((stream, _)) = self.listener.accept() {
            let stream = UnixStream::from(std::os::fd::OwnedFd::from(stream));
            // A client that dawdles gets no answer; the protocol does not wait for it.
            let _ = exchange(stream, &mut answer);
        }
    }
}

fn exchange(stream: UnixStream, answer: &mut impl FnMut(&str) -> String) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new((&stream).take(MAX_REQUEST)).read_line(&mut line)?;
    (&stream).write_all(answer(line.trim()).as_bytes())
}

/// Asks a running daemon.
pub(super) fn ask(path: &Path, request: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(path)?;
    writeln!(stream, "{request}")?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
