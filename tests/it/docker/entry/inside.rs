//! Sockets in a container's network namespace. They belong to it wherever they are used from.

use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::process::Command;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Lab, PATIENCE, eventually};

/// A container, by its network namespace.
#[derive(Clone, Debug)]
pub(super) struct Inside {
    pid: u32,
    /// Its addresses.
    pub(super) addresses: Vec<IpAddr>,
}

impl Inside {
    /// Nothing, if it cannot be entered: the engine is in a virtual machine, or this is not root.
    pub(super) fn of(lab: &Lab, name: &str) -> Option<Self> {
        let show = |template: &str| lab.docker(&["inspect", "-f", template, &lab.own(name)]);
        let pid = show("{{.State.Pid}}").parse().unwrap();
        let addresses = show(
            "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}} {{end}}",
        );
        let addresses = addresses.split_whitespace().filter_map(|a| a.parse().ok());
        let inside = Self {
            pid,
            addresses: addresses.collect(),
        };
        File::open(inside.namespace()).ok()?;
        rustix::process::geteuid().is_root().then_some(inside)
    }

    pub(super) fn namespace(&self) -> String {
        format!("/proc/{}/ns/net", self.pid)
    }

    /// A program of this machine's, in there.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", self.namespace()))
            .arg(program);
        command
    }

    /// Does something with sockets in there.
    fn enter<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> std::io::Result<T> + Send + 'static,
    ) -> std::io::Result<T> {
        let namespace = self.namespace();
        // A thread of its own, because one that has moved stays there.
        let thread = std::thread::spawn(move || {
            let link = File::open(namespace)?;
            move_into_link_name_space(link.as_fd(), Some(LinkNameSpaceType::Network))?;
            act()
        });
        let panicked = |_| std::io::Error::other("the thread panicked");
        thread.join().map_err(panicked)?
    }

    /// Connects from in there.
    pub(super) fn try_connect(&self, to: SocketAddr) -> std::io::Result<TcpStream> {
        let stream = self.enter(move || {
            let stream = std::net::TcpStream::connect_timeout(&to, Duration::from_secs(2))?;
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            Ok(stream)
        })?;
        TcpStream::from_std(stream)
    }

    /// Listens in there, on all addresses.
    pub(super) fn listen(&self, port: u16) -> TcpListener {
        let listener = self.enter(move || {
            let listener = std::net::TcpListener::bind(("::", port))?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        });
        TcpListener::from_std(listener.unwrap()).unwrap()
    }

    /// The tunnel's address on a network that this container is on.
    pub(super) async fn entry(&self, lab: &Lab) -> SocketAddr {
        let mine = self.addresses[0];
        eventually("the tunnel is there", async || {
            let template =
                "{{range .NetworkSettings.Networks}}{{.IPAddress}}/{{.IPPrefixLen}} {{end}}";
            let output = lab.try_docker(&["inspect", "-f", template, &super::tunnel(lab)]);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let mut nets = text
                .split_whitespace()
                .filter_map(|net| net.parse::<ipnet::IpNet>().ok());
            let near = nets.find(|net| net.contains(&mine))?;
            Some(SocketAddr::new(near.addr(), 8790))
        })
        .await
    }

    /// A connection to the entry, as clients in there make it.
    pub(super) async fn call(&self, lab: &Lab) -> Talk {
        let entry = self.entry(lab).await;
        Talk(self.try_connect(entry).unwrap())
    }

    /// What a page says, fetched by the entry; refusals included.
    pub(super) async fn get(&self, lab: &Lab, url: &str) -> String {
        let mut talk = self.call(lab).await;
        talk.get(url).await.1
    }

    /// The status for a CONNECT by the entry, and what is said of it.
    pub(super) async fn connect(&self, lab: &Lab, target: &str) -> (Talk, u16, String) {
        let mut talk = self.call(lab).await;
        talk.say(format!(
            "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"
        ))
        .await;
        let (status, text) = talk.hear_response().await;
        (talk, status, text)
    }
}

/// One end of a connection, as a script.
#[derive(Debug)]
pub(super) struct Talk(pub(super) TcpStream);

impl Talk {
    pub(super) async fn accept(listener: &TcpListener) -> Self {
        Self(soon("accept", listener.accept()).await.unwrap().0)
    }

    pub(super) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        soon("say", self.0.write_all(bytes.as_ref())).await.unwrap();
    }

    pub(super) async fn hear(&mut self, expected: &str) {
        let mut heard = vec![0; expected.len()];
        soon("hear", self.0.read_exact(&mut heard)).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&heard), expected);
    }

    /// The head of an HTTP message.
    pub(super) async fn hear_head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = soon("head", self.0.read_u8()).await;
            let text = || String::from_utf8_lossy(&head).into_owned();
            head.push(byte.unwrap_or_else(|error| panic!("{error} after {:?}", text())));
        }
        String::from_utf8(head).unwrap()
    }

    /// A whole response: its status and body, which has its length before it or goes to the end.
    pub(super) async fn hear_response(&mut self) -> (u16, String) {
        let head = self.hear_head().await.to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = Vec::new();
        match length {
            _ if status < 200 => {}
            None if status == 200
                && !head.contains("connection: close")
                && head.lines().count() <= 3 => {}
            None => drop(soon("body", self.0.read_to_end(&mut body)).await.unwrap()),
            Some(length) => {
                body.resize(length.trim().parse().unwrap(), 0);
                soon("body", self.0.read_exact(&mut body)).await.unwrap();
            }
        }
        (status, String::from_utf8_lossy(&body).trim().to_owned())
    }

    pub(super) async fn get(&mut self, url: &str) -> (u16, String) {
        let host = url.split('/').nth(2).unwrap();
        self.say(format!("GET {url} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .await;
        self.hear_response().await
    }
}

/// Both ends of an exchange of which `client` has heard half the answer of `slow`, who listens there.
pub(super) async fn half_answered(lab: &Lab, client: &Inside, slow: &TcpListener) -> (Talk, Talk) {
    let mut caller = client.call(lab).await;
    caller
        .say("GET http://slow/ HTTP/1.1\r\nHost: slow\r\n\r\n")
        .await;
    let mut far = Talk::accept(slow).await;
    far.hear_head().await;
    far.say("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        .await;
    caller.hear_head().await;
    caller.hear("half").await;
    (caller, far)
}

pub(super) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, future).await;
    done.unwrap_or_else(|_| panic!("hangs: {what}"))
}
