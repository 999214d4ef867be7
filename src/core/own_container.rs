//! Which container a process may be in, by what the kernel tells it. The engine has the last word: it knows its own.

/// Files that engines put into every container, each from that container's own folder.
const OWN_FILES: [&str; 3] = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];
/// Digits of an id.
const ID: usize = 64;
/// Digits that a container is called by on its networks, unless it was given a name for them.
const SHORT_ID: usize = 12;

/// Ids that may be the process's own container's, the likeliest first: out of `/proc/self/mountinfo`, out of
/// `/proc/self/cgroup`, and this machine's name. On a machine that is no container there are none, as a rule.
pub fn candidates(mountinfo: &str, cgroups: &str, hostname: &str) -> Vec<String> {
    let mounted = mountinfo.lines().filter_map(mounted);
    // Of nested groups, and containers, the innermost is the last.
    let grouped = cgroups.lines().filter_map(|line| ids(line).next_back());
    let hostname = hostname.trim();
    let named = Some(hostname).filter(|name| is_hex(name) && name.len() >= SHORT_ID);
    let mut found: Vec<String> = Vec::new();
    for id in mounted.chain(grouped).chain(named) {
        if !found.iter().any(|known| known == id) {
            found.push(id.to_owned());
        }
    }
    found
}

/// The id in the folder that one of the files comes from. Elsewhere there may be ids of others: an engine's own mounts.
fn mounted(line: &str) -> Option<&str> {
    let mut fields = line.split(' ');
    let (root, point) = (fields.nth(3)?, fields.next()?);
    let is_own = OWN_FILES.contains(&point);
    is_own.then(|| ids(root).next_back()).flatten()
}

/// What has the form of an id.
fn ids(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(|word| word.len() == ID && is_hex(word))
}

fn is_hex(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: char) -> String {
        digit.to_string().repeat(ID)
    }

    fn check(mountinfo: &str, cgroups: &str, hostname: &str, expected: &[&str]) {
        let expand = |text: &str| {
            let replaced = ['a', 'b', 'c'].into_iter();
            replaced.fold(text.to_owned(), |text, digit| {
                text.replace(&format!("<{digit}>"), &id(digit))
            })
        };
        let found = candidates(&expand(mountinfo), &expand(cgroups), hostname);
        let expected: Vec<_> = expected.iter().map(|text| expand(text)).collect();
        assert_eq!(found, expected, "{mountinfo} {cgroups} {hostname}");
    }

    #[test]
    fn a_container_is_told_by_its_files() {
        let docker = "612 598 254:1 /var/lib/docker/containers/<a>/hostname /etc/hostname rw,relatime - ext4 /dev/vda1 rw";
        check(docker, "0::/", "web", &["<a>"]);
        check(docker, "0::/", "aaaaaaaaaaaa", &["<a>", "aaaaaaaaaaaa"]);
        // Their folder is a file system of its own.
        let apart = "612 598 254:1 /<a>/resolv.conf /etc/resolv.conf rw - ext4 /dev/vdb rw";
        check(apart, "", "", &["<a>"]);
        let podman =
            "1 2 0:3 /storage/overlay-containers/<b>/userdata/hosts /etc/hosts rw - tmpfs tmpfs rw";
        check(podman, "", "", &["<b>"]);
        let both = format!("{docker}\n{}", docker.replace("hostname", "hosts"));
        check(&both, "", "", &["<a>"]);
    }

    #[test]
    fn or_by_its_group_or_its_name() {
        check("", "12:memory:/docker/<a>\n0::/docker/<a>", "", &["<a>"]);
        check("", "0::/system.slice/docker-<a>.scope", "", &["<a>"]);
        check("", "3:cpu:/docker/<a>/docker/<b>", "", &["<b>"]);
        check("", "0::/", "0123456789ab\n", &["0123456789ab"]);
    }

    #[test]
    fn a_machine_is_no_container_and_others_are_not_this_one() {
        let engine = "99 31 0:52 / /var/lib/docker/containers/<c>/mounts/shm rw - tmpfs shm rw";
        check(
            engine,
            "0::/user.slice/user-1000.slice/session-1.scope",
            "",
            &[],
        );
        let overlay = "98 31 0:51 / /var/lib/docker/overlay2/<c>/merged rw - overlay overlay rw";
        check(overlay, "", "laptop", &[]);
        check("31 1 254:1 / / rw - ext4 /dev/vda rw", "", "cafe", &[]);
        // A layer's folder, not a container's.
        let root = "1 2 0:3 /layers/<c>/diff / rw - ext4 /dev/vda rw";
        check(root, "", "DEADBEEFDEADBEEF", &[]);
        check("short line", "", "", &[]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(mountinfo in "\\PC{0,80}", cgroups in "\\PC{0,80}", hostname in "\\PC{0,20}") {
            for id in candidates(&mountinfo, &cgroups, &hostname) {
                proptest::prop_assert!(is_hex(&id) && id.len() >= SHORT_ID);
            }
        }
    }
}
