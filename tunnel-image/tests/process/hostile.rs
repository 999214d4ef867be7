//! Clients that are broken, slow, or very many: what they get, what it costs, and that nobody else notices.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{Tunnel, handshake};

const TUNNELS: usize = 5_000;
/// What one idle tunnel may cost in a build for tests, in KiB.
const EACH: usize = 8;
const BLOCKED: usize = 32;
/// What a direction may hold back, in KiB.
const HELD_BACK: usize = 256;
/// What the allocator and the runtime may take besides, in KiB.
const SLACK: usize = 4_096;
/// What both kernels' buffers of two loopback connections may hold: far more than they do.
const BUFFERS: usize = 32 << 20;
/// How often in a row a sender must be stuck, with work for the program in between, to count as blocked.
const STUCK: usize = 5;
/// Longer than the ten seconds that a client has for its handshake.
const PATIENCE: Duration = Duration::from_secs(30);

impl Tunnel {
    /// Resident memory in KiB.
    fn memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    fn files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id()))
            .unwrap()
            .count()
    }

    fn is_well(&self) {
        let (mut client, mut far) = self.open();
        passes(b"ping", &mut client, &mut far);
        passes(b"pong", &mut far, &mut client);
    }

    /// Waits until no more than so many files are open.
    fn is_back_to(&self, files: usize) {
        let start = Instant::now();
        while self.files() > files {
            assert!(
                start.elapsed() < PATIENCE,
                "{} files, and {files} before",
                self.files()
            );
            thread::yield_now();
        }
    }
}

fn passes(word: &[u8], from: &mut TcpStream, to: &mut TcpStream) {
    from.write_all(word).unwrap();
    let mut heard = vec![0; word.len()];
    to.read_exact(&mut heard).unwrap();
    assert_eq!(heard, word);
}

/// As many files as the system allows, for this process and those that it starts.
fn raise_file_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    limit
        .maximum
        .and_then(|files| files.try_into().ok())
        .unwrap_or(usize::MAX)
}

#[test]
fn thousands_of_tunnels_stay_open_and_leave_nothing() {
    // Half of the files are for other tests of this process.
    let count = TUNNELS.min(raise_file_limit() / 4);
    let tunnel = Tunnel::start();
    let (memory, files) = (tunnel.memory(), tunnel.files());
    let target = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut open: Vec<_> = (0..count).map(|_| tunnel.open_to(&target)).collect();
    let full = tunnel.memory();
    println!(
        "{count} tunnels: {memory} KiB, then {full} KiB and {} files",
        tunnel.files()
    );
    assert!(tunnel.files() >= 2 * count);
    assert!(full < memory + EACH * count + SLACK);
    for (number, (client, far)) in open.iter_mut().enumerate() {
        passes(&number.to_be_bytes(), client, far);
        passes(&number.to_le_bytes(), far, client);
    }
    tunnel.is_well();
    drop(open);
    tunnel.is_back_to(files);
    tunnel.is_well();
}

/// Bytes among which a lost or doubled piece shows.
fn noise() -> Vec<u8> {
    let mut state = 9_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..1 << 16).map(|_| next()).collect()
}

/// Sends until the other side takes no more; answers how much it took.
fn fill(mut stream: &TcpStream, tunnel: &Tunnel, noise: &[u8]) -> usize {
    stream.set_nonblocking(true).unwrap();
    let (mut taken, mut stuck) = (0, 0);
    while stuck < STUCK {
        match stream.write(&noise[taken % noise.len()..]) {
            Ok(written) => (taken, stuck) = (taken + written, 0),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                tunnel.is_well();
                stuck += 1;
            }
        }
        assert!(
            taken < BUFFERS,
            "nobody reads, and yet {taken} bytes were taken"
        );
    }
    stream.set_nonblocking(false).unwrap();
    taken
}

#[test]
fn a_sender_waits_for_a_reader_that_does_not_read() {
    raise_file_limit();
    let tunnel = Tunnel::start();
    tunnel.is_well();
    let (memory, files) = (tunnel.memory(), tunnel.files());
    let pairs: Vec<_> = (0..BLOCKED).map(|_| tunnel.open()).collect();
    let noise = noise();
    let sender = |stream| fill(stream, &tunnel, &noise);
    let sent: Vec<_> = pairs
        .iter()
        .map(|(client, far)| (sender(client), sender(far)))
        .collect();
    let full = tunnel.memory();
    println!("{BLOCKED} blocked both ways: {memory} KiB, then {full} KiB");
    assert!(full < memory + 2 * HELD_BACK * BLOCKED + SLACK);
    for ((mut client, mut far), (up, down)) in pairs.into_iter().zip(sent) {
        for (stream, length) in [(&mut far, up), (&mut client, down)] {
            let mut heard = vec![0; length];
            stream.read_exact(&mut heard).unwrap();
            let mut pieces = heard.chunks(noise.len());
            assert!(pieces.all(|piece| *piece == noise[..piece.len()]));
        }
    }
    tunnel.is_well();
    tunnel.is_back_to(files);
}

#[test]
fn broken_and_silent_clients_are_sent_away() {
    raise_file_limit();
    let tunnel = Tunnel::start();
    let files = tunnel.files();
    let target = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let whole = handshake(&target);
    let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, tunnel.port)).unwrap();
    let mut silent = Vec::new();
    for number in 0..300 {
        let mut client = connect();
        client.write_all(&whole[..number % whole.len()]).unwrap();
        silent.push(client);
    }
    tunnel.is_well();
    for length in 0..noise().len().ilog2() {
        let mut client = connect();
        let first = [5, b'G', 4][usize::try_from(length).unwrap() % 3];
        // It may end before all is said, and resets what it will not read.
        let _ = client.write_all(&[&[first], &noise()[..1 << length]].concat());
        let _ = client.shutdown(Shutdown::Write);
        let _ = client.read_to_end(&mut Vec::new());
    }
    tunnel.is_well();
    for mut client in silent {
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let ended = client.read_to_end(&mut Vec::new());
        let kept = ended.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        assert!(!kept, "silent clients are kept");
    }
    tunnel.is_back_to(files);
    tunnel.is_well();
}

#[test]
fn a_handshake_may_come_a_byte_at_a_time() {
    let tunnel = Tunnel::start();
    let target = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, tunnel.port)).unwrap();
    client.set_nodelay(true).unwrap();
    for byte in [&handshake(&target)[..], b"early"].concat() {
        client.write_all(&[byte]).unwrap();
    }
    let (mut far, _) = target.accept().unwrap();
    let mut early = [0; 5];
    far.read_exact(&mut early).unwrap();
    assert_eq!(&early, b"early");
}
