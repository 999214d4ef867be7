//! An engine that lists any number of containers on one network, and lets one more come and go at once.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// The network's name.
pub(crate) const NETWORK: &str = "bench_default";
/// The name of the container that comes and goes.
pub(crate) const GUEST: &str = "guest";
const RANGE: &str = "10.200.0.0/16";

/// A fake engine, which lives as long as the process.
#[derive(Clone, Debug)]
pub(crate) struct Fake {
    label: String,
    count: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    guest: bool,
    streams: Vec<UnixStream>,
}

impl Fake {
    /// Listens at `path`; `count` containers with the label `dockline.instance=<label>` run from the beginning.
    pub(crate) fn start(path: &Path, count: usize, label: &str) -> Result<Self> {
        let listener =
            UnixListener::bind(path).with_context(|| format!("bind {}", path.display()))?;
        let fake = Self {
            label: label.to_owned(),
            count,
            state: Arc::default(),
        };
        let this = fake.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let this = this.clone();
                thread::spawn(move || drop(this.serve(client)));
            }
        });
        Ok(fake)
    }

    /// Lets the guest join or leave the network, and tells whoever listens.
    pub(crate) fn guest(&self, there: bool) {
        let action = if there { "connect" } else { "disconnect" };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
        let event = json!({
            "Type": "network", "Action": action, "scope": "local", "time": now / 1_000_000_000, "timeNano": now,
            "Actor": {"ID": network_id(), "Attributes": {"container": id(0), "name": NETWORK, "type": "bridge"}},
        });
        let line = format!("{event}\n");
        let chunk = format!("{:x}\r\n{line}\r\n", line.len());
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.guest = there;
        state
            .streams
            .retain_mut(|stream| stream.write_all(chunk.as_bytes()).is_ok());
    }

    fn serve(&self, client: UnixStream) -> Result<()> {
        let mut reader = BufReader::new(client.try_clone()?);
        let mut writer = client;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let mut words = line.split_whitespace();
            let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            let (method, path) = (method.to_owned(), unversioned(path).to_owned());
            let mut length = 0;
            loop {
                line.clear();
                reader.read_line(&mut line)?;
                if line.trim_end().is_empty() {
                    break;
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse()?;
                }
            }
            std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
            if path == "/events" {
                writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")?;
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.streams.push(writer.try_clone()?);
                continue;
            }
            let (status, body) = self.answer(&method, &path);
            let body = body.to_string();
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nApi-Version: 1.45\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            writer.write_all((head + &body).as_bytes())?;
        }
    }

    fn answer(&self, method: &str, path: &str) -> (u16, Value) {
        let members = || (1..=self.count).chain(self.has_guest().then_some(0));
        let missing = || (404, json!({"message": "no such thing"}));
        match (method, path) {
            ("GET", "/version") => (
                200,
                json!({"Version": "26.1.5", "ApiVersion": "1.45", "MinAPIVersion": "1.24"}),
            ),
            ("GET", "/info") => (
                200,
                json!({"ServerVersion": "26.1.5", "Architecture": "x86_64", "OSType": "linux", "SystemTime": "2024-01-01T00:00:00.000000000Z"}),
            ),
            // Else the engine would count as away every few seconds, and all be looked at again.
            ("GET", "/_ping") => (200, json!("OK")),
            ("GET", "/networks") => (200, json!([network()])),
            ("GET", "/containers/json") => (200, members().map(|i| self.listed(i)).collect()),
            ("GET", path) if path.starts_with("/networks/") => (200, network()),
            ("GET", path) if path.starts_with("/containers/") => {
                let wanted = path.split('/').nth(2).unwrap_or_default();
                let known = index(wanted).filter(|index| *index <= self.count);
                known.map_or_else(missing, |index| (200, self.inspected(index)))
            }
            ("GET" | "HEAD" | "DELETE", _) => missing(),
            _ => (500, json!({"message": "this engine is only a listing"})),
        }
    }

    fn has_guest(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.guest
    }

    fn labels(&self) -> Value {
        json!({"dockline.instance": self.label, "com.docker.compose.project": "bench", "com.docker.compose.service": "web"})
    }

    fn listed(&self, index: usize) -> Value {
        json!({
            "Id": id(index), "Names": [format!("/{}", name(index))], "Image": "bench", "State": "running", "Status": "Up",
            "Labels": self.labels(), "HostConfig": {"NetworkMode": NETWORK},
            "NetworkSettings": {"Networks": self.networks(index)}, "Mounts": [],
        })
    }

    fn inspected(&self, index: usize) -> Value {
        let name = name(index);
        json!({
            "Id": id(index), "Name": format!("/{name}"), "Created": "2024-01-01T00:00:00Z", "Path": "/bin/true", "Args": [],
            "State": {"Status": "running", "Running": true, "Paused": false, "Restarting": false, "Pid": 1},
            "Config": {"Hostname": &id(index)[..12], "Image": "bench", "Env": ["PATH=/bin"], "Labels": self.labels()},
            "HostConfig": {"NetworkMode": NETWORK, "Links": null, "ExtraHosts": null},
            "NetworkSettings": {"Networks": self.networks(index)},
        })
    }

    fn networks(&self, index: usize) -> Value {
        if index == 0 && !self.has_guest() {
            return json!({});
        }
        let short = &id(index)[..12];
        json!({NETWORK: {
            "NetworkID": network_id(), "EndpointID": id(index + 100_000), "Gateway": "10.200.0.1",
            "IPAddress": format!("10.200.{}.{}", (index + 2) / 250, (index + 2) % 250 + 1), "IPPrefixLen": 16,
            "Aliases": [name(index), short], "DNSNames": [name(index), short],
        }})
    }
}

/// Container `index`'s name; 0 is the guest.
pub(crate) fn name(index: usize) -> String {
    match index {
        0 => GUEST.to_owned(),
        _ => format!("bench-web-{index}"),
    }
}

fn id(index: usize) -> String {
    // The beginning differs, because short ids are names too.
    format!("{:012x}{:052x}", index + 0xabc_0000, index)
}

fn index(id: &str) -> Option<usize> {
    usize::from_str_radix(id.get(12..)?, 16).ok()
}

fn network_id() -> String {
    format!("{:064x}", 0xbe)
}

fn network() -> Value {
    json!({
        "Id": network_id(), "Name": NETWORK, "Driver": "bridge", "Scope": "local", "Internal": false, "EnableIPv6": false,
        "IPAM": {"Driver": "default", "Config": [{"Subnet": RANGE, "Gateway": "10.200.0.1"}]}, "Options": {}, "Labels": {},
    })
}

/// A request's path without version and query.
fn unversioned(path: &str) -> &str {
    let path = path.split('?').next().unwrap_or_default();
    let rest = path
        .strip_prefix("/v")
        .and_then(|rest| rest.find('/').map(|at| &rest[at..]));
    rest.unwrap_or(path)
}
