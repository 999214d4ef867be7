//! What clients and origins say and hear.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// Whatever takes longer has failed.
const LIMIT: Duration = Duration::from_secs(20);

pub(in crate::interceptor::tests) async fn soon<T>(
    what: &str,
    happens: impl Future<Output = T>,
) -> T {
    let happened = timeout(LIMIT, happens).await;
    happened.unwrap_or_else(|_| panic!("{what} took longer than {LIMIT:?}"))
}

pub(in crate::interceptor::tests) async fn say(stream: &mut (impl AsyncWrite + Unpin), text: &str) {
    soon("saying", stream.write_all(text.as_bytes()))
        .await
        .unwrap();
    soon("saying", stream.flush()).await.unwrap();
}

pub(in crate::interceptor::tests) async fn hear_bytes(
    stream: &mut (impl AsyncRead + Unpin),
    length: usize,
) -> Vec<u8> {
    let mut heard = vec![0; length];
    soon("bytes", stream.read_exact(&mut heard)).await.unwrap();
    heard
}

/// Hears as many bytes as `text` has, which it must be.
pub(in crate::interceptor::tests) async fn hear(stream: &mut (impl AsyncRead + Unpin), text: &str) {
    let mut heard = vec![0; text.len()];
    soon(text, stream.read_exact(&mut heard)).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&heard), text);
}

pub(in crate::interceptor::tests) async fn hear_head(
    stream: &mut (impl AsyncRead + Unpin),
) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon("a head", stream.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

pub(in crate::interceptor::tests) async fn accept_tls(
    listener: &TcpListener,
    tls: &TlsAcceptor,
) -> server::TlsStream<TcpStream> {
    let (stream, _) = soon("a connection", listener.accept()).await.unwrap();
    soon("TLS", tls.accept(stream)).await.unwrap()
}

/// Echoes a body, with a trailer.
pub(in crate::interceptor::tests) async fn echo(
    request: Request<Incoming>,
) -> Result<Response<EchoBody>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    let frames = [Ok(Frame::data(body)), Ok(Frame::trailers(trailers))];
    Ok(Response::new(StreamBody::new(stream::iter(frames))))
}

pub(in crate::interceptor::tests) type EchoBody =
    StreamBody<stream::Iter<std::array::IntoIter<Result<Frame<Bytes>, Infallible>, 2>>>;

/// HTTP/2 of a client, for as long as both are held.
pub(in crate::interceptor::tests) async fn send_h2(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> (SendRequest<Full<Bytes>>, JoinSet<()>) {
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = soon("HTTP/2", handshake).await.unwrap();
    let mut driven = JoinSet::new();
    driven.spawn(async move { drop(connection.await) });
    (sender, driven)
}

/// Requests over HTTP/2; status, body and trailers of the answers.
pub(in crate::interceptor::tests) async fn ask_h2(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    requests: Vec<Request<Full<Bytes>>>,
) -> Vec<(Response<Bytes>, Option<HeaderMap>)> {
    let (mut sender, _driven) = send_h2(stream).await;
    let mut answers = Vec::new();
    for request in requests {
        let answer = soon("an answer", sender.send_request(request));
        let (parts, body) = answer.await.unwrap().into_parts();
        let body = soon("a body", body.collect()).await.unwrap();
        let trailers = body.trailers().cloned();
        answers.push((Response::from_parts(parts, body.to_bytes()), trailers));
    }
    answers
}

/// A CONNECT; the status, and the text of a refusal.
pub(super) async fn connect(mut caller: TcpStream, target: &str) -> (TcpStream, u16, String) {
    say(
        &mut caller,
        &format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"),
    )
    .await;
    let head = hear_head(&mut caller).await;
    let status = head[9..12].parse().unwrap();
    let mut text = String::new();
    if status != 200 {
        let length = head.to_lowercase();
        let length = length.split("content-length: ").nth(1).unwrap();
        let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        soon("refusal", caller.read_exact(&mut body)).await.unwrap();
        text = String::from_utf8(body).unwrap();
    }
    (caller, status, text)
}

pub(super) async fn handshake(
    stream: TcpStream,
    target: &str,
    roots: RootCertStore,
    protocols: &[&str],
) -> std::io::Result<client::TlsStream<TcpStream>> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
    let host = target.rsplit_once(':').unwrap().0.to_owned();
    let name = ServerName::try_from(host).unwrap();
    soon(
        "TLS",
        TlsConnector::from(Arc::new(config)).connect(name, stream),
    )
    .await
}
