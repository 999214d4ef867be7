//! A plain interceptor: writes down what passes and goes on through the gateway, as an HTTP proxy that changes nothing.
//!
//! Whose request it is, it finds out as any interceptor can: it hints at the address from which it saw its client, and asks
//! for a port of loopback where nobody listens. The refusal says whose loopback that is.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

type Body = UnsyncBoxBody<Bytes, hyper::Error>;

#[derive(Debug, Default)]
struct Shared {
    gateway: Mutex<Option<SocketAddr>>,
    incurious: AtomicBool,
    /// Who, and what.
    recorded: Mutex<Vec<(String, String)>>,
}

/// See the module.
#[derive(Debug)]
pub(in crate::docker) struct Recorder {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinSet<()>,
    open: CancellationToken,
}

impl Recorder {
    pub(in crate::docker) async fn new() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), Arc::default()).await
    }

    async fn at(address: SocketAddr, shared: Arc<Shared>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let open = CancellationToken::new();
        let mut task = JoinSet::new();
        task.spawn(accept(listener, Arc::clone(&shared), open.clone()));
        Self {
            address,
            shared,
            task,
            open,
        }
    }

    pub(in crate::docker) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(in crate::docker) fn use_gateway(&self, gateway: SocketAddr) {
        *self.shared.gateway.lock().unwrap() = Some(gateway);
    }

    /// That costs as much as the request itself.
    pub(in crate::docker) fn do_not_ask_who(&self) {
        self.shared.incurious.store(true, Ordering::Relaxed);
    }

    /// What passed so far, each with the name of the container that sent it.
    pub(in crate::docker) fn recorded(&self) -> Vec<(String, String)> {
        self.shared.recorded.lock().unwrap().clone()
    }

    /// What was written down since the last time.
    pub(in crate::docker) fn take(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.shared.recorded.lock().unwrap())
    }

    pub(in crate::docker) fn forget(&self) {
        self.shared.recorded.lock().unwrap().clear();
    }

    /// Ends, connections and all, as a process does that is killed.
    pub(in crate::docker) async fn die(mut self) -> Dead {
        self.open.cancel();
        self.task.shutdown().await;
        Dead {
            address: self.address,
            shared: self.shared,
        }
    }
}

/// A recorder that has died.
pub(in crate::docker) struct Dead {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Dead {
    /// Where it was, with what it knew.
    pub(in crate::docker) async fn rise(self) -> Recorder {
        Recorder::at(self.address, self.shared).await
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, open: CancellationToken) {
    let mut tasks = JoinSet::new();
    loop {
        let (stream, client) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let shared = Arc::clone(&shared);
        let serve = open.clone().run_until_cancelled_owned(async move {
            let service = service_fn(move |request| pass(request, client, Arc::clone(&shared)));
            let connection = hyper::server::conn::http1::Builder::new()
                .preserve_header_case(true)
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            // Clients that leave early are part of the tests.
            let _ = connection.await;
        });
        tasks.spawn(serve);
    }
}

/// Passes a request on, and what comes of it back.
async fn pass(
    mut request: Request<Incoming>,
    client: SocketAddr,
    shared: Arc<Shared>,
) -> Result<Response<Body>, hyper::Error> {
    let gateway = shared.gateway.lock().unwrap().unwrap();
    let what = format!("{} {}", request.method(), request.uri());
    let who = if shared.incurious.load(Ordering::Relaxed) {
        String::new()
    } else {
        who(gateway, client).await
    };
    shared.recorded.lock().unwrap().push((who, what));
    let hint = client.to_string().parse().unwrap();
    request.headers_mut().insert("dockline-client", hint);
    let near = hyper::upgrade::on(&mut request);
    let connects = request.method() == Method::CONNECT;
    let mut response = send(gateway, request).await?;
    let switches = response.status() == 101 || (connects && response.status() == 200);
    if switches {
        let far = hyper::upgrade::on(&mut response);
        tokio::task::spawn(async move {
            let (Ok(near), Ok(far)) = tokio::join!(near, far) else {
                return;
            };
            let _ = copy_bidirectional(&mut TokioIo::new(near), &mut TokioIo::new(far)).await;
        });
    }
    Ok(response.map(BodyExt::boxed_unsync))
}

async fn send<B>(
    gateway: SocketAddr,
    request: Request<B>,
) -> Result<Response<Incoming>, hyper::Error>
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = TcpStream::connect(gateway).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .preserve_header_case(true)
        .handshake(TokioIo::new(stream))
        .await?;
    tokio::task::spawn(connection.with_upgrades());
    sender.send_request(request).await
}

/// The last part of the client's name.
async fn who(gateway: SocketAddr, client: SocketAddr) -> String {
    let request = Request::get("http://127.0.0.1:7/")
        .header("host", "127.0.0.1:7")
        .header("dockline-client", client.to_string())
        .body(Empty::<Bytes>::new())
        .unwrap();
    let Ok(response) = send(gateway, request).await else {
        return "?".to_owned();
    };
    let text = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&text);
    let name = text
        .split("in the scope of ")
        .nth(1)
        .and_then(|rest| rest.split(',').next());
    name.map_or_else(
        || text.to_string(),
        |name| name.rsplit('-').next().unwrap().to_owned(),
    )
}
