//! HTTP/1 with one caller: CONNECT, and requests that are forwarded: in absolute form, or with `Host` alone.
//!
//! Request after request is answered until one of them turns the connection into a tunnel (CONNECT, `Upgrade`): then the
//! rest is the relay's.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::{Either, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HOST, HeaderValue};
use hyper::http::uri::Scheme;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Plain;
use super::forwarding::{by_host, fits, repeatable, to_origin_form};
use super::headers;
use super::origin::Origin;
use super::provisional::{Interjector, Line};
use super::reply::{self, Body, Refusal};
use crate::config::ENTRY_PORT;
use crate::gone;
use crate::relay;
use crate::wire::fetched;

/// The most that each side of an exchange holds of what it has read and, as much again, of what it has yet to write. The
/// head of a message has to fit as well.
pub(super) const BUFFER: usize = 64 * 1024;

/// For a caller's next request head. Long, because clients keep connections and lose a request when one closes.
const IDLE: Duration = Duration::from_secs(120);

/// What a request carries on to the origin. Nothing only for one that is sent a second time.
pub(super) type Sent = Either<Incoming, Empty<Bytes>>;

/// What is known of one caller's connection from request to request.
pub(crate) struct Conversation {
    plain: Arc<Plain>,
    /// Where it called.
    local: IpAddr,
    /// For what comes before an answer.
    interjector: Interjector,
    /// Requests of one connection come one at a time, so nobody ever waits for this.
    kept: Mutex<Kept>,
    /// The connections to origins; they end with the conversation.
    drivers: Mutex<JoinSet<()>>,
}

#[derive(Default)]
struct Kept {
    /// The connection to where the last request went, if it can be used again.
    origin: Option<Origin>,
    /// What the connection is to become.
    handover: Option<Handover>,
}

/// A connection that is about to leave HTTP behind.
struct Handover {
    client: OnUpgrade,
    far: Far,
}

enum Far {
    Open(TcpStream),
    Upgrading(OnUpgrade),
}

impl Conversation {
    /// Serves one caller to the end.
    pub(crate) async fn run(plain: Arc<Plain>, stream: TcpStream, local: IpAddr) {
        let (line, interjector) = Line::new(stream);
        let conversation = Arc::new(Self {
            plain,
            local,
            interjector,
            kept: Mutex::default(),
            drivers: Mutex::default(),
        });
        // Boxed, because it takes far more memory than the relay, which may last for days.
        Box::pin(converse(line, &conversation)).await;
        let handover = conversation.kept().handover.take();
        if let Some(handover) = handover {
            let taken = handover.take().await;
            drop(conversation);
            if let Some(((client, up), (far, down))) = taken {
                relay::tunnel(client, far, up, down).await;
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Whole even if a holder panicked: it is only ever replaced as a whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        if let Some(url) = elsewhere(request.uri()) {
            return reply::elsewhere(&url).unwrap_or_else(Refusal::into_response);
        }
        let answered = if request.method() == Method::CONNECT {
            self.connect(request).await
        } else {
            self.forward(request).await
        };
        answered.unwrap_or_else(Refusal::into_response)
    }

    async fn connect(&self, mut request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
        let (host, port) = connect_target(request.uri())?;
        let stream = self.plain.open(self.local, &host, port).await?;
        self.kept().handover = Some(Handover {
            client: hyper::upgrade::on(&mut request),
            far: Far::Open(stream),
        });
        Ok(Response::new(Either::Right(Bytes::new().into())))
    }

    async fn forward(&self, mut request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
        let host = request.headers().get(HOST).map(HeaderValue::as_bytes);
        if let Some(absolute) = by_host(request.uri(), host, ENTRY_PORT) {
            *request.uri_mut() = absolute;
        }
        let (host, port) = target(request.uri())?;
        let upgrade = headers::upgrade(request.version(), request.headers());
        let client = hyper::upgrade::on(&mut request);
        let switching = upgrade.is_some();
        let what = format!("{host}:{port}");
        let exchanged = self.interjector.pass(request, async |request| {
            let request = to_origin(request, upgrade);
            self.exchange((host, port), request).await
        });
        let (mut response, origin) = exchanged.await?;
        let mut switched = None;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            switched = headers::upgrade(Version::HTTP_11, response.headers());
            if !switching || switched.is_none() {
                return Err(Refusal::broke(
                    &what,
                    &"it switched protocols without being asked",
                ));
            }
            let far = Far::Upgrading(hyper::upgrade::on(&mut response));
            self.kept().handover = Some(Handover { client, far });
        } else {
            self.kept().origin = Some(origin);
        }
        Ok(to_client(response, switched))
    }

    /// Sends the request to its origin and waits for the head of the answer, for as long as it takes.
    ///
    /// An origin may close a connection that it kept at any time, just now as well; then the request is sent again on a
    /// fresh one, if that does no harm.
    async fn exchange(
        &self,
        authority: (String, u16),
        mut request: Request<Sent>,
    ) -> Result<(Response<Incoming>, Origin), Refusal> {
        let what = format!("{}:{}", authority.0, authority.1);
        let kept = self.kept().origin.take();
        if let Some(mut origin) = kept.filter(|o| o.authority == authority && o.is_ready()) {
            let copy = repeatable(&request);
            match origin.send(request).await {
                Ok(answer) => return Ok((answer, origin)),
                Err(mut error) => match error.take_message().or(copy) {
                    Some(again) => request = again,
                    None => return Err(Refusal::broke(&what, error.error())),
                },
            }
        }
        let stream = self
            .plain
            .open(self.local, &authority.0, authority.1)
            .await?;
        let started = Origin::start(authority, stream, &self.drivers).await;
        let mut origin = started.map_err(|error| Refusal::broke(&what, &error))?;
        match origin.send(request).await {
            Ok(answer) => Ok((answer, origin)),
            Err(error) => Err(Refusal::broke(&what, error.error())),
        }
    }
}

async fn converse(line: Line<TcpStream>, conversation: &Arc<Conversation>) {
    let service = service_fn(|request| {
        let conversation = Arc::clone(conversation);
        async move { Ok::<_, Infallible>(conversation.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(BUFFER)
        .preserve_header_case(true)
        // What is forwarded stays as the origin sent it.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(line), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    // A caller that leaves early need not be told.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = gone(conversation.plain.going.clone()) => {}
    }
    // What is asked next is asked of a successor.
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

impl Handover {
    /// The bare connections of caller and target, which both sides of HTTP give up as soon as the switch has been sent or
    /// received, each with what was read of it before.
    async fn take(self) -> Option<(Bare, Bare)> {
        let client = handed_over(self.client, Line::into_inner).await?;
        let far = match self.far {
            Far::Open(stream) => (stream, Bytes::new()),
            Far::Upgrading(upgrade) => handed_over(upgrade, |stream| stream).await?,
        };
        Some((client, far))
    }
}

type Bare = (TcpStream, Bytes);

async fn handed_over<S>(upgrade: OnUpgrade, bare: fn(S) -> TcpStream) -> Option<Bare>
where
    TokioIo<S>: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
{
    let taken = upgrade.await.ok().map(Upgraded::downcast::<TokioIo<S>>);
    let parts = taken?.ok()?;
    Some((bare(parts.io.into_inner()), parts.read_buf))
}

/// Where a CONNECT is to go.
pub(super) fn connect_target(uri: &Uri) -> Result<(String, u16), Refusal> {
    let authority = uri.authority();
    let named = authority.and_then(|a| Some((a.host(), a.port_u16()?)));
    fitting(named.ok_or_else(Refusal::not_a_server)?)
}

/// Where a request in absolute form is to go.
pub(super) fn target(uri: &Uri) -> Result<(String, u16), Refusal> {
    let plain = uri.scheme() == Some(&Scheme::HTTP);
    let host = uri.host().filter(|_| plain);
    let host = host.ok_or_else(Refusal::not_a_server)?;
    fitting((host, uri.port_u16().unwrap_or(80)))
}

fn fitting((host, port): (&str, u16)) -> Result<(String, u16), Refusal> {
    let named = fits(host).then(|| (host.to_owned(), port));
    named.ok_or_else(Refusal::too_long)
}

/// Where an engine wants to go that asks for it here: dockline would see to it that it is intercepted.
pub(super) fn elsewhere(uri: &Uri) -> Option<String> {
    let target = uri.path_and_query().filter(|_| uri.authority().is_none())?;
    fetched::wanted(target.as_str())
}

/// The request as the origin gets it: in origin form, with the `Host` that the client sent.
fn to_origin(request: Request<Incoming>, upgrade: Option<HeaderValue>) -> Request<Sent> {
    let (mut parts, body) = request.into_parts();
    parts.headers = headers::of_request(&parts.headers, upgrade);
    to_origin_form(&mut parts);
    Request::from_parts(parts, Either::Left(body))
}

/// The answer as the client gets it; with `switched`, the last one of its connection.
fn to_client(response: Response<Incoming>, switched: Option<HeaderValue>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    parts.headers = headers::of_response(&parts.headers, switched);
    parts.version = Version::HTTP_11;
    Response::from_parts(parts, Either::Left(body))
}
