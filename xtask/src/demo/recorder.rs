//! A small interceptor: writes down what passes and whose it is, and goes on by the gateway.

use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result};

/// See the module.
#[derive(Debug)]
pub(super) struct Recorder {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    gateway: Mutex<Option<SocketAddr>>,
    seen: Mutex<Vec<String>>,
}

impl Recorder {
    /// Listens until the demo is over.
    pub(super) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("start the recorder")?;
        let recorder = Self {
            address: listener.local_addr()?,
            shared: Arc::default(),
        };
        let shared = Arc::clone(&recorder.shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                // A client that leaves early is its own affair.
                thread::spawn(move || drop(shared.serve(&client)));
            }
        });
        Ok(recorder)
    }

    /// Where it listens as a proxy.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says which proxy is its upstream.
    pub(super) fn use_gateway(&self, gateway: SocketAddr) {
        let known = self.shared.gateway.lock();
        *known.unwrap_or_else(PoisonError::into_inner) = Some(gateway);
    }

    /// What passed so far: who, and what.
    pub(super) fn seen(&self) -> Vec<String> {
        let seen = self.shared.seen.lock();
        seen.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Shared {
    /// Serves the one request of a connection, whatever comes of it.
    fn serve(&self, client: &TcpStream) -> io::Result<()> {
        let hint = client.peer_addr()?;
        let mut from = BufReader::new(client);
        let lines = head(&mut from)?;
        let gateway = *self.gateway.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some((first, rest)), Some(gateway)) = (lines.split_first(), gateway) else {
            return Ok(());
        };
        let what = first
            .rsplit_once(' ')
            .map_or(first.as_str(), |(what, _)| what);
        let seen = format!("{}: {what}", who(gateway, hint)?);
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(seen);
        let far = TcpStream::connect(gateway)?;
        let ours = [
            format!("Dockline-Client: {hint}"),
            "Connection: close".to_owned(),
        ];
        let about_this_one = |line: &&String| line.to_lowercase().contains("connection:");
        let others = rest.iter().filter(|line| !about_this_one(line));
        for line in [first].into_iter().chain(&ours).chain(others) {
            (&far).write_all(format!("{line}\r\n").as_bytes())?;
        }
        (&far).write_all(b"\r\n")?;
        thread::scope(|scope| {
            scope.spawn(|| io::copy(&mut from, &mut &far));
            let copied = io::copy(&mut &far, &mut &*client);
            client.shutdown(Shutdown::Both)?;
            far.shutdown(Shutdown::Both)?;
            copied.map(drop)
        })
    }
}

/// The lines of a request's head; none of a client that says nothing.
fn head(from: &mut impl BufRead) -> io::Result<Vec<String>> {
    let lines = from.lines().map(|line| Ok(line?.trim_end().to_owned()));
    let lines = lines.take_while(|line: &io::Result<String>| {
        line.as_ref().map_or(true, |line| !line.is_empty())
    });
    lines.collect()
}

/// Whose connection it is: the gateway says so where it refuses, and nobody listens on this port.
fn who(gateway: SocketAddr, hint: SocketAddr) -> io::Result<String> {
    let mut asked = TcpStream::connect(gateway)?;
    let request = format!(
        "GET http://127.0.0.1:7/ HTTP/1.1\r\nHost: 127.0.0.1:7\r\nDockline-Client: {hint}\r\nConnection: close\r\n\r\n"
    );
    asked.write_all(request.as_bytes())?;
    let mut answer = String::new();
    asked.read_to_string(&mut answer)?;
    let name = answer.split("in the scope of ").nth(1);
    let name = name.and_then(|rest| rest.split(',').next());
    Ok(name.unwrap_or("somebody").to_owned())
}
