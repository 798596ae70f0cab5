//! The Unix socket of a running program: its owner's alone from the first moment, and never in place of something else.

use socket2::{Domain, SockAddr, Socket, Type};
use std::{
    fs::{self, File, Metadata, Permissions},
    io,
    os::{
        fd::OwnedFd,
        unix::{
            fs::{FileTypeExt, MetadataExt, PermissionsExt},
            net::UnixListener,
        },
    },
    path::{Path, PathBuf},
};

/// Clients that may wait to be accepted.
const BACKLOG: i32 = 16;

/// The file of a listening socket; it goes with this value, unless it is another one by then. To be dropped before the
/// listener, which keeps the number of its file from being given to another.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

/// Listens at `path`, which only its owner can reach; the listener does not block. A socket that nobody listens on any
/// more is replaced, and nothing else is.
///
/// # Errors
/// Somebody listens there, or what is there is no socket; or the path cannot be used. The error names it.
pub fn listen(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
    make_room(path).map_err(named)?;
    bind(path).map_err(named)
}

fn bind(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // unix(7): the file is created with the mode of the socket, less the umask. So there is no moment in which others
    // could connect, and no other thread's files are touched by a umask of ours.
    let socket = File::from(OwnedFd::from(socket));
    socket.set_permissions(Permissions::from_mode(0o600))?;
    let socket = Socket::from(OwnedFd::from(socket));
    socket.bind(&SockAddr::unix(path)?)?;
    let found = fs::symlink_metadata(path)?;
    let file = SocketFile {
        path: path.into(),
        identity: identity(&found),
    };
    if found.mode() & 0o077 != 0 {
        // Another kernel's habits. Nobody can connect before `listen`.
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
    }
    socket.listen(BACKLOG)?;
    Ok((UnixListener::from(OwnedFd::from(socket)), file))
}

/// Removes the socket of a program that was killed.
fn make_room(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.file_type().is_socket() {
        let what = "it is there already and is no socket: not replaced";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // One whose backlog is full is alive, and not to be waited for.
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) if e.kind() != io::ErrorKind::WouldBlock => Err(e),
        _ => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another process listens there",
        )),
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|file| identity(&file) == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
#[allow(clippy::mem_forget)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn place(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("socket-{name}-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        path
    }

    #[test]
    fn a_control_socket_is_its_owners_alone_and_goes_with_its_program() {
        let path = place("mode");
        let (listener, file) = listen(&path).unwrap();
        assert_eq!(fs::symlink_metadata(&path).unwrap().mode() & 0o777, 0o600);
        UnixStream::connect(&path).unwrap();
        drop((listener, file));
        assert!(!path.exists());
    }

    #[test]
    fn a_control_socket_replaces_one_that_nobody_listens_on_and_nothing_else() {
        let path = place("replace");
        let (listener, file) = listen(&path).unwrap();
        let taken = listen(&path).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        assert!(taken.to_string().contains("another process"), "{taken}");
        // Somebody has removed the file, and another program listens: its file stays.
        fs::remove_file(&path).unwrap();
        let newer = listen(&path).unwrap();
        drop(file);
        drop(listener);
        assert!(path.exists());
        // A program that was killed has left its file.
        let (listener, file) = newer;
        std::mem::forget(file);
        drop(listener);
        let (listener, file) = listen(&path).unwrap();
        drop(file);
        drop(listener);
        assert!(!path.exists());

        for (name, make) in [
            (
                "file",
                (|p| fs::write(p, "mine")) as fn(&Path) -> io::Result<()>,
            ),
            ("folder", |p| fs::create_dir(p)),
            ("link", |p| std::os::unix::fs::symlink("/dev/null", p)),
        ] {
            make(&path).unwrap();
            let refused = listen(&path).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists, "{name}");
            assert!(refused.to_string().contains("no socket"), "{refused}");
            fs::symlink_metadata(&path).unwrap();
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
        }
    }
}
