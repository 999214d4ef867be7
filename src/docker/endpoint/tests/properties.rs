//! Whatever stands in a variable or in a file of the Docker CLI: an endpoint or an error.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn any_text_is_an_endpoint_or_refused(
        text in "(unix|tcp|http|https|npipe|ssh|x)?(://)?[a-z0-9.:/\\[\\]]{0,20}|\\PC{0,24}",
        with_tls in any::<bool>(),
    ) {
        let tls = with_tls.then(|| TlsFiles::in_folder(Path::new("/certs")));
        let _ = parse(&text, tls);
        if let Ok(endpoint) = parse(&text, None) {
            // What is shown to people is what they can give back.
            let again = parse(&endpoint.to_string(), None);
            prop_assert_eq!(again.unwrap(), endpoint);
        }
    }
}

proptest! {
    // Each case writes files.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn files_of_any_content_are_read_or_refused(
        config in contents(r#"{"currentContext":"c"}"#),
        meta in contents(r#"{"Name":"c","Endpoints":{"docker":{"Host":"tcp://c:1"}}}"#),
    ) {
        let dir = tempfile::tempdir().unwrap();
        write_context(dir.path(), "c", "tcp://c:1");
        fs::write(dir.path().join("config.json"), &config).unwrap();
        let folder = fs::read_dir(dir.path().join("contexts/meta")).unwrap().next().unwrap();
        fs::write(folder.unwrap().path().join("meta.json"), &meta).unwrap();
        let surroundings = surroundings(&[("DOCKER_CONFIG", dir.path().to_str().unwrap())]);
        let named = find(None, Some("c"), &surroundings);
        match &named {
            Ok(_) | Err(EndpointError::BadContext { .. } | EndpointError::Malformed(_) | EndpointError::Ssh(_)) => {}
            Err(other) => prop_assert!(false, "{other}"),
        }
        let _ = find(None, None, &surroundings);
    }
}

/// A file as it should be, one with bytes cut out or put in, or anything.
fn contents(sound: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let changed = (
        0..sound.len(),
        0..sound.len(),
        prop::collection::vec(any::<u8>(), 0..4),
    )
        .prop_map(|(one, other, put): (usize, usize, Vec<u8>)| {
            let mut bytes = sound.as_bytes().to_vec();
            bytes.splice(one.min(other)..one.max(other), put);
            bytes
        });
    prop_oneof![
        1 => Just(sound.as_bytes().to_vec()),
        4 => changed,
        2 => prop::collection::vec(any::<u8>(), 0..60),
        1 => prop::sample::select(&["null", "[]", "{}", "{\"Endpoints\":[]}", "{\"currentContext\":7}", ""][..])
            .prop_map(|text| text.as_bytes().to_vec()),
    ]
}
