//! What a container gets, and which containers get it.

use super::variable;
use crate::support::{IMAGE, Running, on_each_engine};

const FORMAT_LABELS: &str = "{{json .Config.Labels}}";

#[test]
fn each_network_mode_leads_to_the_entry() {
    on_each_engine(async |lab| {
        let running = lab.service().await;
        let shell = running.shell(&lab);
        let net = shell.network("net", &[]);
        let sleep = ["sleep", "1000"];
        shell.start("named", &["--network", &net], &sleep);
        shell.start("bridge", &[], &sleep);
        shell.start("host", &["--network", "host"], &sleep);
        shell.start("none", &["--network", "none"], &sleep);
        shell.start(
            "like",
            &["--network", &format!("container:{}", lab.own("bridge"))],
            &sleep,
        );
        let name = format!("http://dockline-tunnel-{}:8790", lab.name);
        let proxy = |container: &str| variable(&lab, container, "HTTP_PROXY").unwrap();
        assert_eq!(proxy("named"), name);
        assert_eq!(proxy("none"), name);
        let tunnel = running.status().await.tunnel;
        let on = |network: &str| {
            let found = tunnel.networks.iter().find(|n| n.name == network);
            format!("http://{}:8790", found.unwrap().address.unwrap())
        };
        assert_eq!(proxy("bridge"), on("bridge"));
        assert_eq!(proxy("like"), on("bridge"));
        assert_eq!(proxy("host"), on(&format!("0-dockline-{}", lab.name)));
        running.stop().await;
    });
}

#[test]
fn who_is_left_alone_gets_nothing() {
    on_each_engine(async |lab| {
        let running = lab.service().await;
        let shell = running.shell(&lab);
        let sleep = ["sleep", "1000"];
        shell.start("off", &["--label", "dockline.enable=false"], &sleep);
        shell.start("theirs", &["--label", "dockline.instance=another"], &sleep);
        shell.start("ryuk", &["--label", "org.testcontainers.ryuk=true"], &sleep);
        for name in ["off", "theirs", "ryuk"] {
            assert_eq!(variable(&lab, name, "HTTP_PROXY"), None, "{name}");
            let labels = lab.docker(&["inspect", "-f", FORMAT_LABELS, &lab.own(name)]);
            assert!(!labels.contains("dockline.undo"), "{labels}");
        }
        running.stop().await;
    });
}

#[test]
fn a_container_from_elsewhere_is_not_started() {
    on_each_engine(async |lab| {
        let running = lab.service().await;
        let shell = running.shell(&lab);
        let own = lab.own("elsewhere");
        let label = format!("test={}", lab.name);
        lab.docker(&[
            "create", "--name", &own, "--label", &label, IMAGE, "sleep", "1000",
        ]);
        for verb in ["start", "restart"] {
            let output = shell.try_docker(&[verb, &own]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(
                !output.status.success() && said.contains("would run unintercepted"),
                "{said}"
            );
        }
        let state = ["inspect", "-f", "{{.State.Status}}", &own];
        assert_eq!(lab.docker(&state), "created");
        running.stop().await;

        let allowing = Running::start(&lab, |config| config.foreign_allowed = true).await;
        allowing.ready().await;
        allowing.shell(&lab).docker(&["start", &own]);
        assert_eq!(lab.docker(&state), "running");
        allowing.stop().await;
    });
}

#[test]
fn the_authority_is_there_for_everybody_to_read_and_nobody_to_write() {
    on_each_engine(async |lab| {
        let pem = "-----BEGIN CERTIFICATE-----\nZG9ja2xpbmU=\n-----END CERTIFICATE-----\n";
        let running = Running::start(&lab, |config| config.ca = Some(pem.into())).await;
        running.ready().await;
        let shell = running.shell(&lab);
        let label = format!("test={}", lab.name);
        for options in [
            &["--read-only"][..],
            &["--user", "1234:1234"],
            &["--network", "none"],
        ] {
            let script = "cat /.dockline/ca.pem; echo >/.dockline/x && echo writable; cat $NODE_EXTRA_CA_CERTS";
            let run = ["run", "--rm", "--label", &label];
            let run = [&run[..], options, &[IMAGE, "sh", "-c", script]].concat();
            assert_eq!(
                shell.docker(&run),
                format!("{pem}{pem}").trim(),
                "{options:?}"
            );
        }
        // The service that comes next finds the volume, and what `clean` would find goes with the service.
        let volumes = [
            "volume",
            "ls",
            "-q",
            "--filter",
            &format!("label=dockline.instance={}", lab.name),
        ];
        assert_eq!(lab.docker(&volumes).lines().count(), 1);
        running.stop().await;
        assert_eq!(lab.docker(&volumes), "");
    });
}

#[test]
fn the_engines_socket_is_mounted_in_the_place_of_ours() {
    on_each_engine(async |lab| {
        let running = lab.service().await;
        let shell = running.shell(&lab);
        let own = shell
            .engine
            .host
            .strip_prefix("unix://")
            .unwrap()
            .to_owned();
        let bind = format!("{own}:/var/run/docker.sock");
        shell.start("binds", &["-v", &bind], &["sleep", "1000"]);
        let mount = format!("type=bind,source={own},target=/docker.sock");
        shell.start("mounts", &["--mount", &mount], &["sleep", "1000"]);
        let engines = lab.engine.host.strip_prefix("unix://").unwrap();
        for name in ["binds", "mounts"] {
            let format = "{{range .Mounts}}{{.Source}}{{end}}";
            assert_eq!(
                lab.docker(&["inspect", "-f", format, &lab.own(name)]),
                engines
            );
        }
        running.stop().await;
    });
}
