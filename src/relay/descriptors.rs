//! Between two sockets of the system's, on Linux: a direction that carries much has the kernel move its pages from one socket to
//! the other by way of a pipe (`splice(2)`), and nobody is woken for a socket that is not waited for. A runtime's own sockets
//! wake it with each piece that a sender adds, even while the receiver is full.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::{Pin, pin};

use bytes::Bytes;
use rustix::io::{Errno, read, retry_on_intr, write};
use rustix::net::{Shutdown, shutdown};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::carry::{LAST_WORDS, LEAST, MOST, TURN, with_scratch};

/// Does what [`super::carry()`] does, between sockets that do not block and that no runtime knows.
pub(crate) async fn carry(
    client: OwnedFd,
    target: OwnedFd,
    up: Bytes,
    down: Bytes,
) -> io::Result<()> {
    // Each descriptor is waited for in one way only: to be read, or to be written.
    let (from_client, from_target) = (client.try_clone()?, target.try_clone()?);
    let mut up = pin!(Direction::new(&from_client, &target).carry(up));
    let mut down = pin!(Direction::new(&from_target, &client).carry(down));
    let other: Pin<&mut (dyn Future<Output = io::Result<()>> + Send)>;
    let from;
    let ended = tokio::select! {
        ended = &mut up => {
            (other, from) = (down, &from_client);
            ended
        }
        ended = &mut down => {
            (other, from) = (up, &from_target);
            ended
        }
    };
    let Err(dead) = ended else {
        return other.await;
    };
    let last_words = async {
        tokio::select! {
            _ = other => {}
            // Whoever waits for its own words to be taken might take no others.
            () = discard(from) => {}
        }
    };
    let _ = timeout(LAST_WORDS, last_words).await;
    Err(dead)
}

/// One direction of a relay.
struct Direction<'a> {
    from: &'a OwnedFd,
    to: &'a OwnedFd,
    /// Where the runtime knows the sender: while that is waited for, and until the receiver is.
    sender: Option<AsyncFd<BorrowedFd<'a>>>,
    /// How much is read next, where bytes go through memory.
    reach: usize,
    /// Where they do not. It is empty between two moves.
    pipe: Option<Pipe>,
}

struct Pipe {
    into: OwnedFd,
    out: OwnedFd,
}

impl<'a> Direction<'a> {
    fn new(from: &'a OwnedFd, to: &'a OwnedFd) -> Self {
        Self {
            from,
            to,
            sender: None,
            reach: LEAST,
            pipe: None,
        }
    }

    /// To the end, which the receiver is told.
    async fn carry(mut self, early: Bytes) -> io::Result<()> {
        self.write(&early).await?;
        loop {
            for _ in 0..TURN {
                let moved = match self.pipe.take() {
                    Some(pipe) => self.splice(pipe).await?,
                    None => self.copy().await?,
                };
                if moved == 0 {
                    return Ok(shutdown(self.to, Shutdown::Write)?);
                }
            }
            yield_now().await;
        }
    }

    /// Reads once, when there is something, and writes all of it.
    async fn copy(&mut self) -> io::Result<usize> {
        let (bytes, rest) = loop {
            match self.copy_now() {
                Err(Errno::AGAIN) => self.readable().await?,
                copied => break copied?,
            }
        };
        self.write(&rest).await?;
        if bytes == LEAST && self.reach == LEAST {
            self.pipe = Pipe::open();
            // Without one it is large pieces.
            self.reach = MOST;
        }
        Ok(bytes)
    }

    /// How much was read, and what of it the receiver did not take.
    fn copy_now(&self) -> Result<(usize, Bytes), Errno> {
        with_scratch(|scratch| {
            let bytes = retry_on_intr(|| read(self.from, &mut scratch[..self.reach]))?;
            let read = &scratch[..bytes];
            let written = match retry_on_intr(|| write(self.to, read)) {
                Err(Errno::AGAIN) => 0,
                written => written?,
            };
            Ok((bytes, Bytes::copy_from_slice(&read[written..])))
        })
    }

    async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match retry_on_intr(|| write(self.to, bytes)) {
                Err(Errno::AGAIN) => self.writable().await?,
                written => bytes = &bytes[written?..],
            }
        }
        Ok(())
    }

    /// The same by the pipe.
    async fn splice(&mut self, pipe: Pipe) -> io::Result<usize> {
        let bytes = loop {
            match move_pages(self.from, &pipe.into, MOST) {
                Err(Errno::AGAIN) => self.readable().await?,
                moved => break moved?,
            }
        };
        let mut rest = bytes;
        while rest > 0 {
            match move_pages(&pipe.out, self.to, rest) {
                Err(Errno::AGAIN) => self.writable().await?,
                moved => rest -= moved?,
            }
        }
        self.pipe = Some(pipe);
        Ok(bytes)
    }

    async fn readable(&mut self) -> io::Result<()> {
        let sender = match self.sender.take() {
            Some(sender) => sender,
            None => known(self.from.as_fd(), Interest::READABLE)?,
        };
        // What comes after this says so again.
        self.sender.insert(sender).readable().await?.clear_ready();
        Ok(())
    }

    /// What the sender adds meanwhile is of no interest.
    async fn writable(&mut self) -> io::Result<()> {
        self.sender = None;
        let receiver = known(self.to.as_fd(), Interest::WRITABLE)?;
        receiver.writable().await?.retain_ready();
        Ok(())
    }
}

impl Pipe {
    /// Nothing if there may be no more of them.
    fn open() -> Option<Self> {
        let (out, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        // A smaller one does as well.
        let _ = fcntl_setpipe_size(&into, MOST);
        Some(Self { into, out })
    }
}

fn move_pages(from: &OwnedFd, to: &OwnedFd, most: usize) -> Result<usize, Errno> {
    let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
    retry_on_intr(|| splice(from, None, to, None, most, flags))
}

/// A descriptor that the runtime knows for as long as it is held.
#[expect(
    deprecated,
    reason = "its successor is `unsafe`, for what is not the descriptor that it says; what is borrowed is"
)]
fn known(descriptor: BorrowedFd<'_>, interest: Interest) -> io::Result<AsyncFd<BorrowedFd<'_>>> {
    AsyncFd::with_interest(descriptor, interest)
}

/// Reads what nobody can be given any more, and does not end by itself.
async fn discard(from: &OwnedFd) {
    let read = |from: &AsyncFd<BorrowedFd<'_>>| {
        with_scratch(|scratch| read(from.get_ref(), &mut scratch[..LEAST]))
    };
    if let Ok(from) = known(from.as_fd(), Interest::READABLE) {
        while let Ok(mut ready) = from.readable().await {
            match read(&from) {
                Ok(0) => break,
                Err(Errno::AGAIN) => ready.clear_ready(),
                Err(Errno::INTR) | Ok(_) => {}
                Err(_) => break,
            }
        }
    }
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests;
