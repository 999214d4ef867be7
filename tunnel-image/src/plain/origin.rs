//! A connection to where requests are forwarded, kept from one request of a caller to its next.

use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::http::{BUFFER, Sent};

/// An open connection that speaks HTTP.
pub(super) struct Origin {
    /// Host and port.
    pub(super) authority: (String, u16),
    sender: SendRequest<Sent>,
}

impl Origin {
    /// Lets a task drive the connection until nobody wants it any more.
    pub(super) async fn start(
        authority: (String, u16),
        stream: TcpStream,
        drivers: &std::sync::Mutex<JoinSet<()>>,
    ) -> hyper::Result<Self> {
        let (sender, connection) = http1::Builder::new()
            .preserve_header_case(true)
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(stream))
            .await?;
        let mut drivers = drivers
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        while drivers.try_join_next().is_some() {}
        drivers.spawn(async move {
            // How it ended is told to whoever waits for an answer.
            let _ = connection.with_upgrades().await;
        });
        Ok(Self { authority, sender })
    }

    /// Whether it can take another request.
    pub(super) fn is_ready(&self) -> bool {
        self.sender.is_ready()
    }

    /// Sends a request. One that was not sent comes back.
    pub(super) async fn send(
        &mut self,
        request: Request<Sent>,
    ) -> Result<hyper::Response<Incoming>, TrySendError<Request<Sent>>> {
        self.sender.try_send_request(request).await
    }
}
