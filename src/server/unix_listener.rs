//! Listens on a path of this machine, where clients are known by the user they run as. The file of
//! a listener that is gone is replaced, that of one which is there is left alone.

use std::fs::{self, Permissions};
use std::future::Future;
use std::io::{self, Error, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixStream;
use tracing::debug;

use super::amqp_door::AmqpDoor;
use super::entrance;
use super::listener::ListenerOptions;
use super::spawn::Doors;
use crate::broker::Peer;

/// A bound path that accepts once it runs. When it is gone, so is its file.
#[derive(Debug)]
pub struct UnixListener {
    socket: tokio::net::UnixListener,
    file: SocketFile,
    mode: u32,
}

/// The file of a socket, which goes with it, unless another has its name by then.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

/// Binds a path; `mode` says whose processes may connect, as for any file.
///
/// # Errors
/// Somebody listens there, something else is there, or it is not allowed.
pub fn bind_unix(path: &Path, mode: u32) -> io::Result<UnixListener> {
    make_way(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile::of(path)?;
    // Before it listens nobody is let in, whatever the mode is.
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    socket.listen(ListenerOptions::default().backlog)?;
    Ok(UnixListener { socket: tokio::net::UnixListener::from_std(socket.into())?, file, mode })
}

/// Takes away what a process left that did not stop in order.
fn make_way(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            Err(Error::new(ErrorKind::AlreadyExists, "there is a file that is no socket"))
        }
        Ok(_) if is_listened_on(path)? => {
            Err(Error::new(ErrorKind::AddrInUse, "another process listens there"))
        }
        Ok(_) => fs::remove_file(path),
    }
}

fn is_listened_on(path: &Path) -> io::Result<bool> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A listener whose queue is full is there too, and is not waited for.
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(true),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(false),
        Err(error) => Err(error),
    }
}

impl UnixListener {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Whose processes may connect, as for any file.
    pub(super) fn mode(&self) -> u32 {
        self.mode
    }

    /// Starts to accept AMQP connections, until the doors or their gate close.
    pub(super) fn run(self, door: &AmqpDoor, gate: &Doors) {
        let door = door.clone();
        let doors = door.doors.clone();
        let place = self.path().display().to_string();
        let count = AtomicU64::new(1);
        entrance::accept(self.socket, self.file, (&doors, gate), move |stream, _| {
            let process = stream.peer_cred().ok().and_then(|credentials| credentials.pid());
            let number = count.fetch_add(1, Ordering::Relaxed);
            let name = format!("unix:{}#{number} -> unix:{place}", process.unwrap_or_default());
            door.begin(stream, Peer { address: None }, name);
        });
    }

    /// Starts to accept for another door, until the doors close: what it makes of a connection, and
    /// of the number of the user who made it, is the connection's task.
    pub fn run_with<Served>(
        self,
        doors: &Doors,
        serve: impl Fn(UnixStream, u32) -> Served + Send + 'static,
    ) where
        Served: Future<Output = ()> + Send + 'static,
    {
        let tasks = doors.clone();
        entrance::accept(self.socket, self.file, (doors, doors), move |stream, _| {
            match stream.peer_cred() {
                Ok(credentials) => tasks.spawn(serve(stream, credentials.uid())),
                Err(error) => debug!(target: "connection", %error, "nobody knows who connected"),
            }
        });
    }
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            // Where it cannot go, the next listener replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net;
    use std::time::Duration;

    use tempfile::{TempDir, tempdir};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn place() -> (TempDir, PathBuf) {
        let folder = tempdir().unwrap();
        let path = folder.path().join("amqp.sock");
        (folder, path)
    }

    #[tokio::test]
    async fn the_file_has_its_mode_and_goes_with_the_listener() {
        let (_folder, path) = place();
        let listener = bind_unix(&path, 0o600).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn the_file_of_a_listener_that_is_gone_is_replaced() {
        let (_folder, path) = place();
        drop(net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "it is left");
        let listener = bind_unix(&path, 0o660).unwrap();
        assert!(UnixStream::connect(listener.path()).await.is_ok());
    }

    #[tokio::test]
    async fn a_path_that_is_in_use_is_an_error_and_stays_in_use() {
        let (_folder, path) = place();
        let _first = bind_unix(&path, 0o660).unwrap();
        assert_eq!(bind_unix(&path, 0o660).unwrap_err().kind(), ErrorKind::AddrInUse);
        assert!(UnixStream::connect(&path).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_no_socket_is_not_touched() {
        let (_folder, path) = place();
        fs::write(&path, "precious").unwrap();
        assert_eq!(bind_unix(&path, 0o660).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[tokio::test]
    async fn a_listener_takes_away_no_file_of_another() {
        let (_folder, path) = place();
        let first = bind_unix(&path, 0o660).unwrap();
        fs::remove_file(&path).unwrap();
        let _second = bind_unix(&path, 0o660).unwrap();
        drop(first);
        assert!(path.exists());
    }

    #[tokio::test]
    async fn another_door_is_told_who_comes() {
        let (_folder, path) = place();
        let doors = Doors::default();
        let listener = bind_unix(&path, 0o600).unwrap();
        listener.run_with(&doors, |mut stream, user| async move {
            let _ = stream.write_all(user.to_string().as_bytes()).await;
        });
        let mut told = String::new();
        UnixStream::connect(&path).await.unwrap().read_to_string(&mut told).await.unwrap();
        assert_eq!(told, rustix::process::getuid().as_raw().to_string());
        doors.close();
        assert!(doors.emptied(Duration::from_secs(5)).await);
        assert!(!path.exists(), "it goes when the doors close");
    }
}
