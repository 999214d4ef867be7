//! What containers trust: made of what is in images of every shape, on real engines.

use std::io::Write as _;
use std::process::Stdio;

use crate::support::{IMAGE, Lab, Running, docker_cli, on_each_engine};

/// An authority, as far as text goes: nobody looks into it.
const CA: &str = "-----BEGIN CERTIFICATE-----\nZG9ja2xpbmU=\n-----END CERTIFICATE-----\n";

/// A root that an image trusts.
fn root(name: &str) -> String {
    use base64::prelude::{BASE64_STANDARD as STANDARD, Engine as _};
    let text = STANDARD.encode(name);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

/// What is in an image.
enum Entry {
    File(String),
    Link(&'static str),
}

/// Makes an image of nothing but these, which goes with the laboratory.
fn image(lab: &Lab, name: &str, entries: &[(&str, Entry)], change: &str) -> String {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, entry) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(0);
        match entry {
            Entry::File(text) => {
                header.set_size(text.len() as u64);
                tar.append_data(&mut header, path, text.as_bytes()).unwrap();
            }
            Entry::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                tar.append_link(&mut header, path, target).unwrap();
            }
        }
    }
    let own = lab.own(name);
    let label = format!("LABEL test={}", lab.name);
    let mut import = lab.command(&docker_cli());
    import.args(["import", "--change", &label, "--change", change, "-", &own]);
    import.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut import = import.spawn().unwrap();
    let mut stdin = import.stdin.take().unwrap();
    stdin.write_all(&tar.into_inner().unwrap()).unwrap();
    drop(stdin);
    assert!(import.wait().unwrap().success());
    own
}

/// A file that a container of `image` finds in `/.dockline`; it need not run.
fn injected(lab: &Lab, shell: &Lab, image: &str, options: &[&str], file: &str) -> String {
    let label = format!("test={}", lab.name);
    let own = format!("{}-probed", lab.name);
    let create = ["create", "--name", &own, "--label", &label];
    shell.docker(&[&create, options, &[image, "x"]].concat());
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("file");
    let from = format!("{own}:/.dockline/{file}");
    lab.docker(&["cp", &from, copy.to_str().unwrap()]);
    lab.docker(&["rm", "-v", &own]);
    std::fs::read_to_string(copy).unwrap()
}

async fn trusting(lab: &Lab) -> Running {
    let running = Running::start(lab, |config| config.ca = Some(CA.into())).await;
    running.ready().await;
    running
}

fn volumes(lab: &Lab) -> usize {
    let filter = format!("label=dockline.instance={}", lab.name);
    let all = lab.docker(&["volume", "ls", "-q", "--filter", &filter]);
    all.lines().count()
}

#[test]
fn a_bundle_holds_what_the_image_trusts_and_the_authority() {
    on_each_engine(async |lab| {
        let file = |name: &str| Entry::File(root(name));
        let env = "ENV LANG=C";
        let debian = ("etc/ssl/certs/ca-certificates.crt", file("debian"));
        let debian = image(&lab, "debian", &[debian], env);
        let alpine = image(&lab, "alpine", &[("etc/ssl/cert.pem", file("alpine"))], env);
        let fedora = [
            (
                "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
                file("fedora"),
            ),
            (
                "etc/pki/tls/certs/ca-bundle.crt",
                Entry::Link("../../ca-trust/extracted/pem/tls-ca-bundle.pem"),
            ),
            // Out of the image it would lead to somewhere else.
            (
                "etc/ssl/certs",
                Entry::Link("../../../../../../etc/pki/tls/certs"),
            ),
            ("etc/ssl/cert.pem", Entry::Link("/gone")),
        ];
        let fedora = image(&lab, "fedora", &fedora, env);
        let running = trusting(&lab).await;
        let shell = running.shell(&lab);
        for (image, name) in [
            (&debian, "debian"),
            (&alpine, "alpine"),
            (&fedora, "fedora"),
        ] {
            let bundle = injected(&lab, &shell, image, &[], "ca-bundle.pem");
            assert_eq!(bundle, root(name) + CA, "{name}");
            assert_eq!(injected(&lab, &shell, image, &[], "ca.pem"), CA);
        }
        assert_eq!(volumes(&lab), 3);
        let probes = "label=dockline.role=probe";
        let own = format!("label=dockline.instance={}", lab.name);
        let left = ["ps", "-aq", "--filter", probes, "--filter", &own];
        assert_eq!(lab.docker(&left), "");
        running.stop().await;
    });
}

#[test]
fn an_image_that_trusts_nobody_gets_what_the_world_trusts() {
    on_each_engine(async |lab| {
        let scratch = image(
            &lab,
            "scratch",
            &[("program", Entry::File(String::new()))],
            "ENV A=1",
        );
        let running = trusting(&lab).await;
        let shell = running.shell(&lab);
        let bundle = injected(&lab, &shell, &scratch, &[], "ca-bundle.pem");
        assert!(bundle.matches("BEGIN CERTIFICATE").count() > 100);
        assert!(bundle.ends_with(CA));
        // The fixture trusts nobody either: both have the same files.
        assert_eq!(injected(&lab, &shell, IMAGE, &[], "ca-bundle.pem"), bundle);
        assert_eq!(volumes(&lab), 1);
        // A volume that somebody removed is made again.
        let filter = format!("label=dockline.instance={}", lab.name);
        let volume = lab.docker(&["volume", "ls", "-q", "--filter", &filter]);
        lab.docker(&["volume", "rm", &volume]);
        assert_eq!(
            injected(&lab, &shell, &scratch, &[], "ca-bundle.pem"),
            bundle
        );
        running.stop().await;
    });
}

#[test]
fn what_user_and_image_name_is_extended() {
    on_each_engine(async |lab| {
        let entries = [
            ("etc/ssl/cert.pem", Entry::File(root("system"))),
            ("corp.pem", Entry::File(root("corp"))),
            ("user.pem", Entry::File(root("user"))),
        ];
        let image = image(&lab, "own", &entries, "ENV SSL_CERT_FILE=/corp.pem");
        let running = trusting(&lab).await;
        let shell = running.shell(&lab);
        let bundle = |options: &[&str]| injected(&lab, &shell, &image, options, "ca-bundle.pem");
        assert_eq!(bundle(&[]), root("system") + &root("corp") + CA);
        assert_eq!(
            bundle(&["-e", "GIT_SSL_CAINFO=/user.pem", "-e", "PIP_CERT=/gone.pem"]),
            root("system") + &root("corp") + &root("user") + CA
        );
        running.stop().await;
    });
}

#[test]
fn an_image_that_is_missing_is_the_engines_to_say() {
    on_each_engine(async |lab| {
        let running = trusting(&lab).await;
        let shell = running.shell(&lab);
        let output = shell.try_docker(&["create", "--pull=never", "dockline-none:at-all"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("No such image"), "{said}");
        assert_eq!(volumes(&lab), 0);
        running.stop().await;
    });
}

#[test]
fn many_containers_at_once_share_what_is_read_once() {
    on_each_engine(async |lab| {
        let entry = ("etc/ssl/cert.pem", Entry::File(root("one")));
        let image = image(&lab, "one", &[entry], "ENV A=1");
        let running = trusting(&lab).await;
        let shell = running.shell(&lab);
        let label = format!("test={}", lab.name);
        let create = || {
            let mut command = shell.command(&docker_cli());
            command.args(["create", "--label", &label, &image, "x"]);
            command.stdout(Stdio::null()).spawn().unwrap()
        };
        let creating: Vec<_> = (0..8).map(|_| create()).collect();
        for mut one in creating {
            assert!(one.wait().unwrap().success());
        }
        assert_eq!(volumes(&lab), 1);
        running.stop().await;
    });
}
