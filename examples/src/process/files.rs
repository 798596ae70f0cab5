//! Files with secrets: who else can read them, and how one is written that nobody else can.

use nix::unistd::geteuid;
use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// What is wrong with the mode of a file that holds secrets, as a sentence; nothing of a file that is not there.
#[must_use]
pub fn exposed(path: &Path) -> Option<String> {
    let mode = fs::metadata(path).ok()?.mode();
    let who = match (mode & 0o007 != 0, mode & 0o070 != 0) {
        (true, _) => "everybody on this machine",
        (false, true) => "its group",
        (false, false) => return None,
    };
    let can = if mode & 0o022 == 0 {
        "read"
    } else {
        "read or change"
    };
    let shown = path.display();
    Some(format!(
        "{shown} holds secrets and {who} can {can} it (mode {:03o}): chmod 600 {shown}",
        mode & 0o777
    ))
}

/// Makes a folder for secrets; one that is there stays as it is.
///
/// # Errors
/// It cannot be made.
pub fn secret_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Opens an empty file for secrets, at which its owner alone can look; what was in it is gone.
///
/// # Errors
/// It cannot be opened, is a link or no file, or belongs to somebody else, who could open it again.
pub fn secret_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        // Not where a link leads; and a pipe is not waited for.
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    if found.uid() != geteuid().as_raw() || found.nlink() != 1 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it belongs to another user, or has a second name: no keys are written to it",
        ));
    }
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.set_len(0)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn folder(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("files-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        secret_folder(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        path
    }

    #[test]
    fn a_mode_that_lets_others_at_secrets_is_told() {
        let folder = folder("modes");
        let path = folder.join("site.toml");
        assert_eq!(exposed(&path), None, "not there");
        fs::write(&path, "secret").unwrap();
        for (mode, told) in [
            (0o600, None),
            (0o400, None),
            (0o640, Some("its group can read it (mode 640)")),
            (
                0o644,
                Some("everybody on this machine can read it (mode 644)"),
            ),
            (
                0o666,
                Some("everybody on this machine can read or change it"),
            ),
        ] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let found = exposed(&path);
            match told {
                None => assert_eq!(found, None, "{mode:o}"),
                Some(told) => assert!(
                    found.as_ref().is_some_and(|f| f.contains(told)),
                    "{found:?}"
                ),
            }
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn keys_go_into_no_file_that_others_read_and_through_no_link() {
        let folder = folder("keys");
        let path = folder.join("esp_sa");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        secret_file(&path).unwrap().write_all(b"keys").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read(&path).unwrap(), b"keys", "and nothing old is left");
        let link = folder.join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        secret_file(&link).unwrap_err();
        fs::hard_link(&path, folder.join("second")).unwrap();
        secret_file(&path).unwrap_err();
        assert_eq!(
            fs::read(&path).unwrap(),
            b"keys",
            "refused before it is touched"
        );
        secret_file(&folder).unwrap_err();
        fs::remove_dir_all(folder).unwrap();
    }
}
