//! A request and its answer, in flight in both directions at once.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, WriteHalf};
use tokio::time::sleep;
use tracing::debug;

use super::inbound::{Broke, Inbound};

/// Why a request will not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Its receiver takes no more; it may have answered before it read all.
    Stopped,
    /// Its sender has gone, or says what nobody understands.
    Gone,
}

/// How far an exchange is: what each direction knows and the other one asks.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    whole: AtomicBool,
    half_closed: AtomicBool,
    answering: AtomicBool,
    /// Nothing more is to be expected of the request.
    over: AtomicBool,
}

impl Progress {
    /// Whether the request has been passed on to its end.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole.load(Ordering::Relaxed)
    }

    /// Whether the client has said that nothing more will come from it.
    pub(crate) fn is_half_closed(&self) -> bool {
        self.half_closed.load(Ordering::Relaxed)
    }

    /// From now on the client is written to: whether it is there, that shows.
    pub(crate) fn answers(&self) {
        self.answering.store(true, Ordering::Relaxed);
    }
}

/// How somebody else hears of it that a client has said that nothing more will come from it. Most who do so have gone, which is not
/// to be told from one that still listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HalfClose {
    /// Whether whom the request went to is told the same, and may give it up.
    pub(crate) passes: bool,
    /// How long the beginning of an answer is waited for.
    pub(crate) patience: Duration,
}

/// After a request was passed on, or was not: listens whether the client goes away. Ends only if something broke, or after the
/// patience with one that is half closed.
pub(crate) async fn listen<C: AsyncRead, T: AsyncWrite>(
    passed: Result<(), Broke>,
    client: &mut Inbound<C>,
    to: &mut WriteHalf<T>,
    progress: &Progress,
    half_close: HalfClose,
) -> Asked {
    match passed {
        Ok(()) => progress.whole.store(true, Ordering::Relaxed),
        Err(Broke::To(_)) => return Asked::Stopped,
        Err(error @ (Broke::From(_) | Broke::Malformed(_))) => {
            debug!(%error, "a request broke off");
            return Asked::Gone;
        }
    }
    if client.ends().await.is_err() {
        return Asked::Gone;
    }
    if client.is_ahead() {
        // It is the next request's end.
        return std::future::pending().await;
    }
    progress.half_closed.store(true, Ordering::Relaxed);
    if half_close.passes && to.shutdown().await.is_err() {
        return Asked::Stopped;
    }
    sleep(half_close.patience).await;
    if progress.answering.load(Ordering::Relaxed) {
        Asked::Stopped
    } else {
        Asked::Gone
    }
}

/// Runs both directions until the answer has been passed on. Nothing if the client has gone before.
pub(crate) async fn both<A>(
    mut asking: Pin<&mut impl Future<Output = Asked>>,
    answering: impl Future<Output = A>,
    progress: &Progress,
) -> Option<A> {
    let mut answering = pin!(answering);
    let asked = tokio::select! {
        answered = &mut answering => return Some(answered),
        asked = &mut asking => asked,
    };
    progress.over.store(true, Ordering::Relaxed);
    match asked {
        Asked::Stopped => Some(answering.await),
        Asked::Gone => None,
    }
}

/// Goes on with a request that was answered before its end, while the other side takes it.
pub(crate) async fn finish(mut asking: Pin<&mut impl Future<Output = Asked>>, progress: &Progress) {
    poll_fn(|cx| {
        if progress.is_whole() || progress.over.load(Ordering::Relaxed) {
            return Poll::Ready(());
        }
        if asking.as_mut().poll(cx).is_ready() {
            progress.over.store(true, Ordering::Relaxed);
            return Poll::Ready(());
        }
        if progress.is_whole() {
            return Poll::Ready(());
        }
        Poll::Pending
    })
    .await;
}
