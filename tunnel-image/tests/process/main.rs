//! The program as the container runs it: environment in, one line out, signals.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod hostile;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const SECRET: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

const READY: &str = concat!("dockline-tunnel: ", env!("CARGO_PKG_VERSION"), " ready\n");

fn program(secret: &str, port: u16) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dockline-tunnel"));
    command
        .env_clear()
        .env("DOCKLINE_SECRET", secret)
        .env("DOCKLINE_HOME", "127.0.0.1")
        .env("DOCKLINE_NAME", "dockline-tunnel-test")
        .env("DOCKLINE_ENTRY_PORT", free_port().to_string())
        .env("DOCKLINE_SOCKS_PORT", port.to_string())
        .stderr(Stdio::piped());
    command
}

/// A running program, killed at the end of a test that failed.
struct Tunnel {
    child: Child,
    port: u16,
}

impl Tunnel {
    fn start() -> Self {
        loop {
            let port = free_port();
            let mut child = program(SECRET, port).spawn().unwrap();
            let mut line = String::new();
            let stderr = child.stderr.take().unwrap();
            BufReader::new(stderr).read_line(&mut line).unwrap();
            let tunnel = Self { child, port };
            if line == READY {
                return tunnel;
            }
            // Another test may have been given the same port in between.
            assert!(line.contains("Address already in use"), "{line}");
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn end(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// A tunnel through the program, and its far end.
    fn open(&self) -> (TcpStream, TcpStream) {
        let target = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        self.open_to(&target)
    }

    /// A tunnel to somebody who listens.
    fn open_to(&self, target: &TcpListener) -> (TcpStream, TcpStream) {
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        client.write_all(&handshake(target)).unwrap();
        let mut answers = [0; 2 + 2 + 10];
        client.read_exact(&mut answers).unwrap();
        assert_eq!(answers[..6], [5, 2, 1, 0, 5, 0]);
        (client, target.accept().unwrap().0)
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// All that a client says before its tunnel is there.
fn handshake(target: &TcpListener) -> Vec<u8> {
    let [high, low] = target.local_addr().unwrap().port().to_be_bytes();
    let password = [&[1, 1, b'u', 64], SECRET.as_bytes()].concat();
    let request = [5, 1, 0, 1, 127, 0, 0, 1, high, low];
    [&[5, 1, 2], &password[..], &request].concat()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn stops_at_either_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let tunnel = Tunnel::start();
        tunnel.signal(signal);
        assert!(tunnel.end().success());
    }
}

#[test]
fn open_tunnels_may_finish_but_no_new_ones_start() {
    let tunnel = Tunnel::start();
    let (mut client, mut target) = tunnel.open();
    tunnel.signal(Signal::TERM);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, tunnel.port)).is_ok() {}
    client.write_all(b"last words").unwrap();
    drop(client);
    let mut received = String::new();
    target.read_to_string(&mut received).unwrap();
    assert_eq!(received, "last words");
    drop(target);
    assert!(tunnel.end().success());
}

#[test]
fn open_tunnels_cannot_hold_it_up() {
    let tunnel = Tunnel::start();
    let (mut client, _target) = tunnel.open();
    let start = Instant::now();
    tunnel.signal(Signal::TERM);
    assert!(client.read(&mut [0]).is_err());
    assert!(tunnel.end().success());
    assert!(
        start.elapsed().as_secs() < 8,
        "Docker would have killed it soon"
    );
}

#[test]
fn one_that_retires_takes_nobody_and_waits_for_those_it_has() {
    let tunnel = Tunnel::start();
    let (mut client, mut target) = tunnel.open();
    let start = Instant::now();
    tunnel.signal(Signal::USR1);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, tunnel.port)).is_ok() {}
    // Longer than one that stops would wait.
    let silence = Duration::from_secs(4);
    client.set_read_timeout(Some(silence)).unwrap();
    let waited = client.read(&mut [0]).unwrap_err();
    assert_eq!(waited.kind(), std::io::ErrorKind::WouldBlock, "{waited}");
    assert!(start.elapsed() >= silence);
    client.write_all(b"last words").unwrap();
    drop(client);
    let mut received = String::new();
    target.read_to_string(&mut received).unwrap();
    assert_eq!(received, "last words");
    drop(target);
    assert!(tunnel.end().success());
}

#[test]
fn one_that_retires_can_be_stopped() {
    let tunnel = Tunnel::start();
    let (mut client, _target) = tunnel.open();
    tunnel.signal(Signal::USR1);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, tunnel.port)).is_ok() {}
    tunnel.signal(Signal::TERM);
    assert!(client.read(&mut [0]).is_err());
    assert!(tunnel.end().success());
}

#[test]
fn a_second_signal_stops_at_once() {
    let tunnel = Tunnel::start();
    let (mut client, _target) = tunnel.open();
    let start = Instant::now();
    tunnel.signal(Signal::TERM);
    // Two signals of one kind could be delivered as one.
    while TcpStream::connect((Ipv4Addr::LOCALHOST, tunnel.port)).is_ok() {}
    tunnel.signal(Signal::INT);
    assert!(client.read(&mut [0]).is_err());
    assert!(tunnel.end().success());
    assert!(start.elapsed().as_secs() < 3);
}

#[test]
fn what_it_cannot_use_is_told_in_one_line() {
    let output = program("short", 1).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        told,
        "dockline-tunnel: failed to read DOCKLINE_SECRET: must be 64 hexadecimal digits\n"
    );

    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = program(SECRET, port).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.starts_with("dockline-tunnel: failed to listen on 127.0.0.1:"),
        "{told}"
    );
    assert_eq!(told.lines().count(), 1, "{told}");
}
