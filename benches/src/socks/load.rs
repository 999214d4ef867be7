//! Load on a way to a target: many connections, one stream, round trips, requests, idle connections.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::open::Way;
use crate::measure::{cpu_seconds, float, len, median, micros};

const STREAM_BUFFER: usize = 256 * 1024;
/// Before a stream is measured: slow start, and buffers that grow.
const WARM_UP: Duration = Duration::from_millis(400);

/// Connections a second, each with one byte there and back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) per_second: f64,
    /// CPU of all `pids` a connection.
    pub(crate) cpu_micros: f64,
}

/// Opens `total` connections, `at_once` at a time.
pub(crate) fn rate(way: &Way, pids: &[u32], at_once: usize, total: usize) -> Result<Rate> {
    let begun = AtomicUsize::new(0);
    let failed = AtomicUsize::new(0);
    let (cpu, start) = (all_cpu(pids)?, Instant::now());
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while begun.fetch_add(1, Ordering::Relaxed) < total {
                    if echo_once(way).is_err() {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let elapsed = start.elapsed().as_secs_f64();
    let failed = failed.into_inner();
    ensure!(
        failed * 100 < total,
        "{failed} of {total} connections failed"
    );
    Ok(Rate {
        per_second: len(total) / elapsed,
        cpu_micros: (all_cpu(pids)? - cpu) * 1e6 / len(total),
    })
}

/// One stream's speed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speed {
    pub(crate) megabytes: f64,
    pub(crate) cpu_per_gigabyte: f64,
}

/// Lets one stream flow for a while: down from the sink, or up to it.
pub(crate) fn stream(way: &Way, pids: &[u32], up: bool, time: Duration) -> Result<Speed> {
    let mut stream = way.open().context("open a stream")?;
    stream.write_all(if up { b"D" } else { b"S" })?;
    let mut buffer = vec![0; STREAM_BUFFER];
    let mut move_some = || {
        if up {
            stream.write(&buffer)
        } else {
            stream.read(&mut buffer)
        }
    };
    let begun = Instant::now();
    while begun.elapsed() < WARM_UP {
        move_some()?;
    }
    let (cpu, start) = (all_cpu(pids)?, Instant::now());
    let mut bytes = 0;
    while start.elapsed() < time {
        bytes += move_some()?;
    }
    let elapsed = start.elapsed().as_secs_f64();
    let megabytes = len(bytes) / 1e6;
    Ok(Speed {
        megabytes: megabytes / elapsed,
        cpu_per_gigabyte: (all_cpu(pids)? - cpu) * 1e3 / megabytes,
    })
}

/// The median round trip of 64 bytes, in microseconds.
pub(crate) fn round_trip(way: &Way, count: usize) -> Result<f64> {
    let mut stream = way.open().context("open a connection")?;
    let mut message = [b'E'; 64];
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        stream.write_all(&message)?;
        stream.read_exact(&mut message)?;
        times.push(micros(start.elapsed()));
    }
    Ok(median(&times))
}

/// Keep-alive requests a second for `size` bytes, on one connection, for a while or 20,000 of them.
pub(crate) fn requests(way: &Way, size: usize, time: Duration) -> Result<f64> {
    let mut stream = way.open().context("open a connection")?;
    let request = format!("GET /{size} HTTP/1.1\r\nHost: bench\r\n\r\n");
    let mut buffer = vec![0; STREAM_BUFFER];
    let (mut done, start) = (0_u64, Instant::now());
    while start.elapsed() < time && done < 20_000 {
        stream.write_all(request.as_bytes())?;
        take_response(&mut stream, &mut buffer, size)?;
        done += 1;
    }
    Ok(float(done) / start.elapsed().as_secs_f64())
}

fn take_response(stream: &mut TcpStream, buffer: &mut [u8], size: usize) -> io::Result<()> {
    let mut read = 0;
    let mut total = usize::MAX;
    while read < total {
        // The head is in the first piece that holds its end; of the rest only the length counts.
        let from = if total == usize::MAX { read } else { 0 };
        let length = stream.read(&mut buffer[from..])?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read += length;
        if total == usize::MAX {
            let head = buffer[..read].windows(4).position(|w| w == b"\r\n\r\n");
            total = head.map_or(total, |at| at + 4 + size);
        }
    }
    Ok(())
}

/// Opens `count` connections that then do nothing.
pub(crate) fn idle(way: &Way, count: usize) -> Result<Vec<TcpStream>> {
    let mut open = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = way.open().context("open an idle connection")?;
        echo(&mut stream).context("use an idle connection")?;
        open.push(stream);
    }
    sleep(Duration::from_secs(1));
    Ok(open)
}

/// One byte there and back.
pub(crate) fn echo(stream: &mut TcpStream) -> io::Result<()> {
    let mut byte = *b"E";
    stream.write_all(&byte)?;
    stream.read_exact(&mut byte)
}

fn echo_once(way: &Way) -> io::Result<()> {
    echo(&mut way.open()?)
}

fn all_cpu(pids: &[u32]) -> Result<f64> {
    pids.iter().map(|pid| cpu_seconds(*pid)).sum()
}
