//! What dockline must withstand, on real engines: behind a relay where the engine's own connections must fail.

mod daemon;
mod engine;
mod killed;
mod leftovers;
mod outage;
mod tunnel;

use crate::support::{Lab, Picture, Running, eventually};

fn tunnel_of(lab: &Lab) -> String {
    format!("dockline-tunnel-{}", lab.name)
}

fn home_of(lab: &Lab) -> String {
    format!("0-dockline-{}", lab.name)
}

/// The map of a service that has just started: a fresh listing.
async fn fresh(lab: &Lab) -> Picture {
    let watched = lab.watched();
    let other = format!("{}f", lab.name);
    let running = Running::launch(&other, &lab.engine.host, |config| {
        config.selector.matches = vec![watched.as_str().into()];
        config.tunnel_image = Some("absent".to_owned());
    })
    .await;
    running.ready().await;
    let picture = running.picture().await;
    running.stop().await;
    picture
}

/// Waits until the map is that of a fresh listing.
async fn is_fresh(running: &Running, lab: &Lab) {
    let listed = fresh(lab).await;
    eventually("the map of a fresh listing", async || {
        let seen = running.picture().await;
        if seen == listed {
            Ok(())
        } else {
            Err(format!("{seen:?}, but it is {listed:?}"))
        }
    })
    .await;
}

/// What of the instance is in the engine.
fn made(lab: &Lab) -> Vec<String> {
    let all = lab.labelled("dockline.role").into_iter();
    all.filter(|name| name.contains(&lab.name)).collect()
}
