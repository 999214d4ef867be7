//! The instance's private folder: where its sockets are, and the lock that makes it the only one.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::core::id::Instance;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

/// The file that is locked.
const LOCK: &str = "lock";

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another `serve` in the same folder.
    #[error(
        "instance {holder} is already running (it holds {}); stop it, or use another --instance{}",
        lock.display(),
        if holder == asked { "" } else { " and DOCKLINE_RUNTIME_DIR" }
    )]
    Busy {
        /// The instance that was to run.
        asked: String,
        /// The instance that does.
        holder: String,
        /// The file that it holds.
        lock: PathBuf,
    },
    /// Another command or the service makes containers anew.
    #[error(
        "another dockline makes containers of this instance anew (it holds {}); wait until it has",
        .0.display()
    )]
    Recreating(PathBuf),
    /// Somebody else could plant a socket there.
    #[error("{} can be written by other users; set DOCKLINE_RUNTIME_DIR to a folder of your own", .0.display())]
    Foreign(PathBuf),
    /// The system says no.
    #[error("use {}", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}

/// The parts of the environment that say where the folder is.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// `DOCKLINE_RUNTIME_DIR`: the folder itself.
    pub explicit: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub xdg: Option<PathBuf>,
    /// The system's folder for passing things.
    pub temporary: PathBuf,
}

impl Places {
    /// Where the instance's folder may be, the best place first.
    pub fn candidates(&self, instance: &Instance) -> Vec<PathBuf> {
        let in_xdg = self
            .xdg
            .as_ref()
            .map(|dir| dir.join("dockline").join(instance.as_str()));
        // A name of the user's own, because that folder is everybody's; its owner is checked all the same.
        let shared = self
            .temporary
            .join(system::own_name())
            .join(instance.as_str());
        self.explicit
            .iter()
            .cloned()
            .chain(in_xdg)
            .chain([shared])
            .collect()
    }

    /// All sockets on which a service of the instance may listen; only the user's own.
    pub fn control_sockets(&self, instance: &Instance) -> impl Iterator<Item = PathBuf> + use<> {
        let sockets = self
            .candidates(instance)
            .into_iter()
            .map(|dir| control_socket(&dir));
        sockets.filter(|path| system::is_used(path))
    }

    /// The socket of a running service, or where it would be.
    pub fn control_socket(&self, instance: &Instance) -> PathBuf {
        let first = || {
            self.candidates(instance)
                .into_iter()
                .map(|dir| control_socket(&dir))
                .next()
        };
        self.control_sockets(instance)
            .next()
            .or_else(first)
            .unwrap_or_default()
    }
}

/// The control socket in an instance's folder.
pub fn control_socket(dir: &Path) -> PathBuf {
    dir.join("control.sock")
}

/// Proof of being the only service of the instance, until dropped (or until the process ends, however it ends).
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Makes the folder, for the owner alone, and takes its lock.
pub fn claim(dir: &Path, instance: &Instance) -> Result<Lock, Error> {
    make(dir)?;
    let path = dir.join(LOCK);
    let busy = |path: PathBuf| Error::Busy {
        asked: instance.to_string(),
        holder: fs::read_to_string(&path).unwrap_or_default(),
        lock: path,
    };
    lock(path, instance, busy)
}

/// Makes the folder, and takes its lock for making containers anew: two that do so would take each other's work for
/// what a crash left.
pub fn claim_recreation(dir: &Path, instance: &Instance) -> Result<Lock, Error> {
    make(dir)?;
    lock(dir.join("recreation.lock"), instance, Error::Recreating)
}

fn make(dir: &Path) -> Result<(), Error> {
    let io = |source| Error::Io {
        path: dir.to_owned(),
        source,
    };
    system::make(dir).map_err(io)?;
    let metadata = fs::symlink_metadata(dir).map_err(io)?;
    if !system::is_private(&metadata) {
        return Err(Error::Foreign(dir.to_owned()));
    }
    Ok(())
}

fn lock(
    path: PathBuf,
    instance: &Instance,
    busy: impl FnOnce(PathBuf) -> Error,
) -> Result<Lock, Error> {
    let io = |source| Error::Io {
        path: path.clone(),
        source,
    };
    let options = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path);
    let mut file = options.map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(busy(path)),
        Err(TryLockError::Error(source)) => return Err(io(source)),
    }
    let name = instance.as_str().as_bytes();
    let written = file.set_len(0).and_then(|()| file.write_all(name));
    written.map_err(io)?;
    Ok(Lock { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(name: &str) -> Instance {
        name.parse().unwrap()
    }

    #[test]
    fn the_folder_is_found_in_order() {
        let xdg = Places {
            xdg: Some("/run/user/1".into()),
            temporary: "/tmp".into(),
            ..Places::default()
        };
        let found = xdg.candidates(&instance("a"));
        assert_eq!(found[0], Path::new("/run/user/1/dockline/a"));
        assert!(found[1].starts_with("/tmp"), "{found:?}");
        let explicit = Places {
            explicit: Some("/mine".into()),
            ..xdg
        };
        assert_eq!(explicit.candidates(&instance("a"))[0], Path::new("/mine"));
    }

    #[test]
    fn only_one_may_hold_an_instance() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("x");
        let lock = claim(&folder, &instance("x")).unwrap();
        assert!(matches!(
            claim(&folder, &instance("x")),
            Err(Error::Busy { .. })
        ));
        let recreation = claim_recreation(&folder, &instance("x")).unwrap();
        assert!(matches!(
            claim_recreation(&folder, &instance("x")),
            Err(Error::Recreating(_))
        ));
        drop((lock, recreation));
        claim(&folder, &instance("x")).unwrap();
        claim_recreation(&folder, &instance("x")).unwrap();
    }
}
