//! The gateway's side of its [door](crate::doorway): opens connections for other parts of dockline.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tracing::debug_span;

use super::Shared;
use super::dial::{Call, Dialled};
use crate::doorway::{Lease, Opened, Refused, Wish};

/// Takes wishes until told to stop; as many at a time as there may be connections.
pub(super) async fn attend(
    mut wishes: mpsc::Receiver<Wish>,
    shared: &Arc<Shared>,
    capacity: usize,
) {
    let places = Arc::new(Semaphore::new(capacity));
    let mut next = async || {
        let place = Arc::clone(&places).acquire_owned().await.ok()?;
        Some((wishes.recv().await?, place))
    };
    while let Some(Some((wish, place))) = shared.stop.run_until_cancelled(next()).await {
        let Wish {
            caller,
            destination,
            plain_http,
            mut answer,
        } = wish;
        let span = debug_span!("wish", from = %caller.address);
        let call = Call {
            client: caller.address,
            scope: caller.scope,
            destination,
            plain_http,
        };
        let shared_too = Arc::clone(shared);
        let opened = async move {
            tokio::select! {
                // Nobody waits for it any more.
                () = answer.closed() => {}
                // Boxed: most of the time nobody dials.
                opened = Box::pin(open(call, shared_too)) => drop(answer.send(opened)),
            }
            drop(place);
        };
        span.in_scope(|| shared.spawn(opened));
    }
}

async fn open(call: Call, shared: Arc<Shared>) -> Result<Opened, Refused> {
    let dialled = shared.dialler.dial(call.clone()).await;
    let Dialled { end, way, entry } = dialled.map_err(|error| Refused {
        status: error.kind.status().as_u16(),
        reason: error.reason,
    })?;
    let lease = Lease::new(move || {
        let _in_the_table = &entry;
        shared.dialler.permits(&call, &way)
    });
    Ok(Opened {
        stream: end.stream,
        early: end.early,
        lease,
    })
}
