//! How many connections the tunnel may carry, from the limit on open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most connections at a time, however many files may be open: a bound on memory, far above what a network of containers needs.
const MOST: u64 = 16_384;
/// Files that are not connections: standard streams, the runtime's, listeners, name lookups.
const RESERVED: u64 = 64;
/// A tunnel is a socket to the client and one to its target.
const FILES_EACH: u64 = 2;

/// Raises the limit on open files as far as the container allows, and answers how many connections fit.
pub(crate) fn connections() -> usize {
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

/// `None` is no limit.
fn fit(files: Option<u64>) -> usize {
    let files = files.unwrap_or(u64::MAX);
    let connections = (files.saturating_sub(RESERVED) / FILES_EACH).clamp(1, MOST);
    usize::try_from(connections).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_other_files() {
        for (files, connections) in [
            (None, 16_384),
            (Some(1_048_576), 16_384),
            (Some(1_024), 480),
            (Some(10), 1),
        ] {
            assert_eq!(fit(files), connections, "{files:?}");
        }
    }
}
