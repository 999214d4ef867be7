//! `docker commit` of an intercepted container.

use serde_json::Value;

use crate::support::{Lab, on_each_engine};

fn image(lab: &Lab, reference: &str) -> Value {
    let mut all: Value =
        serde_json::from_str(&lab.docker(&["image", "inspect", reference])).unwrap();
    let mut image = all[0].take();
    // The CLI gives them in another order each time.
    let env = image["Config"]["Env"].as_array_mut().unwrap();
    env.sort_by_key(Value::to_string);
    image
}

fn steps(lab: &Lab, reference: &str) -> String {
    let format = "{{.CreatedBy}} {{.Size}} {{.Comment}}";
    lab.docker(&["history", "--no-trunc", "--format", format, reference])
}

/// Images without a name, by which what a commit left would be seen.
fn nameless(lab: &Lab) -> Vec<String> {
    let label = format!("label=test={}", lab.name);
    let all = lab.docker(&[
        "images",
        "-q",
        "--filter",
        "dangling=true",
        "--filter",
        &label,
    ]);
    all.lines().map(str::to_owned).collect()
}

#[test]
fn an_image_of_an_intercepted_container_is_that_of_a_plain_one() {
    on_each_engine(async |lab| {
        let running = lab.service().await;
        let shell = running.shell(&lab);
        let net = lab.network("net", &[]);
        let options = [
            "--network",
            &net,
            "-e",
            "FOO=bar",
            "-e",
            "NO_PROXY=own.test",
            "--label",
            "keep=1",
            "--label",
            "com.docker.compose.config-hash=abc",
            "--user",
            "0",
            "-w",
            "/srv",
            "--hostname",
            "shop",
        ];
        let write = ["sh", "-c", "echo written > /own; exec sleep 1000"];
        lab.start("plain", &options, &write);
        shell.start("web", &options, &write);
        for name in ["plain", "web"] {
            lab.written(name, &["/own"]).await;
        }
        let asked = [
            "commit",
            "--author",
            "somebody",
            "-m",
            "said",
            "-c",
            "ENV B=2",
            "-c",
            "LABEL mine=1",
            "-c",
            "CMD [\"cat\", \"/own\"]",
        ];
        let name = |of: &str| format!("{}-{of}:1", lab.name);
        let (plain, web) = (name("plain"), name("web"));
        lab.docker(&[&asked[..], &[&lab.own("plain"), &plain]].concat());
        let id = shell.docker(&[&asked[..], &[&lab.own("web"), &web]].concat());
        let (is, was) = (image(&lab, &web), image(&lab, &plain));
        assert_eq!(is["Config"], was["Config"]);
        assert_eq!(is["Author"], "somebody");
        assert_eq!(is["Id"], id.trim());
        assert_eq!(steps(&lab, &web), steps(&lab, &plain));
        assert_eq!(lab.docker(&["run", "--rm", &web]), "written");
        assert_eq!(
            nameless(&lab),
            [] as [String; 0],
            "what the engine made first has gone"
        );

        // What the user asks for counts, also where injection says something.
        let own = lab.own("web");
        shell.docker(&["commit", "-c", "ENV HTTP_PROXY=mine", &own, &web]);
        let env = image(&lab, &web)["Config"]["Env"].to_string();
        assert!(env.contains("\"HTTP_PROXY=mine\""), "{env}");
        // That name was the other's, which has none now.
        let before = nameless(&lab);
        assert_eq!(before.len(), 1);
        let said = shell.try_docker(&["commit", &own, "Not:a:name"]);
        assert!(!said.status.success());
        let said = shell.try_docker(&["commit", "-c", "RUN x", &own, &web]);
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(said.contains("not a valid change command"), "{said}");
        assert_eq!(nameless(&lab), before, "a refusal leaves nothing");
        // Without a name.
        let id = shell.docker(&["commit", &own]);
        let config = image(&lab, id.trim())["Config"].to_string();
        assert!(!config.contains("dockline."), "{config}");
        running.stop().await;
    });
}
