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

/// Whether a request has been passed on to its end.
#[derive(Debug, Default)]
pub(crate) struct Whole(AtomicBool);

impl Whole {
    pub(crate) fn is(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How somebody else hears of it that a client has said that nothing more will come from it. Most who do so have gone, which is not
/// to be told from one that still listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HalfClose {
    /// Whether whom the request went to is told the same, and may give it up.
    pub(crate) passes: bool,
    /// How long an answer is waited for.
    pub(crate) patience: Duration,
}

/// After a request was passed on, or was not: listens whether the client goes away. Ends only if something broke, or after the
/// patience with one that is half closed.
pub(crate) async fn listen<C: AsyncRead, T: AsyncWrite>(
    passed: Result<(), Broke>,
    client: &mut Inbound<C>,
    to: &mut WriteHalf<T>,
    whole: &Whole,
    half_close: HalfClose,
) -> Asked {
    match passed {
        Ok(()) => whole.0.store(true, Ordering::Relaxed),
        Err(Broke::To(_)) => return Asked::Stopped,
        Err(error @ (Broke::From(_) | Broke::Malformed(_))) => {
            debug!(%error, "a request broke off");
            return Asked::Gone;
        }
    }
    match client.ends().await {
        Ok(()) if !half_close.passes || to.shutdown().await.is_ok() => {
            sleep(half_close.patience).await;
            Asked::Gone
        }
        Ok(()) => Asked::Stopped,
        Err(_) => Asked::Gone,
    }
}

/// Runs both directions until the answer has been passed on. Nothing if the client has gone before.
pub(crate) async fn both<A>(
    mut asking: Pin<&mut impl Future<Output = Asked>>,
    answering: impl Future<Output = A>,
) -> Option<A> {
    let mut answering = pin!(answering);
    tokio::select! {
        answered = &mut answering => Some(answered),
        asked = &mut asking => match asked {
            Asked::Stopped => Some(answering.await),
            Asked::Gone => None,
        },
    }
}

/// Goes on with a request that was answered before its end, while the other side takes it.
pub(crate) async fn finish(mut asking: Pin<&mut impl Future<Output = Asked>>, whole: &Whole) {
    poll_fn(|cx| {
        if whole.is() || asking.as_mut().poll(cx).is_ready() || whole.is() {
            return Poll::Ready(());
        }
        Poll::Pending
    })
    .await;
}
