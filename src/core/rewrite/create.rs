//! `POST /containers/create`: what makes a container an intercepted one.

#[cfg(test)]
mod tests;

use serde_json::{Result, json};

use super::Object;
use crate::core::id::Instance;
use crate::core::inject::{
    Attached, Candidate, Entry, Exempt, FOLDER, Injection, Undo, environment, injectable,
};
use crate::core::label::{self, Labels};
use crate::core::trust::{Wanted, wanted};

/// The body of a create call.
#[derive(Clone, Debug)]
pub struct Create {
    body: Object,
    host: Object,
    image: String,
    env: Vec<String>,
    labels: Labels,
    mode: String,
    binds: Option<Vec<String>>,
    mounts: Option<Vec<Object>>,
    changed: bool,
}

impl Create {
    /// Understands a body; an error if the engine would not.
    pub fn read(body: &[u8]) -> Result<Self> {
        let body: Object = serde_json::from_slice(body)?;
        let host: Object = body.read("HostConfig")?.unwrap_or_default();
        Ok(Self {
            image: body.read("Image")?.unwrap_or_default(),
            env: body.read("Env")?.unwrap_or_default(),
            labels: body.labels()?,
            mode: host.read("NetworkMode")?.unwrap_or_default(),
            binds: host.read("Binds")?,
            mounts: host.read("Mounts")?,
            body,
            host,
            changed: false,
        })
    }

    /// Whether it is to be injected.
    pub fn injectable(
        &self,
        name: Option<&str>,
        platform: Option<&str>,
        instance: &Instance,
    ) -> std::result::Result<(), Exempt> {
        let candidate = Candidate {
            name,
            image: &self.image,
            labels: &self.labels,
            platform,
        };
        injectable(&candidate, instance)
    }

    /// The image's reference.
    pub fn image(&self) -> &str {
        &self.image
    }

    /// The labels that it is to have.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// What is to be looked for in the image, by the variables that the container will see.
    pub fn wanted(&self, image_env: &[String]) -> Wanted {
        let variable = |name: &str| environment::effective(&self.env, image_env, name);
        wanted(variable, |path| self.covers(path))
    }

    /// Hosts that are not to be intercepted, as its user lists them.
    pub fn no_proxy(&self) -> &str {
        self.labels.get(label::NO_PROXY).map_or("", String::as_str)
    }

    /// How it will be attached.
    pub fn attached(&self) -> Attached {
        Attached::of(&self.mode)
    }

    /// Whether a path of this machine is to be in the container.
    pub fn mounts(&self, path: &str) -> bool {
        let mut binds = self.binds.iter().flatten();
        let mut mounts = self.mounts.iter().flatten();
        binds.any(|bind| is_bind_of(bind, path)) || mounts.any(|mount| is_mount_of(mount, path))
    }

    /// Whether a mount has that path of the container, something in it, or what it is in.
    fn covers(&self, path: &str) -> bool {
        let binds = self.binds.iter().flatten();
        // Behind the target there may be options, before it a source of another system.
        let binds = binds.filter_map(|bind| bind.rsplit(':').find(|part| part.starts_with('/')));
        let mounts = self.mounts.iter().flatten();
        let mounts = mounts.filter_map(|mount| mount.read::<String>("Target").ok().flatten());
        let mut targets = binds.map(str::to_owned).chain(mounts);
        targets.any(|target| is_in(&target, path) || is_in(path, &target))
    }

    /// Puts the engine's socket in the place of the API proxy's own, which containers that manage containers mount.
    pub fn replace_socket(&mut self, own: &str, engines: &str) {
        for bind in self.binds.iter_mut().flatten() {
            if is_bind_of(bind, own) {
                *bind = format!("{engines}{}", &bind[own.len()..]);
                self.changed = true;
            }
        }
        for mount in self.mounts.iter_mut().flatten() {
            if is_mount_of(mount, own) && mount.set("Source", &engines).is_ok() {
                self.changed = true;
            }
        }
    }

    /// Adds variables, labels and files. `image_env`: the variables that the image brings.
    pub fn inject(&mut self, injection: &Injection, image_env: &[String]) -> Result<()> {
        let mut undo = Undo::default();
        self.env = environment::inject(&self.env, image_env, injection, &mut undo);
        if let Some(authority) = &injection.authority {
            self.mount(&authority.volume, &mut undo)?;
            let sha256 = authority.sha256.clone();
            let given = self.labels.insert(label::CA.to_owned(), sha256);
            if given.is_some() {
                undo.labels.insert(label::CA.to_owned(), given);
            }
        }
        // One that takes another's place stays compose's own: outside of intercepted shells, too.
        let attached = self.labels.contains_key(label::REPLACES);
        if !attached && let Some(hash) = self.labels.get_mut(label::COMPOSE_HASH) {
            let before = hash.clone();
            *hash = label::injected_hash(hash, &injection.instance);
            undo.labels
                .insert(label::COMPOSE_HASH.to_owned(), Some(before));
        }
        let instance = injection.instance.to_string();
        let given = self.labels.insert(label::INSTANCE.to_owned(), instance);
        if given.is_some() {
            undo.labels.insert(label::INSTANCE.to_owned(), given);
        }
        if let Entry::Address(address) = &injection.entry {
            let given = self
                .labels
                .insert(label::ENTRY.to_owned(), address.to_string());
            if given.is_some() {
                undo.labels.insert(label::ENTRY.to_owned(), given);
            }
        }
        let undo = serde_json::to_string(&undo)?;
        self.labels.insert(label::UNDO.to_owned(), undo);
        self.body.set("Env", &self.env)?;
        self.body.set_labels(&self.labels)?;
        self.changed = true;
        Ok(())
    }

    /// Mounts a volume read-only.
    fn mount(&mut self, volume: &str, undo: &mut Undo) -> Result<()> {
        let mount = json!({
            "Type": "volume",
            "Source": volume,
            "Target": FOLDER,
            "ReadOnly": true,
            "VolumeOptions": { "NoCopy": true },
        });
        let mounts = self.mounts.get_or_insert_default();
        mounts.push(serde_json::from_str(&mount.to_string())?);
        undo.mounts.push(FOLDER.to_owned());
        Ok(())
    }

    /// The body as it is to go on; nothing if it stays as it came.
    pub fn into_body(mut self) -> Result<Option<Vec<u8>>> {
        if !self.changed {
            return Ok(None);
        }
        if let Some(binds) = &self.binds {
            self.host.set("Binds", binds)?;
        }
        if let Some(mounts) = &self.mounts {
            self.host.set("Mounts", mounts)?;
        }
        if self.binds.is_some() || self.mounts.is_some() {
            self.body.set("HostConfig", &self.host)?;
        }
        serde_json::to_vec(&self.body).map(Some)
    }
}

fn is_in(path: &str, folder: &str) -> bool {
    let rest = path.strip_prefix(folder.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_bind_of(bind: &str, path: &str) -> bool {
    bind.strip_prefix(path)
        .is_some_and(|rest| rest.starts_with(':'))
}

fn is_mount_of(mount: &Object, path: &str) -> bool {
    let source: Option<String> = mount.read("Source").unwrap_or_default();
    source.as_deref() == Some(path)
}
