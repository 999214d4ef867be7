//! Both ends of a request: who asks, and who is asked.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1 as client;
use hyper::header::{CONNECTION, HOST};
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

use super::line::Line;
use super::{Notes, Scheme, Stage, tls};
use crate::core::check::Shown;

/// The most that is read of an answer: one that is not ours only has to be told of.
const MOST: usize = 64 * 1024;
/// The most that is told of it.
const SHOWN: usize = 160;

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Whether it is the asked container's.
    pub(super) own: bool,
    /// Its first words, for people.
    pub(super) text: String,
}

impl Answer {
    fn new(status: StatusCode, body: &[u8], token: &str) -> Self {
        Self {
            status: status.as_u16(),
            own: status == StatusCode::OK && body == token.as_bytes(),
            text: words(body),
        }
    }
}

/// The text of a page without its tags, shortened.
pub(super) fn words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let mut plain = String::new();
    let mut inside = false;
    for character in text.chars() {
        match character {
            '<' => inside = true,
            '>' => {
                inside = false;
                plain.push(' ');
            }
            _ if inside => {}
            other => plain.push(other),
        }
    }
    let words: Vec<_> = plain.split_whitespace().collect();
    words.join(" ").chars().take(SHOWN).collect()
}

/// What is held until nobody looks any more: connections for it stay open.
pub(super) type Held = Box<dyn Send>;

/// Asks for `destination` by the proxy at the other end of `line`.
pub(super) async fn ask(
    mut line: Line,
    scheme: &Scheme,
    stage: &Stage,
    destination: &str,
) -> (Option<Answer>, Shown, Held) {
    let token = stage.token();
    let Scheme::Https(authorities) = scheme else {
        let asked = get(
            line,
            &format!("http://{destination}/{token}"),
            destination,
            token,
        )
        .await;
        let (answer, held) = split(asked);
        return (answer, Shown::None("there is none".to_owned()), held);
    };
    let refused = |reason: String| Shown::None(reason);
    match connect(&mut line, destination).await {
        Err(error) => return (None, refused(error.to_string()), Box::new(line)),
        Ok((StatusCode::OK, _)) => {}
        Ok((status, text)) => {
            let answer = Answer::new(status, &text, token);
            let reason = format!("CONNECT was answered {}: {}", answer.status, answer.text);
            return (Some(answer), refused(reason), Box::new(line));
        }
    }
    let (stream, shown) = match tls::connect(line, stage.origin_name(), authorities).await {
        Ok(opened) => opened,
        Err(error) => return (None, refused(error.to_string()), Box::new(())),
    };
    let asked = get(stream, &format!("/{token}"), destination, token).await;
    let (answer, held) = split(asked);
    (answer, shown, held)
}

fn split(asked: io::Result<(Answer, Held)>) -> (Option<Answer>, Held) {
    match asked {
        Ok((answer, held)) => (Some(answer), held),
        Err(_) => (None, Box::new(())),
    }
}

/// One GET; with the connection, which is to be held.
async fn get(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    target: &str,
    host: &str,
    token: &str,
) -> io::Result<(Answer, Held)> {
    let (mut sender, mut connection) = client::handshake::<_, Full<Bytes>>(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let request = Request::get(target).header(HOST, host);
    let request = request.body(Full::default()).map_err(io::Error::other)?;
    let exchange = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(io::Error::other)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MOST).collect().await;
        let body = body.map_err(io::Error::other)?.to_bytes();
        Ok::<_, io::Error>(Answer::new(status, &body, token))
    };
    let answer = tokio::select! {
        answer = exchange => answer,
        // Whatever was under way learns of it as well, and says so better.
        ended = &mut connection => Err(ended.err().map_or_else(
            || io::ErrorKind::UnexpectedEof.into(),
            io::Error::other,
        )),
    };
    Ok((answer?, Box::new((sender, connection))))
}

/// Asks for a tunnel; answers with what was said against it.
pub(super) async fn connect(
    line: &mut (impl AsyncRead + AsyncWrite + Unpin),
    destination: &str,
) -> io::Result<(StatusCode, Vec<u8>)> {
    let head = format!("CONNECT {destination} HTTP/1.1\r\nHost: {destination}\r\n\r\n");
    line.write_all(head.as_bytes()).await?;
    line.flush().await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > MOST {
            return Err(io::Error::other("the answer to CONNECT has no end"));
        }
        head.push(line.read_u8().await?);
    }
    let mut room = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut room);
    response.parse(&head).map_err(io::Error::other)?;
    let status = response
        .code
        .and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(io::ErrorKind::InvalidData)?;
    let mut text = Vec::new();
    if status != StatusCode::OK {
        let length = response.headers.iter().find_map(|header| {
            let is_length = header.name.eq_ignore_ascii_case("content-length");
            let value = is_length.then(|| std::str::from_utf8(header.value).ok())??;
            value.trim().parse::<usize>().ok()
        });
        text.resize(length.unwrap_or_default().min(MOST), 0);
        line.read_exact(&mut text).await?;
    }
    Ok((status, text))
}

/// Serves what comes by one line: everybody gets the token.
pub(super) async fn serve(
    mut line: Line,
    acceptor: Option<TlsAcceptor>,
    token: &str,
    notes: &Notes,
    look: &impl AsyncFn(),
) {
    let Ok(note) = line.note().await else {
        return;
    };
    let caller = note.strip_prefix("called ").and_then(|by| by.parse().ok());
    let Some(caller): Option<SocketAddr> = caller else {
        return;
    };
    notes.reached(caller);
    look().await;
    match acceptor {
        None => talk(line, token, look).await,
        Some(acceptor) => match acceptor.accept(line).await {
            Ok(stream) => talk(stream, token, look).await,
            // Who does not know the certificate is right.
            Err(error) => tracing::debug!(%error, "the asked end's TLS failed"),
        },
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin, token: &str, look: &impl AsyncFn()) {
    let answer = |_| async {
        look().await;
        let body = Full::new(Bytes::copy_from_slice(token.as_bytes()));
        let mut response = Response::new(body);
        let close = hyper::header::HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
        Ok::<_, Infallible>(response)
    };
    let served = server::Builder::new()
        .serve_connection(TokioIo::new(stream), service_fn(answer))
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "the asked end's connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_page_its_words_are_shown() {
        let page = b"<html><body>\n <h1>502 Bad Gateway</h1>\n<p>no such   host</p></body>";
        assert_eq!(words(page), "502 Bad Gateway no such host");
        assert_eq!(words(&[b'a'; 1000]).len(), SHOWN);
    }

    #[test]
    fn an_answer_is_the_containers_own_if_it_has_its_token() {
        let own = |status, body: &str| Answer::new(status, body.as_bytes(), "token").own;
        assert!(own(StatusCode::OK, "token"));
        assert!(!own(StatusCode::OK, "other"));
        assert!(!own(StatusCode::BAD_GATEWAY, "token"));
    }
}
