//! What passed, as an HTTP Archive (HAR 1.2), in a file that is whole after every entry.
//!
//! The file ends with what closes the archive. An entry is written over that, together with a new end, in one go: whoever kills
//! dockline, or reads the file meanwhile, finds an archive with all entries so far.

mod entry;

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use serde_json::{Value, json};
use tracing::warn;

pub(super) use entry::entry;

const END: &str = "\n]}}\n";

/// An archive that is being written.
#[derive(Debug)]
pub struct Har {
    file: File,
    /// Where the next entry goes: over the end.
    at: u64,
    is_empty: bool,
}

impl Har {
    /// Makes the file, in the place of an older one.
    pub fn create(path: &Path) -> io::Result<Self> {
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("write {}: {error}", path.display()))
        };
        let mut file = File::create(path).map_err(named)?;
        let creator = json!({ "name": "dockline", "version": env!("CARGO_PKG_VERSION") });
        let begin = format!(r#"{{"log":{{"version":"1.2","creator":{creator},"entries":["#);
        file.write_all(format!("{begin}{END}").as_bytes())
            .map_err(named)?;
        Ok(Self {
            file,
            at: begin.len() as u64,
            is_empty: true,
        })
    }

    /// Adds entries. Gives the archive up, with a warning, if that fails.
    pub(super) async fn append(self, entries: Vec<Value>) -> Option<Self> {
        let written = tokio::task::spawn_blocking(move || self.write(&entries)).await;
        match written.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            Ok(har) => Some(har),
            Err(error) => {
                warn!(%error, "the HAR file cannot be written any more");
                None
            }
        }
    }

    fn write(mut self, entries: &[Value]) -> io::Result<Self> {
        let mut text = String::new();
        for entry in entries {
            text += if self.is_empty { "\n" } else { ",\n" };
            text += &entry.to_string();
            self.is_empty = false;
        }
        self.file.seek(SeekFrom::Start(self.at))?;
        self.at += text.len() as u64;
        self.file.write_all((text + END).as_bytes())?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_file_is_whole_after_every_entry() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.har");
        let entries = || {
            let text = std::fs::read(&path).unwrap();
            let whole: Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(whole["log"]["version"], "1.2");
            whole["log"]["entries"].as_array().unwrap().clone()
        };
        std::fs::write(&path, "longer than what is written first".repeat(20)).unwrap();
        let har = Har::create(&path).unwrap();
        assert_eq!(entries(), [] as [Value; 0]);
        let har = har.append(vec![json!(1)]).await.unwrap();
        assert_eq!(entries(), [json!(1)]);
        let har = har.append(vec![json!({"a": "b"}), json!(3)]).await.unwrap();
        assert_eq!(entries(), [json!(1), json!({"a": "b"}), json!(3)]);
        drop(har);
    }
}
