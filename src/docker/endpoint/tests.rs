mod properties;

use std::fs;

use super::*;

fn surroundings(pairs: &[(&str, &str)]) -> Surroundings {
    let variables = pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Surroundings {
        variables: variables.collect(),
    }
}

#[test]
fn addresses_are_read_as_the_cli_reads_them() {
    for (text, shown) in [
        ("unix:///var/run/docker.sock", "unix:///var/run/docker.sock"),
        ("tcp://127.0.0.1:2375", "tcp://127.0.0.1:2375"),
        ("tcp://box", "tcp://box:2375"),
        ("http://box:80/", "tcp://box:80"),
        ("tcp://[::1]", "tcp://[::1]:2375"),
        ("tcp://[::1]:99", "tcp://[::1]:99"),
        (
            "npipe:////./pipe/docker_engine",
            "npipe:////./pipe/docker_engine",
        ),
    ] {
        assert_eq!(parse(text, None).unwrap().to_string(), shown);
    }
    let tls = TlsFiles::in_folder(Path::new("/certs"));
    assert_eq!(
        parse("tcp://box", Some(tls.clone())).unwrap(),
        Endpoint::Tls("box:2376".to_owned(), tls)
    );
}

#[test]
fn sockets_of_this_machine_are_near() {
    let tls = TlsFiles::in_folder(Path::new("/certs"));
    for (text, near) in [
        ("unix:///var/run/docker.sock", true),
        ("npipe:////./pipe/docker_engine", true),
        ("tcp://127.0.0.1:2375", true),
        ("tcp://127.9.9.9", true),
        ("tcp://[::1]", true),
        ("tcp://localhost:2375", true),
        ("tcp://box", false),
        ("tcp://10.0.0.1:2375", false),
        ("tcp://[2001:db8::1]:2375", false),
        ("tcp://localhost.example:2375", false),
    ] {
        for tls in [None, Some(tls.clone())] {
            assert_eq!(parse(text, tls).unwrap().is_near(), near, "{text}");
        }
    }
}

#[test]
fn other_addresses_are_refused_with_advice() {
    assert!(matches!(
        parse("ssh://me@box", None),
        Err(EndpointError::Ssh(_))
    ));
    for text in ["", "box", "unix://", "gopher://box"] {
        assert!(
            matches!(parse(text, None), Err(EndpointError::Malformed(_))),
            "{text}"
        );
    }
}

#[test]
fn the_order_is_the_clis() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path();
    write_context(config, "remote", "tcp://remote:1");
    write_context(config, "current", "tcp://current:1");
    fs::write(
        config.join("config.json"),
        r#"{"currentContext":"current"}"#,
    )
    .unwrap();
    let config = config.to_str().unwrap();
    let base = [("DOCKER_CONFIG", config)];
    let find = |host, context, more: &[(&str, &str)]| {
        let all: Vec<_> = base.iter().chain(more).copied().collect();
        find(host, context, &surroundings(&all))
            .unwrap()
            .to_string()
    };
    let docker_host = ("DOCKER_HOST", "tcp://env:1");
    let own = ("DOCKLINE_HOST", "tcp://own:1");
    assert_eq!(
        find(Some("tcp://flag:1"), Some("remote"), &[docker_host, own]),
        "tcp://flag:1"
    );
    assert_eq!(
        find(None, Some("remote"), &[docker_host, own]),
        "tcp://remote:1"
    );
    assert_eq!(find(None, None, &[docker_host, own]), "tcp://own:1");
    let named = ("DOCKLINE_CONTEXT", "remote");
    assert_eq!(find(None, None, &[docker_host, own, named]), "tcp://own:1");
    assert_eq!(find(None, None, &[docker_host, named]), "tcp://remote:1");
    assert_eq!(find(None, None, &[docker_host]), "tcp://env:1");
    assert_eq!(
        find(
            None,
            None,
            &[("DOCKER_HOST", ""), ("DOCKER_CONTEXT", "remote")]
        ),
        "tcp://remote:1"
    );
    assert_eq!(find(None, None, &[]), "tcp://current:1");
}

#[test]
fn tls_follows_the_variables() {
    let with =
        |pairs: &[(&str, &str)]| find(Some("tcp://box"), None, &surroundings(pairs)).unwrap();
    assert_eq!(with(&[]), Endpoint::Tcp("box:2375".to_owned()));
    let certs = TlsFiles::in_folder(Path::new("/certs"));
    assert_eq!(
        with(&[("DOCKER_CERT_PATH", "/certs")]),
        Endpoint::Tls("box:2376".to_owned(), certs)
    );
    let home = TlsFiles::in_folder(Path::new("/home/me/.docker"));
    assert_eq!(
        with(&[("DOCKER_TLS_VERIFY", "1"), ("HOME", "/home/me")]),
        Endpoint::Tls("box:2376".to_owned(), home)
    );
}

#[test]
fn a_missing_context_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let config = surroundings(&[("DOCKER_CONFIG", dir.path().to_str().unwrap())]);
    let error = find(None, Some("nowhere"), &config).unwrap_err();
    assert!(error.to_string().contains("\"nowhere\""), "{error}");
}

fn write_context(config: &Path, name: &str, host: &str) {
    // The folder is named by the hash; listing what `load` looks for would repeat the code under test.
    let digest = {
        use sha2::Digest as _;
        sha2::Sha256::digest(name.as_bytes())
    };
    let hex = digest
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let folder = config.join("contexts/meta").join(hex);
    fs::create_dir_all(&folder).unwrap();
    let meta = format!(r#"{{"Name":"{name}","Endpoints":{{"docker":{{"Host":"{host}"}}}}}}"#);
    fs::write(folder.join("meta.json"), meta).unwrap();
}
