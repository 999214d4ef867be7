//! The files as a tar archive, by which the engine gets them.

use bytes::Bytes;

use super::Files;

impl Files {
    /// The folder's content, under a folder (`name/`) or not: readable by all, whoever the container runs as.
    pub fn archive(&self, under: &str) -> Bytes {
        let mut archive = tar::Builder::new(Vec::new());
        let mut append = |kind, path: &str, mode, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(bytes.len() as u64);
            header.set_mode(mode);
            // Writing to memory fails only on a path that does not fit, and these are constants.
            let _ = archive.append_data(&mut header, format!("{under}{path}"), bytes);
        };
        if !under.is_empty() {
            append(tar::EntryType::Directory, "", 0o755, &[]);
        }
        let mut folder = "";
        for (name, bytes) in &self.content {
            if let Some((parent, _)) = name.split_once('/')
                && parent != folder
            {
                folder = parent;
                append(tar::EntryType::Directory, parent, 0o755, &[]);
            }
            append(tar::EntryType::Regular, name, 0o444, bytes);
        }
        Bytes::from(archive.into_inner().unwrap_or_default())
    }
}
