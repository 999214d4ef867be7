//! How much the tunnel may carry, from the limit on open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most connections at a time, however many files may be open: a bound on memory, far above what a network of containers needs.
const MOST: u64 = 16_384;
/// Files that are not connections: standard streams, the runtime's, listeners, name lookups.
const RESERVED: u64 = 64;
/// A tunnel is a socket to the client and one to its target; so is a caller.
const FILES_EACH: u64 = 2;
/// The most streams of the link that wait for callers.
const MOST_PARKED: u64 = 512;

/// How much there may be at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Clients on the home port.
    pub(crate) clients: usize,
    /// Callers at the entry.
    pub(crate) callers: usize,
    /// Streams of the link that wait for callers.
    pub(crate) parked: usize,
}

/// Raises the limit on open files as far as the container allows, and answers how much fits.
pub(crate) fn raise() -> Limits {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let files = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    fit(files)
}

/// `None` is no limit. Callers get a third, so that neither keeps the others out: what a caller sends comes back as a client,
/// and others are clients as well.
fn fit(files: Option<u64>) -> Limits {
    let files = files.unwrap_or(u64::MAX).saturating_sub(RESERVED);
    let parked = (files / 8).clamp(1, MOST_PARKED);
    let all = files.saturating_sub(parked) / FILES_EACH;
    let size = |number: u64| usize::try_from(number.clamp(1, MOST)).unwrap_or(usize::MAX);
    Limits {
        clients: size(all - all / 3),
        callers: size(all / 3),
        parked: size(parked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_carried_leaves_room_for_other_files() {
        for (files, clients, callers, parked) in [
            (None, 16_384, 16_384, 512),
            (Some(1_048_576), 16_384, 16_384, 512),
            (Some(20_000), 6_475, 3_237, 512),
            (Some(1_024), 280, 140, 120),
            (Some(10), 1, 1, 1),
        ] {
            let limits = Limits {
                clients,
                callers,
                parked,
            };
            assert_eq!(fit(files), limits, "{files:?}");
        }
    }
}
