//! The floor under a map's coming up: makes the calls that dockline makes, keeps names and addresses, and nothing else.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::dns::wire;
use crate::engine::http::{Http, once};

/// As many as dockline's.
const AT_ONCE: usize = 16;

type Names = Arc<Mutex<BTreeMap<String, Ipv4Addr>>>;

/// Serves until the process is ended.
pub(crate) fn serve(address: SocketAddr, engine: &Path, network: String) -> Result<()> {
    let socket = UdpSocket::bind(address).context("bind the floor program")?;
    let names = Names::default();
    let (known, engine) = (Arc::clone(&names), engine.to_owned());
    thread::spawn(move || fill(&known, &engine, &network));
    let mut buffer = [0; 1500];
    loop {
        if let Ok((length, from)) = socket.recv_from(&mut buffer[..1400]) {
            let name = wire::name(&buffer[..length]);
            let found = names
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get(&name)
                .copied();
            let length = wire::answer(&mut buffer, length, found);
            drop(socket.send_to(&buffer[..length], from));
        }
    }
}

fn fill(known: &Names, engine: &Path, network: &str) -> Result<()> {
    let mut http = Http::connect(engine)?;
    http.ask("GET", "/version", None)?;
    http.ask("GET", "/info", None)?;
    let mut events = Http::connect(engine)?;
    events.stream("/events?filters=%7B%22type%22%3A%5B%22container%22%2C%22network%22%5D%7D")?;
    let (_, listing) = http.ask("GET", "/containers/json?all=true", None)?;
    once(engine, "GET", "/networks", None)?;
    let ids: Vec<&str> = listing
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|container| container["Id"].as_str())
        .collect();
    let next = AtomicUsize::new(0);
    let found = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let mut http = Http::connect(engine)?;
                while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (_, inspect) = http.ask("GET", &format!("/containers/{id}/json"), None)?;
                    let named = name_and_address(&inspect, network);
                    found
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .extend(named);
                }
                anyhow::Ok(())
            });
        }
    });
    // All at once, as dockline publishes its first map.
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    *known.lock().unwrap_or_else(PoisonError::into_inner) = found;
    while events.line()?.is_some() {}
    Ok(())
}

fn name_and_address(container: &Value, network: &str) -> Option<(String, Ipv4Addr)> {
    let name = container["Name"].as_str()?.trim_start_matches('/');
    let settings = &container["NetworkSettings"]["Networks"][network];
    Some((
        name.to_owned(),
        settings["IPAddress"].as_str()?.parse().ok()?,
    ))
}
