//! Stands in for Testcontainers' reaper, Ryuk, which no registry brings here: does what its clients count on.
//!
//! It listens on port 8080, takes filters (`label=KEY=VALUE&…`, a line each), answers each with `ACK`, and once nobody has
//! been connected for a while removes what the filters find, by the engine's socket at `/var/run/docker.sock`. It is
//! compiled alone, as a static program for an image without anything else.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

const SOCKET: &str = "/var/run/docker.sock";
const PORT: u16 = 8080;
/// For a first client; the real one has a minute as well.
const FIRST: Duration = Duration::from_secs(60);
/// For the next client after the last has gone, if `RYUK_RECONNECTION_TIMEOUT` says nothing.
const NEXT: Duration = Duration::from_secs(10);
/// A network is in use until its last container has let go.
const TRIES: usize = 50;
const BETWEEN: Duration = Duration::from_millis(200);

enum News {
    Came,
    Asked(String),
    Went,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(io::stderr(), "reaper: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    // Whoever has no engine to reap in is of no use, and says so at once.
    ask("GET", "/_ping")?;
    let listener = TcpListener::bind(("0.0.0.0", PORT))?;
    let (news_tx, news) = mpsc::channel();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let news_tx = news_tx.clone();
            thread::spawn(move || serve(&client, &news_tx));
        }
    });
    writeln!(io::stdout(), "reaper Started!")?;
    let mut filters = BTreeSet::new();
    let (mut open, mut patience) = (0_usize, FIRST);
    loop {
        let heard = match open {
            0 => news.recv_timeout(patience),
            _ => news.recv().map_err(RecvTimeoutError::from),
        };
        match heard {
            Ok(News::Came) => open += 1,
            Ok(News::Asked(filter)) => drop(filters.insert(filter)),
            Ok(News::Went) => (open, patience) = (open - 1, reconnection()),
            Err(_) => break,
        }
    }
    filters.iter().try_for_each(|filter| reap(filter))
}

fn serve(client: &TcpStream, news: &Sender<News>) {
    drop(news.send(News::Came));
    for line in BufReader::new(client).lines().map_while(Result::ok) {
        drop(news.send(News::Asked(line.trim().to_owned())));
        let mut client = client;
        if client.write_all(b"ACK\n").is_err() {
            break;
        }
    }
    drop(news.send(News::Went));
}

/// `RYUK_RECONNECTION_TIMEOUT`, in whole seconds.
fn reconnection() -> Duration {
    let text = std::env::var_os("RYUK_RECONNECTION_TIMEOUT").unwrap_or_default();
    let seconds = text.to_str().and_then(|text| text.strip_suffix('s'));
    let seconds = seconds.and_then(|number| number.parse().ok());
    seconds.map_or(NEXT, Duration::from_secs)
}

/// Removes containers, then networks, that have all labels of the filter.
fn reap(filter: &str) -> io::Result<()> {
    let labels = filter
        .split('&')
        .filter_map(|part| part.strip_prefix("label="));
    let labels: Vec<_> = labels.map(|label| format!("\"{label}\"")).collect();
    if labels.is_empty() {
        return Ok(());
    }
    let filters = escape(&format!("{{\"label\":[{}]}}", labels.join(",")));
    for id in ids(&format!("/containers/json?all=1&filters={filters}"))? {
        ask("DELETE", &format!("/containers/{id}?force=1&v=1"))?;
    }
    for id in ids(&format!("/networks?filters={filters}"))? {
        let mut tries = 0..TRIES;
        while !is_gone(&ask("DELETE", &format!("/networks/{id}"))?) && tries.next().is_some() {
            thread::sleep(BETWEEN);
        }
    }
    writeln!(io::stdout(), "reaped {filter}")
}

fn is_gone(answer: &str) -> bool {
    ["204", "404"].contains(&answer.split(' ').nth(1).unwrap_or_default())
}

/// The ids in a list: 64 digits each, which nothing else that is called `Id` has.
fn ids(path: &str) -> io::Result<BTreeSet<String>> {
    let answer = ask("GET", path)?;
    let ids = answer.split("\"Id\":\"").skip(1);
    let ids = ids.filter_map(|rest| rest.split('"').next());
    Ok(ids.filter(|id| id.len() == 64).map(str::to_owned).collect())
}

/// The whole answer, head and all.
fn ask(method: &str, path: &str) -> io::Result<String> {
    let mut engine = UnixStream::connect(SOCKET)?;
    engine.write_all(format!("{method} {path} HTTP/1.0\r\nHost: docker\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    engine.read_to_string(&mut answer)?;
    Ok(answer)
}

fn escape(text: &str) -> String {
    let escaped: Vec<_> = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    escaped.concat()
}
