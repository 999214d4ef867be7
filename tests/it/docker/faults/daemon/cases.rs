//! What the engine is killed at, when, and who finds what is left.

use std::time::Duration;

use crate::docker::attach::deaths::STEPS;

/// What dockline is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Attach,
    Detach,
    /// A container is created in an intercepted shell, the first of its image.
    Create,
    /// The tunnel joins a network.
    Join,
    /// The tunnel leaves one.
    Leave,
    /// It leaves one, on which somebody is again before dockline hears of that.
    Return,
    /// `serve` begins, where it has never been.
    Begin,
    /// `serve` ends.
    End,
}

/// Who finds what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The service, which does not die.
    Same,
    /// Dockline dies with the engine: the next service.
    Service,
    /// As before, and there is none any more: `dockline clean`.
    Clean,
}

/// The calls by which it is done, but for those of [`STEPS`].
const OTHERS: [(Work, &str); 14] = [
    (Work::Create, "POST /volumes/create"),
    (Work::Create, "PUT /containers/"),
    (Work::Create, "DELETE /containers/"),
    (Work::Create, "POST /containers/create?name="),
    (Work::Join, "/connect"),
    (Work::Leave, "/disconnect"),
    (Work::Begin, "POST /images/create"),
    (Work::Begin, "POST /networks/create"),
    (Work::Begin, "DELETE /networks/"),
    (Work::Begin, "POST /containers/create"),
    (Work::Begin, "/start"),
    (Work::End, "/stop"),
    (Work::Leave, "/disconnect"),
    (Work::Return, "/disconnect"),
];

const POLICIES: [&str; 3] = ["always", "unless-stopped", "no"];

/// How long the engine is at a call when it is killed.
const MOMENTS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(3),
    Duration::from_millis(10),
    Duration::from_millis(40),
];

/// One death.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) work: Work,
    pub(super) step: &'static str,
    /// How long it is at it; nothing: it is done, and nobody has heard of that.
    pub(super) moment: Option<Duration>,
    /// Of the container that is there all the while.
    pub(super) policy: &'static str,
    pub(super) next: Next,
}

impl Case {
    /// Whether somebody else is on the network, whom the tunnel serves before, meanwhile and afterwards.
    pub(super) fn has_plain(&self) -> bool {
        !matches!(self.work, Work::Attach | Work::Begin | Work::End)
    }
}

pub(super) fn cases(live_restore: bool) -> impl Iterator<Item = Case> {
    let anew = [Work::Attach, Work::Detach];
    let anew = anew.into_iter().flat_map(|w| STEPS.map(|step| (w, step)));
    anew.chain(OTHERS)
        .enumerate()
        .map(move |(number, (work, step))| {
            let kind = usize::from(live_restore);
            let half = (number + kind) % 2 == 0;
            let serves = (number / 4 + kind) % 2 == 0;
            Case {
                work,
                step,
                moment: half.then_some(MOMENTS[number / 2 % MOMENTS.len()]),
                // Others are not touched by that step.
                policy: match step {
                    "/update" => "always",
                    _ => POLICIES[number % POLICIES.len()],
                },
                next: match number / 2 % 2 {
                    _ if work == Work::End => Next::Clean,
                    0 if serves => Next::Service,
                    0 => Next::Clean,
                    _ => Next::Same,
                },
            }
        })
}
