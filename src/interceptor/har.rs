//! What passed, as an HTTP Archive (HAR 1.2), in a file that is whole after every entry.
//!
//! The file ends with what closes the archive. An entry is written over that, together with a new end, in one go: whoever kills
//! dockline, or reads the file meanwhile, finds an archive with all entries so far. An entry is a line, so that a file that was
//! cut in the middle of one, by the machine's end, say, is whole again without its last line.

mod coding;
mod entry;
mod messages;

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use serde_json::json;
use tracing::{info, warn};

use super::records::Record;

const END: &str = "\n]}}\n";

/// Written at a time, as far as that is not less than one entry.
const PIECE: usize = 1024 * 1024;

/// An archive that is being written.
#[derive(Debug)]
pub struct Har {
    file: File,
    /// Where the next entry goes: over the end.
    at: u64,
    is_empty: bool,
    /// Entries for which there was no room.
    missing: usize,
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
            missing: 0,
        })
    }

    /// Adds records. Gives the archive up, with a warning, if its file cannot be kept whole.
    pub(super) async fn append(mut self, records: Vec<Record>) -> Option<Self> {
        let written = tokio::task::spawn_blocking(move || {
            let entries = records
                .iter()
                .map(|record| entry::entry(record).to_string());
            self.add(entries).map(|()| self)
        });
        let written = written.await;
        match written.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            Ok(har) => Some(har),
            Err(error) => {
                warn!(%error, "the HAR file cannot be written any more, and may lack its end");
                None
            }
        }
    }

    /// Fails only if what is there cannot be kept whole.
    fn add(&mut self, entries: impl Iterator<Item = String>) -> io::Result<()> {
        let (mut text, mut count) = (String::new(), 0);
        for entry in entries {
            let is_first = self.is_empty && text.is_empty();
            text += if is_first { "\n" } else { ",\n" };
            text += &entry;
            count += 1;
            if text.len() >= PIECE {
                self.put(&text, count)?;
                (text, count) = (String::new(), 0);
            }
        }
        if text.is_empty() {
            return Ok(());
        }
        self.put(&text, count)
    }

    fn put(&mut self, entries: &str, count: usize) -> io::Result<()> {
        match self.write(&format!("{entries}{END}")) {
            Ok(()) => {
                self.at += entries.len() as u64;
                self.is_empty = false;
                if self.missing > 0 {
                    info!(missing = self.missing, "the HAR file is written again");
                    self.missing = 0;
                }
            }
            Err(error) => {
                // The old end comes back to where it was: for that there was room.
                self.write(END)?;
                self.file.set_len(self.at + END.len() as u64)?;
                if self.missing == 0 {
                    warn!(%error, "the HAR file takes no more: requests are left out of it until it does");
                }
                self.missing += count;
            }
        }
        Ok(())
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.at))?;
        self.file.write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::Value;

    use super::*;

    struct Archive {
        har: Har,
        path: PathBuf,
        _folder: tempfile::TempDir,
    }

    impl Archive {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.har");
            std::fs::write(&path, "longer than what is written first".repeat(20)).unwrap();
            Self {
                har: Har::create(&path).unwrap(),
                path,
                _folder: folder,
            }
        }

        fn add(&mut self, entries: &[Value]) {
            let texts = entries.iter().map(Value::to_string);
            self.har.add(texts).unwrap();
        }

        fn text(&self) -> String {
            std::fs::read_to_string(&self.path).unwrap()
        }
    }

    fn entries(text: &str) -> Vec<Value> {
        let whole: Value = serde_json::from_str(text).unwrap();
        assert_eq!(whole["log"]["version"], "1.2");
        whole["log"]["entries"].as_array().unwrap().clone()
    }

    #[test]
    fn the_file_is_whole_after_every_entry() {
        let mut archive = Archive::new();
        assert_eq!(entries(&archive.text()), [] as [Value; 0]);
        archive.add(&[json!(1)]);
        assert_eq!(entries(&archive.text()), [json!(1)]);
        archive.add(&[json!({"a": "b"}), json!(3)]);
        archive.add(&[]);
        assert_eq!(
            entries(&archive.text()),
            [json!(1), json!({"a": "b"}), json!(3)]
        );
        let many: Vec<_> = (0..10).map(|_| json!("x".repeat(PIECE / 3))).collect();
        archive.add(&many);
        assert_eq!(entries(&archive.text()).len(), 13);
    }

    #[test]
    fn a_file_that_was_cut_is_whole_without_its_last_line() {
        let mut archive = Archive::new();
        archive.add(&[json!({"a": 1})]);
        archive.add(&[json!({"b": "}\n]"})]);
        let (before, at) = (archive.text(), usize::try_from(archive.har.at).unwrap());
        archive.add(&[json!({"c": "long ".repeat(100)})]);
        let after = archive.text();
        for cut in at + 1..after.len() {
            // Up to there the new bytes have come, and after it the old ones stand.
            let old = before.get(cut..).unwrap_or_default();
            let text = format!("{}{old}", &after[..cut]);
            if serde_json::from_str::<Value>(&text).is_ok() {
                continue;
            }
            // As `sed` does it that is recommended in docs/interception.md.
            let mut lines: Vec<_> = text.lines().collect();
            lines.pop();
            let kept = lines.join("\n");
            let repaired = format!("{}\n]}}}}\n", kept.trim_end_matches(','));
            let found = entries(&repaired);
            assert!(found.first() == Some(&json!({"a": 1})), "{cut}: {repaired}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none/a.har");
        let error = Har::create(&path).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
}
