//! Server-sent events, followed.

use std::path::Path;
use std::pin::Pin;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Method, StatusCode};
use tokio::time::timeout;

use super::{DEADLINE, Error, Sender, broken, connect, refused, request};

/// More than any event of the service's has: 500 talks, and then some.
const LONGEST: usize = 4 * 1024 * 1024;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What it is of.
    pub name: String,
    /// Its JSON.
    pub data: String,
}

/// A stream of events. Nothing is read from it but by [`Events::next`].
pub struct Events {
    connection: Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>,
    is_over: bool,
    body: Incoming,
    /// What has come, and is no whole event yet.
    kept: Vec<u8>,
    _sender: Sender,
}

/// Asks the service that listens on `socket` for a stream of events.
pub async fn follow(socket: &Path, path: &str, query: &[(&str, &str)]) -> Result<Events, Error> {
    match timeout(DEADLINE, begin(socket, path, query)).await {
        Ok(events) => events,
        Err(_) => Err(broken(format!("no answer within {DEADLINE:?}"))),
    }
}

async fn begin(socket: &Path, path: &str, query: &[(&str, &str)]) -> Result<Events, Error> {
    let (mut sender, connection) = connect(socket).await?;
    let mut connection: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(connection);
    let mut is_over = false;
    let answer = {
        let mut asked = std::pin::pin!(sender.send_request(request(Method::GET, path, query)?));
        loop {
            tokio::select! {
                answer = &mut asked => break answer.map_err(broken)?,
                _ = &mut connection, if !is_over => is_over = true,
            }
        }
    };
    let status = answer.status();
    let mut events = Events {
        connection,
        is_over,
        body: answer.into_body(),
        kept: Vec::new(),
        _sender: sender,
    };
    if status == StatusCode::OK {
        return Ok(events);
    }
    while events.more().await? {}
    Err(refused(&events.kept))
}

impl Events {
    /// Those that came next, at least one; nothing once the service has ended the stream.
    pub async fn next(&mut self) -> Result<Option<Vec<Event>>, Error> {
        loop {
            let whole = take(&mut self.kept);
            if !whole.is_empty() {
                return Ok(Some(whole));
            }
            if !self.more().await? {
                return Ok(None);
            }
        }
    }

    /// Reads on; whether there was anything.
    async fn more(&mut self) -> Result<bool, Error> {
        loop {
            let frame = tokio::select! {
                frame = self.body.frame() => frame,
                _ = &mut self.connection, if !self.is_over => {
                    self.is_over = true;
                    continue;
                }
            };
            let Some(frame) = frame else {
                return Ok(false);
            };
            if let Some(data) = frame.map_err(broken)?.data_ref() {
                self.kept.extend_from_slice(data);
            }
            if self.kept.len() > LONGEST {
                return Err(broken("an event without an end"));
            }
            return Ok(true);
        }
    }
}

/// Takes the whole events out of what has come; comments, which keep the stream alive, are none.
fn take(kept: &mut Vec<u8>) -> Vec<Event> {
    let Some(end) = kept.windows(2).rposition(|pair| pair == b"\n\n") else {
        return Vec::new();
    };
    let rest = kept.split_off(end + 2);
    let whole = std::mem::replace(kept, rest);
    let text = String::from_utf8_lossy(&whole);
    let events = text.split("\n\n").filter_map(|block| {
        let field = |name| block.lines().find_map(|line| line.strip_prefix(name));
        Some(Event {
            name: field("event: ")?.to_owned(),
            data: field("data: ")?.to_owned(),
        })
    });
    events.collect()
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events")
            .field("is_over", &self.is_over)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_taken_whole_however_they_come() {
        let stream =
            "event: map\ndata: {\"a\":1}\n\n:\n\nevent: state\ndata: {}\n\nevent: traffic\nda";
        let mut kept = Vec::new();
        let mut all = Vec::new();
        for byte in stream.bytes() {
            kept.push(byte);
            all.extend(take(&mut kept));
        }
        let names: Vec<_> = all.iter().map(|event| event.name.as_str()).collect();
        assert_eq!(names, ["map", "state"]);
        assert_eq!(all[0].data, "{\"a\":1}");
        assert_eq!(kept, b"event: traffic\nda");
        let mut at_once = stream.as_bytes().to_vec();
        assert_eq!(take(&mut at_once), all);
    }
}
