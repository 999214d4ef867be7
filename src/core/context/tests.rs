use proptest::prelude::*;

use super::*;

/// Entries by name and content; a content of nothing is a link.
fn archive(entries: &[(&str, Option<&[u8]>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o640);
        header.set_mtime(1_700_000_000);
        header.set_uid(1234);
        if let Some(content) = content {
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, name, *content).unwrap();
        } else {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            archive.append_link(&mut header, name, "elsewhere").unwrap();
        }
    }
    archive.into_inner().unwrap()
}

/// What becomes of an archive in such pieces, and what was found in it.
fn turned(archive: &[u8], wanted: &str, size: usize, to: &str) -> (Vec<u8>, Vec<String>) {
    let mut found = Vec::new();
    let edit = |is: Match, content: Option<&[u8]>| {
        let content = content.map(String::from_utf8_lossy);
        found.push(format!("{is:?} {content:?}"));
        (to != "stay" && content.is_some()).then(|| to.as_bytes().to_vec())
    };
    let added = self::archive(&[("added", Some(b"more"))]);
    let added = added[..1024].to_vec();
    let mut context = Context::new(wanted, added, edit);
    let mut out = Vec::new();
    for (at, piece) in archive.chunks(size).enumerate() {
        // Who has a piece that passes as it is may pass it.
        if at % 2 == 0 && context.passes() >= piece.len() as u64 {
            context.passed(piece.len());
            out.extend_from_slice(piece);
        } else {
            context.push(piece, &mut out);
        }
    }
    context.finish(&mut out);
    drop(context);
    (out, found)
}

const LONG: &str = "a-folder-with-a-long-name/a-folder-with-a-long-name/a-folder-with-a-long-name/a-folder-with-a-long-name/Dockerfile";

/// Without the entry that was added, and where that was.
fn without_added(mut out: Vec<u8>) -> (Vec<u8>, Option<usize>) {
    let added = archive(&[("added", Some(b"more"))]);
    let at = out
        .windows(1024)
        .position(|window| *window == added[..1024]);
    if let Some(at) = at {
        out.drain(at..at + 1024);
    }
    (out, at)
}

#[test]
fn the_dockerfile_is_another_one_and_all_else_the_same() {
    let large = vec![7; 3000];
    for wanted in ["Dockerfile", "./sub//Dockerfile", LONG] {
        let name = wanted.replace("//", "/");
        let entries = |content| {
            archive(&[
                ("a", Some(&large)),
                (&name, Some(content)),
                ("z", Some(b"z")),
            ])
        };
        for (size, content, to) in [
            (1, "", "new"),
            (511, "FROM a", ""),
            (100_000, "FROM a", &*"x".repeat(600)),
        ] {
            let (out, found) = turned(&entries(content.as_bytes()), wanted, size, to);
            let expected = entries(to.as_bytes());
            let (rest, at) = without_added(out);
            assert_eq!(rest, expected, "{wanted} in pieces of {size}");
            let before = archive(&[("a", Some(&large))]).len() - 1024;
            assert_eq!(at, Some(before), "{wanted}");
            assert_eq!(found, [format!("Exact {:?}", Some(content))]);
            let again = turned(&entries(content.as_bytes()), wanted, size, "stay");
            assert_eq!(again.0, entries(content.as_bytes()));
        }
    }
}

#[test]
fn posix_records_name_the_next_entry() {
    let mut packed = tar::Builder::new(Vec::new());
    packed
        .append_pax_extensions([("path", &b"Dockerfile"[..]), ("mtime", b"1.5")])
        .unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_size(3);
    packed
        .append_data(&mut header, "short", &b"old"[..])
        .unwrap();
    let packed = packed.into_inner().unwrap();
    let (out, found) = turned(&packed, "Dockerfile", 100, "other");
    assert_eq!(found, ["Exact Some(\"old\")"]);
    let (out, at) = without_added(out);
    assert_eq!(at, Some(0), "before all that is said of the Dockerfile");
    let mut read = tar::Archive::new(&out[..]);
    let mut entries = read.entries().unwrap();
    let mut entry = entries.next().unwrap().unwrap();
    assert_eq!(entry.path().unwrap().to_str(), Some("Dockerfile"));
    let mut content = String::new();
    std::io::Read::read_to_string(&mut entry, &mut content).unwrap();
    assert_eq!(content, "other");
}

#[test]
fn what_is_no_plain_dockerfile_is_told() {
    for (name, found) in [
        ("dockerfile", vec!["Lower Some(\"x\")"]),
        ("sub/Dockerfile", vec![]),
        ("other", vec![]),
    ] {
        let packed = archive(&[(name, Some(b"x"))]);
        assert_eq!(turned(&packed, "Dockerfile", 64, "stay").1, found, "{name}");
    }
    let link = archive(&[("Dockerfile", None), ("elsewhere", Some(b"x"))]);
    let (out, found) = turned(&link, "Dockerfile", 64, "new");
    assert_eq!((out, found), (link, vec!["Exact None".to_owned()]));
    // Longer than any Dockerfile.
    let large = vec![b'x'; usize::try_from(LONGEST).unwrap() + 1];
    let large = archive(&[("Dockerfile", Some(&large))]);
    let (out, found) = turned(&large, "Dockerfile", 65_536, "new");
    assert_eq!((out == large, found), (true, vec!["Exact None".to_owned()]));
}

#[test]
fn nothing_is_held_back_but_headers_and_the_dockerfile() {
    let mut context = Context::new("Dockerfile", Vec::new(), |_, _| None);
    let (mut passed, mut out) = (0, Vec::new());
    let large = vec![7; 1_000_000];
    let packed = archive(&[
        ("Dockerfile", Some(b"FROM a")),
        ("a", Some(&large)),
        ("b", Some(&large)),
    ]);
    for (at, piece) in packed.chunks(1000).enumerate() {
        context.push(piece, &mut out);
        passed += out.len();
        out.clear();
        assert!((at + 1) * 1000 <= passed + 3 * BLOCK + 1000, "at {at}");
    }
}

fn contents() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let name = prop_oneof![
        Just("Dockerfile".to_owned()),
        Just(LONG.to_owned()),
        "[a-z]{1,9}(/[a-z]{1,9}){0,3}"
    ];
    let content = prop::collection::vec(any::<u8>(), 0..1500);
    prop::collection::vec((name, content), 0..6)
}

proptest! {
    /// In any pieces, cut off anywhere, damaged anywhere: what is not edited passes as it is.
    #[test]
    fn what_is_not_edited_passes(entries in contents(), size in 1_usize..2000, cut in any::<prop::sample::Index>(), damage in any::<Option<prop::sample::Index>>()) {
        let entries: Vec<_> = entries.iter().map(|(name, content)| (name.as_str(), Some(&content[..]))).collect();
        let mut packed = archive(&entries);
        packed.truncate(cut.index(packed.len() + 1));
        if let Some(damage) = damage.filter(|_| !packed.is_empty()) {
            let at = damage.index(packed.len());
            packed[at] = !packed[at];
        }
        prop_assert_eq!(turned(&packed, "Dockerfile", size, "stay").0, packed);
    }

    /// And of what is edited, all other entries do.
    #[test]
    fn other_entries_pass(entries in contents(), size in 1_usize..2000) {
        let new = b"FROM other".to_vec();
        let entries: Vec<_> = entries.iter().map(|(name, content)| (name.as_str(), Some(&content[..]))).collect();
        let expected: Vec<_> = entries.iter().map(|(name, content)| {
            let is = *name == "Dockerfile";
            (*name, if is { Some(&new[..]) } else { *content })
        }).collect();
        let (out, _) = turned(&archive(&entries), "Dockerfile", size, "FROM other");
        prop_assert_eq!(without_added(out).0, archive(&expected));
    }

    #[test]
    fn noise_passes(noise in prop::collection::vec(any::<u8>(), 0..3000), size in 1_usize..600) {
        prop_assert_eq!(turned(&noise, "Dockerfile", size, "new").0, noise);
    }
}
