//! `dockline-tunnel probe …`: one end of a connection in a container that dockline makes for a look at the whole way round.
//!
//! What is said on it is dockline's own business: its bytes are standard input and output, and stderr says what became of it.
//! Nothing here outlives [`LIFE`], so that a probe whose dockline was killed ends by itself.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::net::TcpSocket;

use crate::dial::{Target, dial};
use crate::names::Names;

/// The longest that a probe is of use.
const LIFE: Duration = Duration::from_secs(120);
/// Of one read.
const BUFFER: usize = 16 * 1024;

/// Runs what follows the word `probe`: `hold`, `call NAME PORT` or `answer PORT`.
pub fn probe(words: &[String]) -> ExitCode {
    // From the thread that works to this one, which has a deadline.
    let (done_tx, done) = mpsc::channel();
    let words = words.to_vec();
    thread::spawn(move || drop(done_tx.send(run(&words))));
    match done.recv_timeout(LIFE) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(reason)) => {
            tell(&format!("failed: {reason}"));
            ExitCode::FAILURE
        }
        Err(_) => ExitCode::FAILURE,
    }
}

fn run(words: &[String]) -> Result<(), String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let port = |text: &str| text.parse().map_err(|_| format!("{text} is no port"));
    match words.as_slice() {
        ["hold"] => {
            // What ends it is its deadline, or the engine.
            thread::park_timeout(LIFE);
            Ok(())
        }
        ["call", name, number] => call(name, port(number)?),
        ["answer", number] => answer(port(number)?).map_err(|error| error.to_string()),
        _ => Err("say hold, call NAME PORT or answer PORT".to_owned()),
    }
}

/// Connects as any client in the container would, by the name servers that it has.
fn call(name: &str, port: u16) -> Result<(), String> {
    let target = match name.parse() {
        Ok(address) => Target::Address(SocketAddr::new(address, port)),
        Err(_) => Target::Name(name.to_owned(), port),
    };
    let names = Names::from_file("/etc/resolv.conf");
    let dialled = runtime()
        .map_err(|error| error.to_string())?
        .block_on(async {
            let stream = dial(&target, &names).await;
            let stream = stream.map_err(|failure| format!("{failure:?}"))?;
            stream.into_std().map_err(|error| error.to_string())
        });
    let stream = dialled?;
    let said = || {
        stream.set_nonblocking(false)?;
        tell(&format!("connected {}", stream.peer_addr()?));
        pass(&stream)
    };
    said().map_err(|error: io::Error| error.to_string())
}

/// Takes one connection. Others may listen on the same port, each for one.
fn answer(port: u16) -> io::Result<()> {
    let accepted = runtime()?.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseport(true)?;
        socket.bind(SocketAddr::from(([0, 0, 0, 0], port)))?;
        let listener = socket.listen(1)?;
        tell("listening");
        let (stream, peer) = listener.accept().await?;
        Ok::<_, io::Error>((stream.into_std()?, peer))
    });
    let (stream, peer) = accepted?;
    stream.set_nonblocking(false)?;
    tell(&format!("called {peer}"));
    pass(&stream)
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

/// Passes bytes both ways, until the other side has no more.
fn pass(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut out = stream.try_clone()?;
    thread::spawn(move || {
        let copied = copy(&mut io::stdin().lock(), &mut out);
        // The other side learns of the end, or has gone.
        copied.and_then(|()| out.shutdown(Shutdown::Write))
    });
    copy(&mut &*stream, &mut io::stdout().lock())
}

/// Each piece at once: standard output would wait for a line's end.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => {
                to.write_all(&buffer[..read])?;
                to.flush()?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// One line, in one piece.
fn tell(line: &str) {
    // Whoever asked has gone if nobody reads it.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
