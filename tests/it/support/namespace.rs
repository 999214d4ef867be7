//! The network namespaces of containers: what only root on the engine's own machine can get into.

use std::fs::File;
use std::os::fd::AsFd;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// What `open` makes in the network namespace of process `pid`, to which sockets belong wherever they are used from.
/// Nothing, if that cannot be entered: the engine is in a virtual machine, or this is not root.
pub(crate) fn in_network_of<T: Send>(pid: u32, open: impl FnOnce() -> T + Send) -> Option<T> {
    let link = File::open(format!("/proc/{pid}/ns/net")).ok()?;
    // A thread of its own, because one that has moved stays there.
    std::thread::scope(|scope| {
        let opener = scope.spawn(move || {
            let space = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(link.as_fd(), space).ok()?;
            Some(open())
        });
        opener.join().unwrap()
    })
}
