//! What connections are made to. A connection's first byte picks its role: `E` echo, `D` discard, `S` source of zeros until
//! it is closed. Echoes, of which there may be thousands, share one thread.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::thread;

use anyhow::{Context as _, Result};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::net::{AddressFamily, SocketType, bind, listen, socket};

const BACKLOG: i32 = 8_192;
const LISTENER: u64 = u64::MAX;

/// One echo connection, and whether it has told its role.
struct Echo {
    stream: TcpStream,
    told: bool,
}

/// Serves until the process is ended.
pub(crate) fn serve(address: SocketAddr) -> Result<()> {
    let listener = listener(address).with_context(|| format!("listen on {address}"))?;
    listener.set_nonblocking(true)?;
    let queue = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let readable = epoll::EventFlags::IN;
    epoll::add(
        &queue,
        &listener,
        epoll::EventData::new_u64(LISTENER),
        readable,
    )?;
    let mut echoes: BTreeMap<u64, Echo> = BTreeMap::new();
    let mut events = Vec::with_capacity(256);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        events.clear();
        epoll::wait(&queue, spare_capacity(&mut events), None)?;
        for event in &events {
            let key = event.data.u64();
            if key == LISTENER {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    let key = u64::try_from(stream.as_raw_fd())?;
                    epoll::add(&queue, &stream, epoll::EventData::new_u64(key), readable)?;
                    let told = false;
                    echoes.insert(key, Echo { stream, told });
                }
                continue;
            }
            let Some(echo) = echoes.get_mut(&key) else {
                continue;
            };
            match echo.step(&mut buffer) {
                Step::Stay => {}
                Step::End => drop(echoes.remove(&key)),
                Step::Become(role) => {
                    if let Some(Echo { stream, .. }) = echoes.remove(&key) {
                        epoll::delete(&queue, &stream)?;
                        stream.set_nonblocking(false)?;
                        thread::spawn(move || drop(role(stream)));
                    }
                }
            }
        }
    }
}

enum Step {
    Stay,
    End,
    Become(fn(TcpStream) -> io::Result<()>),
}

impl Echo {
    fn step(&mut self, buffer: &mut [u8]) -> Step {
        let wanted = if self.told { buffer.len() } else { 1 };
        let length = match self.stream.read(&mut buffer[..wanted]) {
            Ok(0) => return Step::End,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Step::Stay,
            Err(_) => return Step::End,
        };
        if !self.told {
            match buffer[0] {
                b'S' => return Step::Become(source),
                b'D' => return Step::Become(discard),
                _ => self.told = true,
            }
        }
        // What is echoed always fits the socket's buffer: its peer waits for it.
        match self.stream.write_all(&buffer[..length]) {
            Ok(()) => Step::Stay,
            Err(_) => Step::End,
        }
    }
}

fn source(mut stream: TcpStream) -> io::Result<()> {
    let zeros = vec![0; 256 * 1024];
    loop {
        stream.write_all(&zeros)?;
    }
}

fn discard(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    while stream.read(&mut buffer)? > 0 {}
    Ok(())
}

/// With a longer queue than the standard library's.
fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = socket(family, SocketType::STREAM, None)?;
    rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}
