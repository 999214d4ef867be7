//! An engine that is none: a world in memory behind a [`Front`], whose events are told when the test says so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{Request, Response};
use serde_json::json;
use tokio::sync::mpsc;

use super::front::{Body, Front, reply};
use super::world::{Event, World};

/// Events that an engine remembers for `since`.
const RING: usize = 256;

#[derive(Default)]
struct Told {
    world: World,
    ring: Vec<Event>,
    readers: Vec<mpsc::UnboundedSender<Bytes>>,
}

/// See the module.
pub(crate) struct FakeEngine {
    pub(crate) front: Front,
    told: Arc<Mutex<Told>>,
}

impl FakeEngine {
    /// An engine with nothing in it, listening.
    pub(crate) fn start() -> Self {
        let told = Arc::<Mutex<Told>>::default();
        let state = Arc::clone(&told);
        let front = Front::new(Arc::new(move |request| {
            let response = answer(&state, &request);
            Box::pin(async move { response })
        }));
        front.open();
        Self { front, told }
    }

    /// Changes the world; the events are not told, but returned.
    pub(crate) fn quietly(&self, change: impl FnOnce(&mut World)) -> Vec<Event> {
        let mut told = self.told.lock().unwrap();
        change(&mut told.world);
        told.world.take_events()
    }

    /// Tells events, in this order, and remembers them.
    pub(crate) fn tell(&self, events: &[Event]) {
        let mut told = self.told.lock().unwrap();
        for event in events {
            told.ring.push(event.clone());
            let line = event.line();
            told.readers
                .retain(|reader| reader.send(line.clone()).is_ok());
        }
        let surplus = told.ring.len().saturating_sub(RING);
        told.ring.drain(..surplus);
    }

    /// Changes the world, and tells what happened.
    pub(crate) fn change(&self, change: impl FnOnce(&mut World)) {
        let events = self.quietly(change);
        self.tell(&events);
    }

    /// Writes bytes that are no events into every open stream.
    pub(crate) fn babble(&self, bytes: &'static [u8]) {
        for reader in &self.told.lock().unwrap().readers {
            // Whoever went away hears nothing.
            let _ = reader.send(Bytes::from_static(bytes));
        }
    }

    /// Ends every event stream in good order.
    pub(crate) fn end_streams(&self) {
        self.told.lock().unwrap().readers.clear();
    }

    /// How many event streams are open.
    pub(crate) fn readers(&self) -> usize {
        let told = self.told.lock().unwrap();
        told.readers.iter().filter(|r| !r.is_closed()).count()
    }

    /// Forgets past events, as an engine does that is started anew.
    pub(crate) fn forget_events(&self) {
        self.told.lock().unwrap().ring.clear();
    }

    /// Every container with its networks and addresses, as `status` should report them.
    pub(crate) fn picture(&self) -> super::Picture {
        self.told.lock().unwrap().world.picture()
    }
}

fn answer(told: &Mutex<Told>, request: &Request<Incoming>) -> Response<Body> {
    let mut told = told.lock().unwrap();
    let path = request.uri().path();
    let mut parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
    if parts[0].starts_with('v') && parts.len() > 1 {
        parts.remove(0);
    }
    let found = match parts.as_slice() {
        ["version"] => {
            Some(json!({ "Version": "26.1.5", "ApiVersion": "1.45", "MinAPIVersion": "1.24" }))
        }
        ["info"] => Some(json!({
            "ServerVersion": "26.1.5", "Architecture": "x86_64", "OSType": "linux",
            "SystemTime": told.world.time(),
        })),
        ["containers", "json"] => Some(told.world.list_containers()),
        ["containers", id, "json"] => told.world.inspect_container(id),
        ["networks"] => Some(told.world.list_networks()),
        ["networks", id] => told.world.inspect_network(id),
        ["_ping"] => return reply(200, "OK"),
        ["events"] => return events(&mut told, request.uri().query().unwrap_or_default()),
        // The tunnel's image: there is none, so dockline makes no tunnel.
        _ => None,
    };
    match found {
        Some(value) => reply(200, value.to_string()),
        None => reply(
            404,
            json!({ "message": format!("no such thing: {path}") }).to_string(),
        ),
    }
}

fn events(told: &mut Told, query: &str) -> Response<Body> {
    let query: BTreeMap<String, String> = serde_urlencoded::from_str(query).unwrap();
    let since: u64 = query["since"].replace('.', "").parse().unwrap();
    let (sender, receiver) = mpsc::unbounded_channel();
    for event in told.ring.iter().filter(|event| event.time >= since) {
        sender.send(event.line()).unwrap();
    }
    told.readers.push(sender);
    let lines = stream::unfold(receiver, |mut receiver| async {
        let line = receiver.recv().await?;
        Some((Ok(Frame::data(line)), receiver))
    });
    Response::new(StreamBody::new(lines).boxed_unsync())
}
