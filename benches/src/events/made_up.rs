//! A fake engine with a thousand containers.

use std::thread::sleep;
use std::time::Instant;

use anyhow::Result;

use super::{GAP, OURS, SETTLE};
use crate::Run;
use crate::dns::wire::Asker;
use crate::dockline::{Dockline, INSTANCE};
use crate::engine::count::Relay;
use crate::engine::fake::{self, Fake};
use crate::measure::{len, millis};
use crate::report::Samples;

/// Containers.
pub(super) const COUNT: usize = 1_000;
const REPEATS: u32 = 15;

pub(super) fn measure(run: &Run, samples: &mut Samples) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (behind, socket) = (
        folder.path().join("fake.sock"),
        folder.path().join("count.sock"),
    );
    let engine = Fake::start(&behind, COUNT, INSTANCE)?;
    let relay = Relay::start(&socket, &behind)?;
    let dockline = Dockline::serve(&run.dockline, &socket, &run.out.join("events-serve.log"))?;
    let mut asker = Asker::new(dockline.dns)?;
    // The tunnel cannot start here, and its attempts are no calls for the map.
    let for_map = |line: &str| line.contains("/containers/") || line.contains("/networks/");
    let calls = || {
        len(relay
            .seen()
            .iter()
            .filter(|seen| for_map(&seen.line))
            .count())
    };
    asker.until(&fake::name(COUNT), true, GAP)?;
    for round in 1..=REPEATS {
        sleep(SETTLE);
        relay.forget();
        engine.guest(true);
        let told = Instant::now();
        let known = asker.until(fake::GUEST, true, GAP)?;
        samples.add(
            round,
            OURS,
            &format!("connect ms, {COUNT}"),
            millis(known - told),
        )?;
        sleep(SETTLE);
        samples.add(round, OURS, &format!("calls a connect, {COUNT}"), calls())?;
        relay.forget();
        engine.guest(false);
        asker.until(fake::GUEST, false, GAP)?;
        sleep(SETTLE);
        samples.add(
            round,
            OURS,
            &format!("calls a disconnect, {COUNT}"),
            calls(),
        )?;
    }
    Ok(())
}
