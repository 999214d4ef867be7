//! A web server that keeps connections: `GET /N` answers N bytes.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use anyhow::{Context as _, Result};

/// Serves until the process is ended.
pub(crate) fn serve(address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address).with_context(|| format!("listen on {address}"))?;
    for stream in listener.incoming().flatten() {
        thread::spawn(move || drop(answer(stream)));
    }
    Ok(())
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let body = vec![b'x'; 256 * 1024];
    let mut request = vec![0; 16 * 1024];
    let mut filled = 0;
    loop {
        let read = stream.read(&mut request[filled..])?;
        filled += read;
        if read == 0 {
            return Ok(());
        }
        if !request[..filled].ends_with(b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8_lossy(&request[..filled]);
        let path = text.split(' ').nth(1).unwrap_or("/");
        let mut left: usize = path.trim_start_matches('/').parse().unwrap_or(0);
        let mut first = format!("HTTP/1.1 200 OK\r\nContent-Length: {left}\r\n\r\n").into_bytes();
        filled = 0;
        let part = left.min(body.len());
        first.extend_from_slice(&body[..part]);
        left -= part;
        stream.write_all(&first)?;
        while left > 0 {
            let part = left.min(body.len());
            stream.write_all(&body[..part])?;
            left -= part;
        }
    }
}
