//! The Unix socket of a running daemon: one line asked, one text answered.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::Shutdown,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    time::Duration,
};

use mio::net::UnixListener;

/// Longest request, octets.
const MAX_REQUEST: u64 = 256;
/// How long a client may take.
const PATIENCE: Duration = Duration::from_millis(100);

/// The listening end; its file goes with it.
pub(super) struct Control {
    pub(super) listener: UnixListener,
    path: PathBuf,
}

impl Control {
    pub(super) fn bind(path: &Path) -> io::Result<Self> {
        // The file of a daemon that was killed; one that answers is not to be replaced.
        if UnixStream::connect(path).is_ok() {
            let what = format!("{} is served already", path.display());
            return Err(io::Error::new(io::ErrorKind::AddrInUse, what));
        }
        let _ = fs::remove_file(path);
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
        let listener = UnixListener::bind(path).map_err(named)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(Self {
            listener,
            path: path.into(),
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

impl Drop for Control {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
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
