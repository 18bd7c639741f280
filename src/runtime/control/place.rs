//! Where the socket lies: one in each state directory, replaced only when nobody listens on it any more.

use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// Its name in the state directory.
pub const SOCKET_NAME: &str = "control.sock";

/// Read and written by its owner and group.
const MODE: u32 = 0o660;

/// Closed to all others while the socket has not its mode yet.
const CRADLE_MODE: u32 = 0o700;

/// The socket of the daemon with this state directory.
#[must_use]
pub fn socket_in(state_dir: &Path) -> PathBuf {
    state_dir.join(SOCKET_NAME)
}

/// The socket's file, removed when dropped unless another has taken its place.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    file: (u64, u64),
}

impl Drop for Place {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|file| file == self.file) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Listens at this path. It is born in a closed folder beside it, so that it never has wider rights than meant.
pub(super) async fn listen(path: &Path) -> io::Result<(UnixListener, Place)> {
    if UnixStream::connect(path).await.is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another instance listens there"));
    }
    let cradle = path.with_extension("new");
    // One that a killed process left behind.
    let _ = std::fs::remove_dir_all(&cradle);
    std::fs::create_dir(&cradle)?;
    let born = born_in(&cradle, path);
    let _ = std::fs::remove_dir_all(&cradle);
    born
}

fn born_in(cradle: &Path, path: &Path) -> io::Result<(UnixListener, Place)> {
    std::fs::set_permissions(cradle, std::fs::Permissions::from_mode(CRADLE_MODE))?;
    let newborn = cradle.join("s");
    let listener = UnixListener::bind(&newborn)?;
    std::fs::set_permissions(&newborn, std::fs::Permissions::from_mode(MODE))?;
    let file = identity(&newborn)?;
    // Takes the place of a stale one in the same step.
    std::fs::rename(&newborn, path)?;
    Ok((listener, Place { path: path.to_owned(), file }))
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[tokio::test]
    async fn a_stale_socket_is_replaced_a_living_one_never_and_ours_goes_with_us() {
        let dir = tempfile::tempdir().unwrap();
        let path = socket_in(dir.path());
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "stale: nobody listens");
        let (listener, place) = listen(&path).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        assert_eq!(listen(&path).await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop((listener, place));
        assert!(!path.exists());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn what_took_our_place_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = socket_in(dir.path());
        let (_listener, place) = listen(&path).await.unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "another").unwrap();
        drop(place);
        assert!(path.exists());
    }
}
