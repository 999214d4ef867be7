//! The client's side: a connection to a target, direct, by SOCKS5 as everybody speaks it, or all in one flight.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Nothing on one machine takes this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A way to a target.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// No proxy, or one that needs no words.
    Direct(SocketAddr),
    /// One message at a time, as standard clients do.
    Socks(Proxy),
    /// Greeting, password and request at once, as dockline's gateway does with its tunnel.
    OneFlight(Proxy),
}

/// A SOCKS5 server, and what to ask it for.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    pub(crate) server: SocketAddr,
    pub(crate) password: Option<String>,
    pub(crate) target: SocketAddr,
}

impl Way {
    /// Opens a connection.
    pub(crate) fn open(&self) -> io::Result<TcpStream> {
        match self {
            Self::Direct(target) => connect(*target),
            Self::Socks(proxy) => proxy.open(false),
            Self::OneFlight(proxy) => proxy.open(true),
        }
    }
}

impl Proxy {
    fn open(&self, at_once: bool) -> io::Result<TcpStream> {
        let mut stream = connect(self.server)?;
        let method = if self.password.is_some() { 2 } else { 0 };
        let mut messages = vec![vec![5, 1, method]];
        messages.extend(self.password.as_deref().map(login));
        messages.push(request(self.target));
        if at_once {
            stream.write_all(&messages.concat())?;
        }
        for (index, message) in messages.iter().enumerate() {
            if !at_once {
                stream.write_all(message)?;
            }
            let mut reply = [0; 2];
            stream.read_exact(&mut reply)?;
            let expected = if index == 0 { method } else { 0 };
            if reply[1] != expected {
                return Err(io::Error::other(format!("refused: {reply:?}")));
            }
        }
        let mut rest = [0; 2];
        stream.read_exact(&mut rest)?;
        let length = if rest[1] == 1 { 6 } else { 18 };
        let mut bound = [0; 18];
        stream.read_exact(&mut bound[..length])?;
        Ok(stream)
    }
}

fn login(password: &str) -> Vec<u8> {
    let mut message = vec![1, 1, b'u', u8::try_from(password.len()).unwrap_or(u8::MAX)];
    message.extend(password.as_bytes());
    message
}

fn request(target: SocketAddr) -> Vec<u8> {
    let mut message = vec![5, 1, 0];
    match target {
        SocketAddr::V4(v4) => {
            message.push(1);
            message.extend(v4.ip().octets());
        }
        SocketAddr::V6(v6) => {
            message.push(4);
            message.extend(v6.ip().octets());
        }
    }
    message.extend(target.port().to_be_bytes());
    message
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}
