use serde_json::{Value, json};

use super::Create;
use crate::core::id::Instance;
use crate::core::inject::{Authority, Entry, Injection};

fn injection(authority: bool) -> Injection {
    let instance: Instance = "default".parse().unwrap();
    Injection {
        entry: Entry::Name(instance.clone()),
        instance,
        authority: authority.then(|| Authority {
            sha256: "abc".to_owned(),
            volume: "dockline-default-abc".to_owned(),
            included: ["/corp.pem".to_owned()].into(),
        }),
        no_proxy: "git.test".to_owned(),
        intercept_loopback: false,
    }
}

/// The body after injection.
fn injected(body: &Value, image_env: &[&str], authority: bool) -> Value {
    let mut create = Create::read(body.to_string().as_bytes()).unwrap();
    let image_env: Vec<_> = image_env.iter().map(|&e| e.to_owned()).collect();
    create.inject(&injection(authority), &image_env).unwrap();
    serde_json::from_slice(&create.into_body().unwrap().unwrap()).unwrap()
}

fn variable<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    let pairs = body["Env"].as_array()?.iter().filter_map(Value::as_str);
    let mut found = pairs
        .filter_map(|pair| pair.split_once('='))
        .filter(|(key, _)| *key == name);
    let value = found.next()?.1;
    assert!(found.next().is_none(), "{name} stands twice");
    Some(value)
}

fn undo(body: &Value) -> Value {
    serde_json::from_str(body["Labels"]["dockline.undo"].as_str().unwrap()).unwrap()
}

#[test]
fn a_container_gets_its_proxy_in_every_spelling() {
    let body = injected(&json!({ "Image": "web" }), &[], false);
    let url = "http://dockline-tunnel-default:8790";
    for name in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "npm_config_proxy",
    ] {
        assert_eq!(variable(&body, name), Some(url), "{name}");
    }
    assert_eq!(
        variable(&body, "no_proxy"),
        Some("git.test,localhost,127.0.0.1,::1")
    );
    assert_eq!(
        variable(&body, "JAVA_TOOL_OPTIONS"),
        Some(
            "-Dhttp.proxyHost=dockline-tunnel-default -Dhttp.proxyPort=8790 \
             -Dhttps.proxyHost=dockline-tunnel-default -Dhttps.proxyPort=8790 \
             -Dhttp.nonProxyHosts=localhost|127.*|[::1]|git.test|*.git.test"
        )
    );
    assert_eq!(variable(&body, "NODE_EXTRA_CA_CERTS"), None);
    assert_eq!(body["Labels"]["dockline.instance"], "default");
    assert_eq!(undo(&body)["env"]["HTTP_PROXY"], Value::Null);
    assert_eq!(body["HostConfig"], Value::Null);
}

#[test]
fn what_user_and_image_say_is_kept_or_noted() {
    let body = json!({
        "Image": "web",
        "Env": ["A=1", "NO_PROXY=db, .corp", "HTTP_PROXY=http://corp:3128", "http_proxy"],
        "Labels": { "team": "shop", "com.docker.compose.config-hash": "h1" },
    });
    let image = ["JAVA_TOOL_OPTIONS=-Xmx1g", "no_proxy=cache", "PATH=/bin"];
    let body = injected(&body, &image, false);
    assert_eq!(body["Env"][0], "A=1");
    let exceptions = Some("db,.corp,cache,git.test,localhost,127.0.0.1,::1");
    assert_eq!(variable(&body, "NO_PROXY"), exceptions);
    assert_eq!(variable(&body, "no_proxy"), exceptions);
    assert!(
        variable(&body, "JAVA_TOOL_OPTIONS")
            .unwrap()
            .starts_with("-Xmx1g -Dhttp")
    );
    assert_eq!(variable(&body, "PATH"), None, "the image's own");
    let labels = &body["Labels"];
    assert_eq!(labels["team"], "shop");
    assert_eq!(
        labels["com.docker.compose.config-hash"],
        "h1+dockline:default"
    );
    let undo = undo(&body);
    assert_eq!(undo["env"]["HTTP_PROXY"], "http://corp:3128");
    assert_eq!(undo["env"]["NO_PROXY"], "db, .corp");
    assert_eq!(undo["env"]["JAVA_TOOL_OPTIONS"], Value::Null);
    assert_eq!(undo["labels"]["com.docker.compose.config-hash"], "h1");
    let proxy = json!({ "http": "http://corp:3128", "exceptions": "db, .corp,cache" });
    assert_eq!(undo["proxy"], proxy);
}

#[test]
fn the_authority_comes_in_a_volume() {
    let body = json!({ "hostconfig": { "Mounts": [{ "Type": "tmpfs", "Target": "/x" }] } });
    let body = injected(&body, &["NODE_EXTRA_CA_CERTS=/own.pem"], true);
    let mounts = body["hostconfig"]["Mounts"].as_array().unwrap();
    assert_eq!(mounts[0], json!({ "Type": "tmpfs", "Target": "/x" }));
    assert_eq!(mounts[1]["Source"], "dockline-default-abc");
    assert_eq!(mounts[1]["Target"], "/.dockline");
    assert_eq!(mounts[1]["ReadOnly"], true);
    assert_eq!(body["Labels"]["dockline.ca"], "abc");
    assert_eq!(undo(&body)["mounts"], json!(["/.dockline"]));
}

#[test]
fn what_is_trusted_is_extended_and_never_lost() {
    let own = json!({ "Env": [
        "CURL_CA_BUNDLE=/corp.pem",
        "GIT_SSL_CAINFO=/elsewhere.pem",
        "PIP_CERT=",
        "JAVA_TOOL_OPTIONS=-Xmx1g",
    ] });
    let image = [
        "NODE_EXTRA_CA_CERTS=/corp.pem",
        "SSL_CERT_FILE=/.dockline/ca-bundle.pem",
        "AWS_CA_BUNDLE=aws.pem",
        "PHP_INI_SCAN_DIR=/php.d",
        "NODE_OPTIONS=--no-warnings",
        "PYTHONPATH=/app",
        "APT_CONFIG=/own.conf",
    ];
    let body = injected(&own, &image, true);
    let bundle = Some("/.dockline/ca-bundle.pem");
    for (name, value) in [
        ("SSL_CERT_FILE", bundle),
        ("REQUESTS_CA_BUNDLE", bundle),
        // What it held is in the bundle.
        ("CURL_CA_BUNDLE", bundle),
        ("NODE_EXTRA_CA_CERTS", bundle),
        ("DENO_CERT", Some("/.dockline/ca.pem")),
        // What could not be read stays.
        ("GIT_SSL_CAINFO", Some("/elsewhere.pem")),
        ("AWS_CA_BUNDLE", None),
        ("PIP_CERT", bundle),
        ("PHP_INI_SCAN_DIR", Some("/php.d:/.dockline/php")),
        ("SSL_CERT_DIR", None),
        (
            "NODE_OPTIONS",
            Some("--no-warnings --require /.dockline/node.cjs"),
        ),
        ("PYTHONPATH", Some("/.dockline/python:/app")),
        ("APT_CONFIG", None),
        ("SYSTEM_WGETRC", Some("/.dockline/wgetrc")),
    ] {
        assert_eq!(variable(&body, name), value, "{name}");
    }
    let java = variable(&body, "JAVA_TOOL_OPTIONS").unwrap();
    assert!(java.starts_with("-Xmx1g "), "{java}");
    assert!(
        java.ends_with(
            " -Djavax.net.ssl.trustStore=/.dockline/truststore.p12 -Djavax.net.ssl.trustStoreType=PKCS12"
        ),
        "{java}"
    );
    let undone = undo(&body)["env"].clone();
    assert_eq!(undone["CURL_CA_BUNDLE"], "/corp.pem");
    assert_eq!(undone["NODE_EXTRA_CA_CERTS"], Value::Null);
    assert_eq!(undone.get("GIT_SSL_CAINFO"), None);

    let body = injected(&json!({ "Env": ["PHP_INI_SCAN_DIR="] }), &[], true);
    assert_eq!(variable(&body, "PHP_INI_SCAN_DIR"), Some("/.dockline/php"));
    let body = injected(&json!({}), &[], true);
    assert_eq!(variable(&body, "PHP_INI_SCAN_DIR"), Some(":/.dockline/php"));
    assert_eq!(variable(&body, "PYTHONPATH"), Some("/.dockline/python"));
    let body = injected(&json!({}), &["NODE_VERSION=24.9.0"], true);
    assert_eq!(variable(&body, "NODE_OPTIONS"), None, "it needs no preload");
    assert_eq!(
        variable(&body, "NODE_EXTRA_CA_CERTS"),
        Some("/.dockline/ca.pem")
    );
}

#[test]
fn what_nobody_asks_for_goes_on_as_it_came() {
    let text = r#"{"Image":"web","New": {"x":[1.50, 1e3],"y":12345678901234567890123}, "HostConfig":{"Binds":null,"Memory":0,"X":{"a":1}},"Twice":1,"Twice":2}"#;
    let mut create = Create::read(text.as_bytes()).unwrap();
    create.inject(&injection(false), &[]).unwrap();
    let body = String::from_utf8(create.into_body().unwrap().unwrap()).unwrap();
    for part in [
        r#""New":{"x":[1.50, 1e3],"y":12345678901234567890123}"#,
        r#""HostConfig":{"Binds":null,"Memory":0,"X":{"a":1}}"#,
        r#""Twice":1,"Twice":2"#,
    ] {
        assert!(body.contains(part), "{part} is not in {body}");
    }
}

#[test]
fn our_socket_becomes_the_engines() {
    let body = json!({ "HostConfig": {
        "Binds": ["/run/own.sock:/var/run/docker.sock:ro", "/run/own.sockets:/x"],
        "Mounts": [{ "Type": "bind", "Source": "/run/own.sock", "Target": "/d" }, { "Source": "v" }],
    }});
    let mut create = Create::read(body.to_string().as_bytes()).unwrap();
    create.replace_socket("/run/own.sock", "/run/engine.sock");
    let body: Value = serde_json::from_slice(&create.into_body().unwrap().unwrap()).unwrap();
    let host = &body["HostConfig"];
    assert_eq!(host["Binds"][0], "/run/engine.sock:/var/run/docker.sock:ro");
    assert_eq!(host["Binds"][1], "/run/own.sockets:/x");
    assert_eq!(host["Mounts"][0]["Source"], "/run/engine.sock");
    assert_eq!(host["Mounts"][1]["Source"], "v");
}

#[test]
fn what_is_not_changed_has_no_new_body() {
    let mut create = Create::read(br#"{"Image":"web"}"#).unwrap();
    create.replace_socket("/run/own.sock", "/run/engine.sock");
    assert_eq!(create.into_body().unwrap(), None);
    for text in [
        "",
        "[]",
        "{\"Env\":{}}",
        "{\"Labels\":[]}",
        "{\"HostConfig\":1}",
    ] {
        assert!(Create::read(text.as_bytes()).is_err(), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_understood_or_not(body: Vec<u8>) {
        drop(Create::read(&body));
    }
}

#[test]
fn settings_that_a_user_mounts_are_not_looked_for() {
    for (host, looked_for) in [
        (json!({}), true),
        (
            json!({ "Binds": ["/tmp/etc/php:/srv:ro", "cache:/etc/php-cache"] }),
            true,
        ),
        (
            json!({ "Binds": ["/tmp/php.ini:/etc/php/8.2/cli/php.ini:ro"] }),
            false,
        ),
        (
            json!({ "Mounts": [{ "Type": "bind", "Source": "/a", "Target": "/etc" }] }),
            false,
        ),
    ] {
        let body = json!({ "Image": "web", "HostConfig": host });
        let create = Create::read(body.to_string().as_bytes()).unwrap();
        let folders = create.wanted(&[]).folders;
        assert_eq!(!folders.is_empty(), looked_for, "{body}");
    }
}
