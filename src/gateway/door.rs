//! The gateway's side of its [door](crate::doorway): opens connections for other parts of dockline.

use std::sync::Arc;

use tokio::sync::mpsc;
use tracing::debug_span;

use super::Shared;
use super::dial::{Call, Dialled};
use crate::doorway::{Lease, Opened, Refused, Wish};
use crate::proxy::accept::{self, Place};

/// Takes wishes until told to stop; as many at a time as there may be connections.
pub(super) async fn attend(wishes: mpsc::Receiver<Wish>, shared: &Arc<Shared>, capacity: usize) {
    accept::receive(wishes, capacity, &shared.stop, |wish, place| {
        let span = debug_span!("wish", from = %wish.caller.address);
        let granted = grant(wish, Arc::clone(shared), place);
        span.in_scope(|| shared.tasks.spawn(granted));
    })
    .await;
}

async fn grant(wish: Wish, shared: Arc<Shared>, _place: Place) {
    let Wish {
        caller,
        destination,
        plain_http,
        mut answer,
    } = wish;
    let call = Call {
        client: caller.address,
        scope: caller.scope,
        destination,
        plain_http,
    };
    tokio::select! {
        // Nobody waits for it any more.
        () = answer.closed() => {}
        // Boxed: most of the time nobody dials.
        opened = Box::pin(open(call, shared)) => drop(answer.send(opened)),
    }
}

async fn open(call: Call, shared: Arc<Shared>) -> Result<Opened, Refused> {
    let dialled = shared.dialler.dial(call.clone()).await;
    let Dialled { end, way, entry } = dialled.map_err(|error| Refused {
        status: error.kind.status().as_u16(),
        reason: error.reason,
    })?;
    let talk = Arc::clone(entry.talk());
    let lease = Lease::new(move || {
        let _in_the_table = &entry;
        shared.dialler.permits(&call, &way)
    });
    Ok(Opened {
        stream: end.stream,
        early: end.early,
        talk,
        lease,
    })
}
