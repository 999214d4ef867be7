use super::*;

/// Something between the lines of a certificate.
fn pem(content: &str) -> String {
    let certificates = Certificates::from_iter([content.as_bytes().to_vec()]);
    certificates.to_pem()
}

fn ca() -> Ca {
    Ca::new(pem("authority").into())
}

fn wanted() -> Wanted {
    Wanted {
        bundles: vec!["/a.pem".to_owned(), "/b.pem".to_owned()],
        named: vec!["/own.pem".to_owned(), "/gone.pem".to_owned()],
        stores: vec!["/cacerts".to_owned()],
        settings: Vec::new(),
        folders: vec!["/etc/php".to_owned()],
    }
}

fn made(found: &[(&str, Vec<u8>)]) -> Files {
    let found = found.iter();
    let found = found.map(|(path, bytes)| ((*path).to_owned(), bytes.clone().into()));
    files(&ca(), &wanted(), &found.collect())
}

fn file<'a>(files: &'a Files, name: &str) -> &'a Bytes {
    &files.content.iter().find(|(n, _)| *n == name).unwrap().1
}

fn trusted(files: &Files) -> Vec<String> {
    let all = Certificates::from_pem(file(files, BUNDLE_FILE));
    all.iter()
        .map(|der| String::from_utf8_lossy(der).into_owned())
        .collect()
}

#[test]
fn a_bundle_is_what_the_image_trusts_and_what_is_named_and_the_authority() {
    let key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
    let first = format!("# one\n{}{key}{}{}", pem("one"), pem("two"), pem("one"));
    let files = made(&[
        ("/a.pem", first.into()),
        ("/b.pem", pem("three").into()),
        ("/own.pem", (pem("two") + &pem("own")).into()),
    ]);
    assert_eq!(trusted(&files), ["one", "two", "own", "authority"]);
    assert_eq!(files.included, ["/own.pem".to_owned()].into());
    assert_eq!(file(&files, CA_FILE), &pem("authority"));
    for name in ["php/dockline.ini", "apt.conf", "wgetrc"] {
        let text = String::from_utf8_lossy(file(&files, name));
        assert!(text.contains("/.dockline/ca-bundle.pem"), "{name}: {text}");
    }
}

#[test]
fn settings_of_the_image_come_before_ours() {
    let found = Found::from([("/etc/wgetrc".to_owned(), Bytes::from_static(b"tries = 3"))]);
    let files = files(&ca(), &wanted(), &found);
    let ours = "ca_certificate = /.dockline/ca-bundle.pem\n";
    assert_eq!(file(&files, "wgetrc"), &format!("tries = 3\n{ours}"));
}

#[test]
fn an_empty_bundle_is_none_and_an_image_that_trusts_nobody_gets_the_worlds() {
    let files = made(&[("/a.pem", Vec::new()), ("/b.pem", pem("three").into())]);
    assert_eq!(trusted(&files), ["three", "authority"]);
    let files = made(&[("/a.pem", b"no certificate".to_vec())]);
    let trusted = trusted(&files);
    assert!(trusted.len() > 100, "{}", trusted.len());
    assert_eq!(trusted.last().unwrap(), "authority");
    assert!(files.included.is_empty());
    let size: usize = files.content.iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(size < 1_000_000, "{size}");
}

#[test]
fn the_same_makes_the_same_and_what_differs_differs() {
    let roots = |name: &str| vec![("/a.pem", pem(name).into_bytes())];
    assert_eq!(made(&roots("one")).sha256(), made(&roots("one")).sha256());
    assert_ne!(made(&roots("one")).sha256(), made(&roots("two")).sha256());
    let other = Ca::new(pem("other").into());
    assert_ne!(ca().sha256(), other.sha256());
}

/// A store as `sun.security.provider.JavaKeyStore` writes it, with a key that is not trusted.
fn jks(version: u32) -> Vec<u8> {
    let mut store = Vec::new();
    let text = |store: &mut Vec<u8>, text: &str| {
        store.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        store.extend(text.as_bytes());
    };
    let block = |store: &mut Vec<u8>, bytes: &[u8]| {
        store.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
        store.extend(bytes);
    };
    let numbers = |store: &mut Vec<u8>, numbers: &[u32]| {
        store.extend(numbers.iter().flat_map(|n| n.to_be_bytes()));
    };
    numbers(&mut store, &[0xFEED_FEED, version, 2, 1]);
    text(&mut store, "key");
    numbers(&mut store, &[0, 0]);
    block(&mut store, b"encrypted");
    numbers(&mut store, &[1]);
    for (tag, der) in [(None, "leaf"), (Some(2), "java")] {
        if let Some(tag) = tag {
            numbers(&mut store, &[tag]);
            text(&mut store, "root");
            numbers(&mut store, &[0, 0]);
        }
        if version > 1 {
            text(&mut store, "X.509");
        }
        block(&mut store, der.as_bytes());
    }
    store.extend([0; 20]);
    store
}

#[test]
fn javas_own_stores_are_read() {
    for version in [1, 2] {
        let store = Certificates::from_store(&jks(version));
        assert_eq!(store, Certificates::from_iter([b"java".to_vec()]));
    }
    // Cut off anywhere, they are read as far as nothing.
    let whole = jks(2);
    for end in 0..whole.len() - 20 {
        assert!(Certificates::from_store(&whole[..end]).is_empty(), "{end}");
    }
}

#[test]
fn a_store_that_we_wrote_is_read_again() {
    // Real ones: the reader looks into them.
    let all = Certificates::of_mozilla();
    let read = Certificates::from_store(&pkcs12::store(&all));
    assert_eq!(read, all);
    assert!(read.len() > 100);
}

#[test]
fn java_trusts_what_its_store_held_and_what_the_bundle_holds() {
    let files = made(&[("/a.pem", pem("one").into()), ("/cacerts", jks(2))]);
    let store = file(&files, STORE_FILE);
    let place = |text: &str| store.windows(text.len()).position(|w| w == text.as_bytes());
    for name in ["java", "one", "authority"] {
        assert!(place(name).is_some(), "{name}");
    }
    assert!(place("leaf").is_none());
    assert_eq!(trusted(&files), ["one", "authority"]);
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_a_store_or_not(bytes: Vec<u8>) {
        let mut store = jks(2);
        drop(Certificates::from_store(&bytes));
        store.splice(8.., bytes);
        drop(Certificates::from_store(&store));
    }
}

#[test]
fn php_begins_with_a_preload_where_its_settings_allow_it() {
    for (settings, prepends) in [
        (None, false),
        (Some("memory_limit = 128M"), true),
        (Some("open_basedir = /srv"), false),
    ] {
        let found: Vec<_> = settings
            .into_iter()
            .map(|text| ("/etc/php", text.into()))
            .collect();
        let files = made(&found);
        let ini = String::from_utf8_lossy(file(&files, "php/dockline.ini")).into_owned();
        assert_eq!(
            ini.contains("auto_prepend_file = /.dockline/php/"),
            prepends,
            "{settings:?}"
        );
        assert!(
            ini.contains("openssl.cafile = /.dockline/ca-bundle.pem"),
            "{ini}"
        );
    }
}
