//! What is on the ports and sockets that the service says it has, and on those that it would have.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::serve::{DNS_PORT, GATEWAY_PORT, HTTP_PORT};
use super::finding::Finding;
use crate::control::report::shape::Status;
use crate::core::id::Instance;
use crate::dns;
use crate::docker::Endpoint;
use crate::docker::dial::instance_behind;

/// For an answer from this machine.
const ANSWER: Duration = Duration::from_secs(5);
/// More than any of these answers has.
const LONGEST_ANSWER: u64 = 64 * 1024;
/// What to do when a port of the service's does not answer as it should.
const RESTART: &str = "start dockline again; if that does not help, what it writes while it runs says why (--log debug)";

/// Whether the ports are free that a service would take.
pub(super) fn free(instance: &Instance) -> Vec<Finding> {
    if !instance.is_default() {
        return Vec::new();
    }
    let ports = [
        ("gateway", "--gateway", GATEWAY_PORT),
        ("dns", "--dns", DNS_PORT),
        ("http", "--http", HTTP_PORT),
    ];
    let taken = ports.map(|(check, flag, port)| {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        match TcpListener::bind(address) {
            Ok(_) => Finding::ok(check, format!("{address} is free")),
            Err(error) => Finding::failure(
                check,
                format!("{address} is not to be had: {error}"),
                format!("end the program that listens there, or serve with {flag} 127.0.0.1:0"),
            ),
        }
    });
    taken.into()
}

/// Whether names are answered: one of a container's, if there is one.
pub(super) async fn dns(status: &Status) -> Finding {
    let Ok(address) = status.dns.parse() else {
        return Finding::skipped("dns", "not served");
    };
    let mut known = status.containers.iter().flat_map(|container| {
        let networks = container
            .networks
            .iter()
            .filter(|n| !n.addresses.is_empty());
        networks.map(|network| format!("{}.{}", container.name, network.name))
    });
    let name = known.next();
    let asked = name.as_deref().unwrap_or("nobody");
    match (timeout(ANSWER, dns::ask(address, asked)).await, &name) {
        (Ok(Ok(found)), None) => Finding::ok(
            "dns",
            format!("{address}: {asked} has {} addresses", found.len()),
        ),
        (Ok(Ok(found)), Some(_)) if !found.is_empty() => {
            let found: Vec<_> = found.iter().map(ToString::to_string).collect();
            Finding::ok("dns", format!("{address}: {asked} is {}", found.join(", ")))
        }
        (Ok(Ok(_)), Some(_)) => Finding::warning(
            "dns",
            format!("{address} knows no address of {asked}"),
            format!("ask why: dockline resolve {asked}"),
        ),
        (Ok(Err(error)), _) => Finding::failure("dns", format!("{address}: {error}"), RESTART),
        (Err(_), _) => Finding::failure("dns", format!("{address} does not answer"), RESTART),
    }
}

/// Whether the gateway is there, and nobody else in its place.
pub(super) async fn gateway(status: &Status) -> Finding {
    let said = said(&status.gateway, "/").await;
    judge("gateway", &status.gateway, said, "dockline's gateway")
}

/// Whether pages and scripts get an answer.
pub(super) async fn http(status: &Status) -> Finding {
    let said = said(&status.http, "/healthz").await;
    judge("http", &status.http, said, "200 OK")
}

fn judge(check: &'static str, address: &str, said: io::Result<String>, expected: &str) -> Finding {
    match said {
        Ok(said) if said.contains(expected) => Finding::ok(check, format!("{address} answers")),
        Ok(said) => {
            let first = said.lines().next().unwrap_or("nothing").to_owned();
            Finding::failure(
                check,
                format!("{address} says something else: {first}"),
                RESTART,
            )
        }
        Err(error) => Finding::failure(check, format!("{address}: {error}"), RESTART),
    }
}

/// What a web server there answers.
async fn said(address: &str, path: &str) -> io::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(LONGEST_ANSWER).read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    timeout(ANSWER, exchange)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Whether Docker's clients get to the engine by way of dockline.
pub(super) async fn api_proxy(status: &Status) -> Finding {
    let Some(socket) = &status.api_socket else {
        return Finding::skipped("api proxy", "not served");
    };
    let path = socket.strip_prefix("unix://").unwrap_or(socket);
    let behind = instance_behind(&Endpoint::Unix(PathBuf::from(path))).await;
    match behind {
        Some(instance) if instance == status.instance => {
            Finding::ok("api proxy", format!("{socket} leads to the engine"))
        }
        Some(other) => Finding::failure(
            "api proxy",
            format!("{socket} is instance {other}'s"),
            RESTART,
        ),
        None => Finding::failure(
            "api proxy",
            format!("{socket} does not answer a ping"),
            RESTART,
        ),
    }
}
