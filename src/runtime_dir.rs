//! The instance's private folder: where its sockets are, and the lock that makes it the only one.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::core::id::Instance;

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another `serve` of the same instance.
    #[error(
        "instance {instance} is already running (it holds {}); stop it, or use another --instance",
        lock.display()
    )]
    Busy {
        /// The instance.
        instance: Instance,
        /// The file that it holds.
        lock: PathBuf,
    },
    /// Somebody else could plant a socket there.
    #[error("{} belongs to another user; set DOCKLINE_RUNTIME_DIR to a folder of your own", .0.display())]
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
        if let Some(explicit) = &self.explicit {
            return vec![explicit.clone()];
        }
        let in_xdg = self
            .xdg
            .as_ref()
            .map(|dir| dir.join("dockline").join(instance.as_str()));
        // A name of the user's own, because that folder is everybody's; its owner is checked all the same.
        let shared = self
            .temporary
            .join(format!("dockline-{}", user_id()))
            .join(instance.as_str());
        in_xdg.into_iter().chain([shared]).collect()
    }

    /// The socket of a running service, or where it would be.
    pub fn control_socket(&self, instance: &Instance) -> PathBuf {
        let sockets = self
            .candidates(instance)
            .into_iter()
            .map(|dir| control_socket(&dir));
        let mut owned = sockets
            .clone()
            .filter(|path| fs::metadata(path).is_ok_and(|m| is_own(&m)));
        let first = || sockets.into_iter().next().unwrap_or_default();
        owned.next().unwrap_or_else(first)
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
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(io(dir))?;
    if !is_own(&fs::symlink_metadata(dir).map_err(io(dir))?) {
        return Err(Error::Foreign(dir.to_owned()));
    }
    let path = dir.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(Error::Busy {
            instance: instance.clone(),
            lock: path,
        }),
        Err(TryLockError::Error(source)) => Err(Error::Io { path, source }),
    }
}

fn is_own(metadata: &fs::Metadata) -> bool {
    metadata.uid() == user_id()
}

fn user_id() -> u32 {
    rustix::process::geteuid().as_raw()
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
        assert_eq!(
            explicit.candidates(&instance("a")),
            [PathBuf::from("/mine")]
        );
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
        drop(lock);
        claim(&folder, &instance("x")).unwrap();
    }
}
