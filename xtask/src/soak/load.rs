//! Requests through the gateway and DNS queries, all the while.
//!
//! What is asked of the container that stays must be right every time; what is asked of those that come and go must be
//! answered, whatever the answer.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use super::chance::Chance;
use super::churn::{CONTAINERS, NETWORKS};
use super::tally::Tally;
use super::{STEADY, STEADY_PAGE};

/// Between questions: load, but not so much that nothing else moves.
const PAUSE: Duration = Duration::from_millis(10);
/// The gateway waits ten seconds for the tunnel to join a network, then fifteen for a connection.
const REQUEST_LIMIT: Duration = Duration::from_secs(40);
const QUERY_LIMIT: Duration = Duration::from_secs(5);
/// Of a name that does not exist.
const NXDOMAIN: u8 = 3;
const A: u16 = 1;
const AAAA: u16 = 28;

/// Fetches the page of the container that stays.
pub(super) fn fetch_steady(gateway: SocketAddr, tally: &Tally) {
    while !tally.is_stopped() {
        match fetch(gateway, STEADY) {
            Ok(answer) if answer.contains(STEADY_PAGE) => tally.requests.add(),
            Ok(answer) => tally.fail(format!("http://{STEADY}/ answered {answer:?}")),
            Err(error) => tally.fail(format!("http://{STEADY}/ was not answered: {error}")),
        }
        thread::sleep(PAUSE);
    }
}

/// Fetches pages of containers that come and go.
pub(super) fn fetch_passing(gateway: SocketAddr, mut chance: Chance, tally: &Tally) {
    while !tally.is_stopped() {
        let host = passing(&mut chance);
        match fetch(gateway, &host) {
            Ok(answer) if answer.starts_with("HTTP/1.") => tally.requests.add(),
            // The container died in the midst of its answer.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => tally.requests.add(),
            // It was taken off the network, and nobody tells a connection that its other end has gone.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => tally.unanswered.add(),
            Ok(answer) => tally.fail(format!("http://{host}/ answered {answer:?}")),
            Err(error) => tally.fail(format!("http://{host}/ was not answered: {error}")),
        }
        thread::sleep(PAUSE);
    }
}

/// A name that a container may have at the moment.
fn passing(chance: &mut Chance) -> String {
    let container = format!("soak-c{}", chance.below(CONTAINERS));
    match chance.below(4) {
        0 => format!("alias-of-{container}"),
        1 => format!("{container}.soak-n{}", chance.below(NETWORKS)),
        _ => container,
    }
}

/// What the gateway answers to a request for the first page of `host`.
pub(super) fn fetch(gateway: SocketAddr, host: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(gateway)?;
    stream.set_read_timeout(Some(REQUEST_LIMIT))?;
    stream.set_write_timeout(Some(REQUEST_LIMIT))?;
    let request =
        format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Asks for addresses: of the container that stays, and of those that come and go.
pub(super) fn query(dns: SocketAddr, mut chance: Chance, tally: &Tally) {
    let socket = match connected(dns) {
        Ok(socket) => socket,
        Err(error) => return tally.fail(format!("no socket for DNS: {error}")),
    };
    let mut id = 0;
    while !tally.is_stopped() {
        id = u16::wrapping_add(id, 1);
        let steady = chance.percent(50);
        let (name, kind) = if steady {
            (STEADY.to_owned(), A)
        } else {
            (passing(&mut chance), chance.one_of(&[A, AAAA]))
        };
        match ask(&socket, id, &name, kind) {
            Ok((0, 1..)) => tally.queries.add(),
            Ok((0 | NXDOMAIN, _)) if !steady => tally.queries.add(),
            Ok((code, answers)) => {
                tally.fail(format!(
                    "{name}: DNS answered {code} with {answers} records"
                ));
            }
            Err(error) => tally.fail(format!("{name}: DNS did not answer: {error}")),
        }
        thread::sleep(PAUSE);
    }
}

fn connected(dns: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(dns)?;
    socket.set_read_timeout(Some(QUERY_LIMIT))?;
    Ok(socket)
}

/// Asks one question; answers the response code and how many records came.
fn ask(socket: &UdpSocket, id: u16, name: &str, kind: u16) -> io::Result<(u8, u16)> {
    // Recursion desired; one question.
    let mut question = [id.to_be_bytes(), [1, 0], [0, 1], [0; 2], [0; 2], [0; 2]].concat();
    for label in name.split('.') {
        question.push(u8::try_from(label.len()).map_err(io::Error::other)?);
        question.extend(label.as_bytes());
    }
    question.push(0);
    question.extend(kind.to_be_bytes());
    question.extend([0, 1]);
    socket.send(&question)?;
    let mut answer = [0; 4096];
    loop {
        let length = socket.recv(&mut answer)?;
        // An answer to an earlier question, which was given up, may still come.
        if length >= 12 && answer[..2] == id.to_be_bytes() {
            return Ok((answer[3] & 15, u16::from_be_bytes([answer[6], answer[7]])));
        }
    }
}
