//! Just enough of DNS's wire format to ask for an address and to see one in the answer.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

const TYPE_A_CLASS_IN: [u8; 4] = [0, 1, 0, 1];
const HEADER: usize = 12;
/// Compressed name, type A, class IN, TTL 0, four bytes.
const ANSWER: [u8; 12] = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4];

/// A question for an IPv4 address.
pub(crate) fn query(id: u16, name: &str) -> Vec<u8> {
    let mut query = id.to_be_bytes().to_vec();
    query.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        query.push(u8::try_from(label.len()).unwrap_or(63));
        query.extend(label.as_bytes());
    }
    query.push(0);
    query.extend(TYPE_A_CLASS_IN);
    query
}

/// Whether a message is an answer with at least one record, and without an error (the fourth byte's lower half).
pub(crate) fn has_answer(message: &[u8]) -> bool {
    message.len() > HEADER && message[3].trailing_zeros() >= 4 && message[7] >= 1
}

/// Turns a question in `buffer` into its answer; returns the answer's length.
pub(crate) fn answer(buffer: &mut [u8], length: usize, address: Option<Ipv4Addr>) -> usize {
    let mut end = HEADER;
    while end < length && buffer[end] != 0 {
        end += usize::from(buffer[end]) + 1;
    }
    // What follows the question (EDNS) is dropped.
    end = (end + 5).min(length);
    buffer[2] = 0x85;
    buffer[3] = 0x80;
    buffer[11] = 0;
    let Some(address) = address else {
        buffer[3] |= 3;
        return end;
    };
    buffer[7] = 1;
    buffer[end..end + 12].copy_from_slice(&ANSWER);
    buffer[end + 12..end + 16].copy_from_slice(&address.octets());
    end + 16
}

/// The name in a question, as it is spelt.
pub(crate) fn name(message: &[u8]) -> String {
    let mut name = String::new();
    let mut at = HEADER;
    while let Some(length) = message.get(at).filter(|length| **length > 0) {
        let next = at + 1 + usize::from(*length);
        let label = message.get(at + 1..next).unwrap_or_default();
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(&String::from_utf8_lossy(label));
        at = next;
    }
    name
}

/// Asks one question at a time.
#[derive(Debug)]
pub(crate) struct Asker {
    socket: UdpSocket,
    id: u16,
}

impl Asker {
    /// An asker of one server.
    pub(crate) fn new(server: SocketAddr) -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        Ok(Self { socket, id: 0 })
    }

    /// Whether the name has an address now; an error if nobody answers.
    pub(crate) fn knows(&mut self, name: &str) -> io::Result<bool> {
        self.id = self.id.wrapping_add(1);
        self.socket.send(&query(self.id, name))?;
        let mut reply = [0; 1500];
        loop {
            let length = self.socket.recv(&mut reply)?;
            if reply[..2] == self.id.to_be_bytes() {
                return Ok(has_answer(&reply[..length]));
            }
        }
    }

    /// Asks every `gap` until the name is there, or gone; answers when that was.
    pub(crate) fn until(&mut self, name: &str, there: bool, gap: Duration) -> Result<Instant> {
        let deadline = Instant::now() + Duration::from_secs(15);
        while Instant::now() < deadline {
            if self.knows(name).is_ok_and(|known| known == there) {
                return Ok(Instant::now());
            }
            sleep(gap);
        }
        let state = if there { "resolves" } else { "goes" };
        bail!("{name} never {state}")
    }
}
