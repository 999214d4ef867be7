//! dockline and Docker's own resolver are asked the same, in a town of random names that changes all the time.
//!
//! What a container itself would find is what its `/etc/hosts` says, else what 127.0.0.11 answers in its network
//! namespace. `DOCKLINE_CONFORM_SEED` and `DOCKLINE_CONFORM_ROUNDS` ask for another town, or for more; every mismatch
//! is printed with the two. Needs root on the engine's own machine.

mod ask;
mod chance;
mod compare;
mod facts;
mod inside;
mod names;
mod plan;
mod swarm;
mod town;
mod watch;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::support::{Lab, on_each_engine};
use compare::Tally;
use town::Town;
use watch::Watch;

/// What CI asks for.
const SEED: u64 = 1;
const ROUNDS: u64 = 2;

#[test]
fn names_mean_what_they_mean_to_docker() {
    let seed = number("DOCKLINE_CONFORM_SEED").unwrap_or(SEED);
    let rounds = number("DOCKLINE_CONFORM_ROUNDS").unwrap_or(ROUNDS);
    // So that the second engine is asked, whatever the first one said.
    let mismatches = AtomicUsize::new(0);
    on_each_engine(async |lab| {
        let mut tally = Tally::default();
        let began = Instant::now();
        if inquire(&lab, (seed, rounds), &mut tally).await.is_none() {
            println!("skipped: only root on the engine's own machine can look into containers");
            return;
        }
        println!(
            "conform: engine {}, seed {seed}, {rounds} rounds: {} questions in {:.0?} ({:.0?} of it asking), \
             {} mismatches; found {:?}",
            lab.engine.name,
            tally.asked,
            began.elapsed(),
            tally.asking,
            tally.mismatches,
            tally.found
        );
        mismatches.fetch_add(tally.mismatches, Ordering::Relaxed);
        assert_not_vacuous(&tally);
    });
    assert_eq!(mismatches.into_inner(), 0, "see the lines above");
}

/// A town, and what is asked in it after each round of changes.
async fn inquire(lab: &Lab, (seed, rounds): (u64, u64), tally: &mut Tally) -> Option<()> {
    let watch = Watch::start(lab);
    let mut town = Town::build(lab, seed);
    tally.tells_names = town.tells_names;
    for round in 0..=rounds {
        if round > 0 {
            town.change();
        }
        let map = watch.settled(lab).await;
        let facts = facts::of(lab);
        let known = (town.scene.names.as_slice(), town.scene.networks.as_slice());
        let candidates = names::candidates(&facts, known, &mut town.chance);
        let before = tally.mismatches;
        let place = format!("seed {seed} round {round} engine {}", lab.engine.name);
        compare::compare(&map, &facts, &candidates, (&place, tally)).await?;
        if tally.mismatches > before {
            println!("{place} had:\n    {}", town.story.join("\n    "));
        }
    }
    town.remove();
    Some(())
}

/// Every kind of name must have been found somewhere, or nothing was compared.
fn assert_not_vacuous(tally: &Tally) {
    let found: usize = tally.found.values().sum();
    assert!(found > 300 && tally.elsewhere > 300, "{tally:?}");
    // Before engine 25, names that the engine made up are in nobody's view.
    for kind in names::KINDS {
        let known = kind != names::MADE_UP || tally.tells_names;
        assert_eq!(tally.found.contains_key(kind), known, "{kind}: {tally:?}");
    }
    assert!(tally.found.contains_key("address"), "{tally:?}");
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var_os(variable)?.into_string().unwrap();
    Some(text.parse().expect("a number"))
}
