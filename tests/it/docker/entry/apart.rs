//! Networks stay apart: nobody gets further by the entry than without it, in any mode.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::Command;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::inside::{Inside, soon};
use super::recorder::Recorder;
use super::{intercepted, resident, tunnel};
use crate::support::{Lab, eventually, on_each_engine, succeed};

/// A container on each of two networks and on an internal one, each with a neighbour that serves a page.
struct Town {
    lab: Lab,
    one: Inside,
    two: Inside,
    shut: Inside,
    networks: [String; 3],
    /// An address that is on no network of the engine, and where somebody listens.
    outside: SocketAddr,
    _outside: JoinSet<()>,
}

impl Town {
    async fn new(lab: Lab) -> Option<Self> {
        let networks = [
            lab.network("a", &[]),
            lab.network("b", &[]),
            lab.network("c", &["--internal"]),
        ];
        let mut residents = Vec::new();
        for (name, network) in ["one", "two", "shut"].iter().zip(&networks) {
            residents.push(resident(&lab, name, network, &[])?);
            let near = format!("near{name}");
            lab.serve_page(&near, &["--network", network, "--network-alias", &near]);
        }
        let [one, two, shut] = residents.try_into().ok()?;
        let listener = TcpListener::bind((own_address(), 0)).await.unwrap();
        let outside = listener.local_addr().unwrap();
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            loop {
                drop(listener.accept().await);
            }
        });
        Some(Self {
            lab,
            one,
            two,
            shut,
            networks,
            outside,
            _outside: accepting,
        })
    }

    /// Whether `from` gets a connection to `target`.
    async fn reaches(&self, from: &Inside, target: &str) -> bool {
        let entry = from.entry(&self.lab).await;
        connects(from, entry, target).await
    }

    async fn stays_apart(&self, mode: &str) {
        let address = |inside: &Inside| inside.addresses[0];
        let [near_one, near_two] = ["nearone", "neartwo"].map(|name| self.lab.address(name));
        let outside = self.outside.to_string();
        for (who, from, target) in [
            ("one", &self.one, "nearone:80".to_owned()),
            ("one", &self.one, format!("{near_one}:80")),
            ("two", &self.two, format!("neartwo.{}:80", self.networks[1])),
            ("shut", &self.shut, "nearshut:80".to_owned()),
            ("one", &self.one, outside.clone()),
        ] {
            assert!(
                self.reaches(from, &target).await,
                "{mode}: {who} does not reach {target}"
            );
        }
        let mut forbidden = vec![
            ("one", &self.one, "neartwo:80".to_owned()),
            ("one", &self.one, format!("neartwo.{}:80", self.networks[1])),
            ("one", &self.one, format!("{near_two}:80")),
            ("one", &self.one, format!("[::ffff:{near_two}]:80")),
            ("two", &self.two, format!("{near_one}:80")),
            ("shut", &self.shut, format!("{near_one}:80")),
            ("shut", &self.shut, outside),
            ("shut", &self.shut, "www.example.com:80".to_owned()),
            ("one", &self.one, format!("{}:8790", tunnel(&self.lab))),
            ("one", &self.one, format!("{}:1080", tunnel(&self.lab))),
        ];
        for at in self.tunnel_addresses() {
            forbidden.push(("one", &self.one, format!("{at}:1080")));
            forbidden.push(("one", &self.one, format!("{at}:8790")));
        }
        for host in ["127.0.0.1", "[::1]", "0.0.0.0", "localhost"] {
            forbidden.push(("one", &self.one, format!("{host}:1080")));
            forbidden.push(("one", &self.one, format!("{host}:8790")));
        }
        for (who, from, target) in forbidden {
            assert!(
                !self.reaches(from, &target).await,
                "{mode}: {who} reaches {target}"
            );
        }
        // Whoever makes its way to the tunnel's address on another network is on its own network all the same.
        let there = SocketAddr::new(self.two.entry(&self.lab).await.ip(), 8790);
        assert!(!connects(&self.one, there, &format!("{}:80", address(&self.two))).await);
        assert!(!connects(&self.one, there, "neartwo:80").await, "{mode}");
        for at in self.tunnel_addresses() {
            // Whenever an engine makes a network, it takes away what keeps the others apart for a moment.
            eventually(
                &format!("shut off from SOCKS at {at} ({mode})"),
                async || {
                    let socks = self.one.try_connect(SocketAddr::new(at, 1080));
                    socks.is_err().then_some(())
                },
            )
            .await;
        }
    }

    fn tunnel_addresses(&self) -> Vec<IpAddr> {
        let template = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}";
        let addresses = self
            .lab
            .docker(&["inspect", "-f", template, &tunnel(&self.lab)]);
        let addresses = addresses.split_whitespace();
        addresses.map(|a| a.parse().unwrap()).collect()
    }
}

async fn connects(from: &Inside, entry: SocketAddr, target: &str) -> bool {
    let Ok(mut stream) = from.try_connect(entry) else {
        return false;
    };
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    let mut status = [0; 12];
    let exchange = async {
        stream.write_all(request.as_bytes()).await?;
        stream.read_exact(&mut status).await
    };
    soon("an answer", exchange).await.is_ok() && status.ends_with(b" 200")
}

/// An address of this machine that other machines know.
fn own_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("192.0.2.1:9").unwrap();
    socket.local_addr().unwrap().ip()
}

#[test]
fn callers_reach_what_they_could_reach_without_it_in_any_mode() {
    on_each_engine(async |lab| {
        let Some(town) = Town::new(lab).await else {
            return;
        };
        let lab = &town.lab;
        let recorder = Recorder::new().await;
        let running = intercepted(lab, &recorder).await;
        let networks: Vec<_> = town.networks.iter().map(String::as_str).collect();
        running.joined(&networks).await;
        // By a route of its own, `one` sends to the tunnel's address on the other network.
        let [at_one, at_two] = [
            town.one.entry(lab).await.ip(),
            town.two.entry(lab).await.ip(),
        ];
        let namespace = format!("--net={}", town.one.namespace());
        let route = [
            "ip",
            "route",
            "add",
            &at_two.to_string(),
            "via",
            &at_one.to_string(),
        ];
        succeed(Command::new("nsenter").arg(namespace).args(route));

        town.stays_apart("intercepted").await;
        running.command("pause");
        eventually("paused", async || {
            recorder.forget();
            town.reaches(&town.one, "nearone:80").await;
            recorder.recorded().is_empty().then_some(())
        })
        .await;
        town.stays_apart("paused").await;
        running.kill().await;
        town.stays_apart("dockline is dead").await;
        lab.docker(&["restart", "-t", "0", &tunnel(lab)]);
        eventually("served", async || {
            let entry = town.one.entry(lab).await;
            town.one.try_connect(entry).ok()
        })
        .await;
        town.stays_apart("dockline is dead, and the tunnel was started again")
            .await;
        let running = lab.service().await;
        running.joined(&networks).await;
        eventually("a link", async || {
            (running.status().await.tunnel.link.state == "up").then_some(())
        })
        .await;
        town.stays_apart("without an interceptor").await;
        running.stop().await;
    });
}

#[test]
fn internal_networks_are_let_out_if_that_is_wanted() {
    on_each_engine(async |lab| {
        let Some(town) = Town::new(lab).await else {
            return;
        };
        let running =
            crate::support::Running::start(&town.lab, |config| config.internal_egress = true).await;
        running.ready().await;
        let networks: Vec<_> = town.networks.iter().map(String::as_str).collect();
        running.joined(&networks).await;
        let outside = town.outside.to_string();
        assert!(town.reaches(&town.shut, &outside).await);
        running.command("pause");
        assert!(town.reaches(&town.shut, &outside).await);
        assert!(
            !town
                .reaches(&town.shut, &format!("{}:80", town.one.addresses[0]))
                .await
        );
        running.stop().await;
    });
}
