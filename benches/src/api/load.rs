//! Load on the API of an engine.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::engine::http::{Http, once};
use crate::measure::{float, median, micros};

/// Megabytes that an exec writes.
const STREAM: u32 = 500;

/// The median time of a ping, one after the other on a kept connection, in microseconds.
pub(crate) fn ping(socket: &Path, count: usize) -> Result<f64> {
    let mut http = Http::connect(socket)?;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        let (status, _) = http.ask("GET", "/_ping", None)?;
        times.push(micros(began.elapsed()));
        ensure!(status == 200, "a ping was answered with {status}");
    }
    Ok(median(&times))
}

/// Pings a second of so many clients at once.
pub(crate) fn pings(socket: &Path, clients: usize, time: Duration) -> Result<f64> {
    let client = || {
        let mut http = Http::connect(socket)?;
        let began = Instant::now();
        let mut count = 0;
        while began.elapsed() < time {
            http.ask("GET", "/_ping", None)?;
            count += 1;
        }
        anyhow::Ok(float(count) / began.elapsed().as_secs_f64())
    };
    let rates: Result<Vec<f64>> = thread::scope(|scope| {
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        let ended = clients.into_iter().map(|client| match client.join() {
            Ok(rate) => rate,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        ended.collect()
    });
    Ok(rates?.iter().sum())
}

/// Megabytes a second that an exec's output comes with.
pub(crate) fn exec(socket: &Path, container: &str) -> Result<f64> {
    let blocks = format!("count={}", STREAM * 16);
    let command = ["dd", "if=/dev/zero", "bs=64k", &blocks];
    let body = json!({ "Cmd": command, "AttachStdout": true });
    let path = format!("/containers/{container}/exec");
    let (_, made) = once(socket, "POST", &path, Some(&body))?;
    let id = made["Id"].as_str().context("an exec without an id")?;
    let mut stream = UnixStream::connect(socket)?;
    let body = json!({ "Detach": false, "Tty": false }).to_string();
    let request = format!(
        "POST /exec/{id}/start HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let began = Instant::now();
    let mut buffer = vec![0; 256 * 1024];
    let mut total = 0_u64;
    loop {
        match reader.read(&mut buffer)? {
            0 => break,
            read => total += u64::try_from(read)?,
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    ensure!(
        total >= u64::from(STREAM) << 20,
        "an exec said {total} bytes"
    );
    Ok(float(total) / 1e6 / seconds)
}

/// Megabytes a second into an engine.
pub(crate) fn upload(socket: &Path, bytes: u64) -> Result<f64> {
    let mut stream = UnixStream::connect(socket)?;
    let began = Instant::now();
    let head =
        format!("POST /images/load HTTP/1.1\r\nHost: docker\r\nContent-Length: {bytes}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let block = vec![0; 256 * 1024];
    let mut left = bytes;
    while left > 0 {
        let part = usize::try_from(left)?.min(block.len());
        stream.write_all(&block[..part])?;
        left -= u64::try_from(part)?;
    }
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    ensure!(answer.ends_with(b"200"), "an upload was not taken");
    Ok(float(bytes) / 1e6 / began.elapsed().as_secs_f64())
}
