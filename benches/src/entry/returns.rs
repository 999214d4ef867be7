//! How soon who asks anew is served once dockline was killed, and intercepted once it is back.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{OURS, PATIENCE, Scene, read_until};
use crate::measure::millis;
use crate::report::Samples;

/// Who asks gives up on a connection that nobody serves, and tries again.
const TRY: Duration = Duration::from_millis(500);
/// What the interceptor answers by itself.
const WORD: &str = "from the interceptor";

impl Scene<'_> {
    pub(super) fn how_soon_back(&self, samples: &mut Samples) -> Result<()> {
        let interceptor = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let answering = interceptor.try_clone()?;
        thread::spawn(move || {
            for stream in answering.incoming().flatten() {
                thread::spawn(move || answer(stream));
            }
        });
        let (mut dockline, entry) = self.serve(&interceptor)?;
        self.ask_until(entry, true)?;
        for round in 1..=self.run.rounds {
            let killed = Instant::now();
            dockline.kill();
            self.ask_until(entry, false)?;
            samples.add(round, OURS, "killed → plain ms", millis(killed.elapsed()))?;
            let started = Instant::now();
            // The tunnel has gone on meanwhile, where it was.
            dockline = self.spawn(&interceptor)?;
            self.ask_until(entry, true)?;
            let back = millis(started.elapsed());
            samples.add(round, OURS, "started → intercepted ms", back)?;
        }
        dockline.stop();
        Ok(())
    }

    /// Asks again and again until it is answered by the interceptor, or without.
    fn ask_until(&self, entry: SocketAddr, intercepted: bool) -> Result<()> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let answered = self.ask(entry).ok();
            if answered == Some(intercepted) {
                return Ok(());
            }
            ensure!(
                Instant::now() < give_up,
                "no answer with the interceptor {intercepted} came: {answered:?}"
            );
        }
    }

    /// Whether the interceptor answered.
    fn ask(&self, entry: SocketAddr) -> Result<bool> {
        let mut stream = TcpStream::connect_timeout(&entry, TRY)?;
        stream.set_read_timeout(Some(TRY))?;
        stream.write_all(self.request.as_bytes())?;
        let mut heard = vec![0; 4_096];
        let read = stream.read(&mut heard)?;
        let heard = String::from_utf8_lossy(&heard[..read]);
        ensure!(heard.starts_with("HTTP/1.1 200 "), "{heard}");
        Ok(heard.contains(WORD))
    }
}

fn answer(mut stream: TcpStream) {
    let length = WORD.len();
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{WORD}");
    while read_until(&mut stream, b"\r\n\r\n").is_ok() {
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
