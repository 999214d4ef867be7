//! Load on a DNS server: many questions outstanding, or one at a time.
//!
//! Many datagrams go in one system call here, so that the server, with its one or two calls for each, is the slower side.

use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd as _, RawFd};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg};

use super::wire;
use crate::measure::{cpu_seconds, float, median, micros};

/// Datagrams a system call.
const BATCH: usize = 64;
/// Questions outstanding.
const WINDOW: usize = 128;

/// What a server did under load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Throughput {
    pub(crate) per_second: f64,
    pub(crate) cpu_micros: f64,
    pub(crate) lost: u64,
}

/// Keeps [`WINDOW`] questions outstanding for a while.
pub(crate) fn throughput(
    server: SocketAddr,
    pid: u32,
    names: &[String],
    time: Duration,
) -> Result<Throughput> {
    let queries: Vec<Vec<u8>> = names.iter().map(|name| wire::query(0, name)).collect();
    let socket = connect(server)?;
    let fd = socket.as_raw_fd();
    let mut headers = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    let mut replies = vec![[0_u8; 512]; BATCH];
    let (mut asked, mut outstanding, mut answered, mut bad, mut lost) = (0, 0, 0_u64, 0_u64, 0);
    let (cpu, start) = (cpu_seconds(pid)?, Instant::now());
    while start.elapsed() < time {
        while outstanding < WINDOW {
            let count = (WINDOW - outstanding).min(BATCH);
            let batch: Vec<_> = (asked..asked + count)
                .map(|i| [IoSlice::new(&queries[i % queries.len()])])
                .collect();
            let nowhere = vec![None; count];
            let flags = MsgFlags::empty();
            let sent = sendmmsg(fd, &mut headers, &batch, &nowhere, [], flags)?.count();
            asked += sent;
            outstanding += sent;
        }
        let Some(count) = receive(fd, &mut headers, &mut replies) else {
            lost += u64::try_from(outstanding)?;
            outstanding = 0;
            continue;
        };
        for reply in &replies[..count] {
            if wire::has_answer(reply) {
                answered += 1;
            } else {
                bad += 1;
            }
        }
        outstanding = outstanding.saturating_sub(count);
    }
    let elapsed = start.elapsed().as_secs_f64();
    let used = cpu_seconds(pid)? - cpu;
    ensure!(bad == 0, "{bad} questions got no address from {server}");
    ensure!(answered > 0, "{server} answers nothing");
    Ok(Throughput {
        per_second: float(answered) / elapsed,
        cpu_micros: used * 1e6 / float(answered),
        lost,
    })
}

/// Takes what is there, at least one datagram; nothing if none comes.
fn receive(
    fd: RawFd,
    headers: &mut MultiHeaders<SockaddrIn>,
    replies: &mut [[u8; 512]],
) -> Option<usize> {
    let mut slices: Vec<_> = replies
        .iter_mut()
        .map(|reply| [IoSliceMut::new(reply)])
        .collect();
    let flags = MsgFlags::MSG_WAITFORONE;
    let received = recvmmsg(fd, headers, slices.iter_mut(), flags, None);
    received.ok().map(Iterator::count)
}

/// Asks one question after the other; the median round trip in microseconds.
pub(crate) fn serial(server: SocketAddr, names: &[String], time: Duration) -> Result<f64> {
    let queries: Vec<Vec<u8>> = names.iter().map(|name| wire::query(0, name)).collect();
    let socket = connect(server)?;
    let mut reply = [0; 1500];
    let mut times = Vec::new();
    let start = Instant::now();
    for query in queries.iter().cycle() {
        if start.elapsed() > time {
            break;
        }
        let asked = Instant::now();
        socket.send(query)?;
        if socket.recv(&mut reply).is_ok() {
            times.push(micros(asked.elapsed()));
        }
    }
    ensure!(!times.is_empty(), "{server} answers nothing");
    Ok(median(&times))
}

fn connect(server: SocketAddr) -> Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0").context("bind a socket for load")?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(Duration::from_millis(300)))?;
    Ok(socket)
}
