//! A unix socket that answers as an engine does, and misbehaves when it is told to.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What goes back to dockline.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;
/// Who answers behind the socket.
pub(crate) type Back =
    Arc<dyn Fn(Request<Incoming>) -> BoxFuture<'static, Response<Body>> + Send + Sync>;

/// What may be wrong with an answer.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It comes so much later.
    Late(Duration),
    /// It does not come until the fault is mended; the request reaches the engine only then.
    Held,
    /// It never comes, and the request does not reach the engine.
    Lost,
    /// It never comes, and the engine has done what it was asked for.
    Unheard,
    /// This status and this text come instead, and the engine is not asked.
    Instead(u16, &'static str),
    /// The connection ends after the first bytes of a body that promised more.
    Broken,
}

#[derive(Clone, Debug)]
struct Rule {
    pattern: String,
    fault: Fault,
    mended: CancellationToken,
}

struct State {
    back: Back,
    /// `METHOD /path?query`, without the API's version, in the order in which they came.
    requests: Mutex<Vec<String>>,
    /// Those that the engine has answered, as far as nobody heard it.
    unheard: Mutex<Vec<String>>,
    rules: Mutex<Vec<Rule>>,
    cut: Mutex<CancellationToken>,
    stalled: watch::Sender<bool>,
    /// Connections, and calls that change the engine and have reached it.
    busy: watch::Sender<usize>,
}

/// See the module. Gone with its value.
pub(crate) struct Front {
    folder: tempfile::TempDir,
    state: Arc<State>,
    listener: Mutex<Option<JoinHandle<()>>>,
}

impl Front {
    /// A socket that nobody listens on yet.
    pub(crate) fn new(back: Back) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            state: Arc::new(State {
                back,
                requests: Mutex::default(),
                unheard: Mutex::default(),
                rules: Mutex::default(),
                cut: Mutex::default(),
                stalled: watch::Sender::new(false),
                busy: watch::Sender::new(0),
            }),
            listener: Mutex::default(),
        }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    /// As `DOCKER_HOST` has it.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Listens, as an engine that has been started.
    pub(crate) fn open(&self) {
        let _ = fs::remove_file(self.socket());
        let listener = UnixListener::bind(self.socket()).unwrap();
        let state = Arc::clone(&self.state);
        let accept = async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn(Arc::clone(&state).serve(stream));
            }
        };
        let before = self
            .listener
            .lock()
            .unwrap()
            .replace(tokio::task::spawn(accept));
        assert!(before.is_none(), "opened twice");
    }

    /// Ends every connection and lets nobody in; the socket's file stays, as after the engine was killed.
    pub(crate) async fn kill(&self) {
        let listener = self.listener.lock().unwrap().take();
        if let Some(listener) = listener {
            listener.abort();
            listener.await.unwrap_err();
        }
        self.cut();
    }

    /// As [`Self::kill`], and the file goes as well, as an engine that is stopped removes it.
    pub(crate) async fn stop(&self) {
        self.kill().await;
        fs::remove_file(self.socket()).unwrap();
    }

    /// Ends every connection. New ones are served.
    pub(crate) fn cut(&self) {
        std::mem::take(&mut *self.state.cut.lock().unwrap()).cancel();
    }

    /// Lets nothing through, in no connection, without ending one; or lets it through again.
    pub(crate) fn stall(&self, stalled: bool) {
        self.state.stalled.send_replace(stalled);
    }

    /// Makes something wrong with the answers to requests that contain `pattern`.
    pub(crate) fn fault(&self, pattern: &str, fault: Fault) {
        self.state.rules.lock().unwrap().push(Rule {
            pattern: pattern.to_owned(),
            fault,
            mended: CancellationToken::new(),
        });
    }

    /// Lifts every fault for requests that contain `pattern`; what was held goes on.
    pub(crate) fn mend(&self, pattern: &str) {
        let mut rules = self.state.rules.lock().unwrap();
        for rule in rules.extract_if(.., |rule| rule.pattern == pattern) {
            rule.mended.cancel();
        }
    }

    /// Waits until nobody is connected, and the engine has ended what it was told to change.
    pub(crate) async fn settled(&self) {
        let mut busy = self.state.busy.subscribe();
        busy.wait_for(|count| *count == 0).await.unwrap();
    }

    /// How many requests contained `pattern`.
    pub(crate) fn asked(&self, pattern: &str) -> usize {
        count(&self.state.requests, pattern)
    }

    /// How many of them the engine has answered, and nobody heard it.
    pub(crate) fn unheard(&self, pattern: &str) -> usize {
        count(&self.state.unheard, pattern)
    }
}

fn count(requests: &Mutex<Vec<String>>, pattern: &str) -> usize {
    let requests = requests.lock().unwrap();
    requests.iter().filter(|r| r.contains(pattern)).count()
}

impl Drop for Front {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.get_mut().unwrap().take() {
            listener.abort();
        }
        self.cut();
    }
}

impl State {
    async fn serve(self: Arc<Self>, stream: UnixStream) {
        let cut = self.cut.lock().unwrap().clone();
        self.busy.send_modify(|count| *count += 1);
        let service = service_fn(|request| {
            let state = Arc::clone(&self);
            async move { Ok::<_, io::Error>(state.answer(request).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            () = cut.cancelled() => {}
            // It ends as its client, or a fault, wants it.
            _ = connection => {}
        }
        self.busy.send_modify(|count| *count -= 1);
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let line = request_line(&request);
        self.requests.lock().unwrap().push(line.clone());
        flowing(&self.stalled).await;
        let rules = self.rules.lock().unwrap().clone();
        for rule in rules.iter().filter(|rule| line.contains(&rule.pattern)) {
            match &rule.fault {
                Fault::Late(time) => tokio::time::sleep(*time).await,
                Fault::Held => rule.mended.cancelled().await,
                Fault::Lost => std::future::pending().await,
                Fault::Unheard => {
                    self.ask(request).await;
                    self.unheard.lock().unwrap().push(line);
                    return std::future::pending().await;
                }
                Fault::Instead(status, text) => return reply(*status, *text),
                Fault::Broken => return Response::new(broken_body()),
            }
        }
        let (head, body) = self.ask(request).await.into_parts();
        flowing(&self.stalled).await;
        Response::from_parts(head, gated(body, self.stalled.clone()))
    }

    /// What reads ends with its client. What changes something ends when the engine has done it.
    async fn ask(&self, request: Request<Incoming>) -> Response<Body> {
        let read = request.method() == Method::GET;
        let answer = (self.back)(request);
        if read {
            return answer.await;
        }
        self.busy.send_modify(|count| *count += 1);
        let busy = self.busy.clone();
        let call = tokio::task::spawn(async move {
            let answer = answer.await;
            busy.send_modify(|count| *count -= 1);
            answer
        });
        call.await.unwrap()
    }
}

async fn flowing(stalled: &watch::Sender<bool>) {
    // The sender lives as long as whoever asks.
    let _ = stalled.subscribe().wait_for(|stalled| !stalled).await;
}

/// A body whose frames wait while everything is stalled.
fn gated(body: Body, stalled: watch::Sender<bool>) -> Body {
    let frames = stream::unfold((body, stalled), |(mut body, stalled)| async move {
        let frame = body.frame().await?;
        flowing(&stalled).await;
        Some((frame, (body, stalled)))
    });
    StreamBody::new(frames).boxed_unsync()
}

fn broken_body() -> Body {
    let first = stream::once(async { Ok(Frame::data(Bytes::from_static(b"[{\"Id\":\"0123"))) });
    let end = stream::once(async {
        // So that the first bytes are on their way.
        tokio::task::yield_now().await;
        Err(io::Error::other("broken"))
    });
    StreamBody::new(first.chain(end)).boxed_unsync()
}

/// An answer of one piece.
pub(crate) fn reply(status: u16, body: impl Into<Bytes>) -> Response<Body> {
    let body = Full::new(body.into())
        .map_err(|never| match never {})
        .boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

fn request_line(request: &Request<Incoming>) -> String {
    let target = request.uri().path_and_query().map_or("/", |p| p.as_str());
    let bare = target
        .strip_prefix("/v")
        .filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        .and_then(|rest| rest.split_once('/'))
        .map_or(target.to_owned(), |(_, rest)| format!("/{rest}"));
    format!("{} {bare}", request.method())
}
