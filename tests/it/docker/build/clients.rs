//! What asks for builds, besides `docker build`.

use std::fs;

use super::Site;
use super::engine_side::a_frontend_in_the_engine_is_asked_in_the_clients_place;
use crate::support::{Lab, docker_cli, on_each_engine, succeed};

#[test]
fn whatever_builds_is_intercepted() {
    on_each_engine(async |lab| {
        let site = Site::new(&lab).await;
        compose_builds_its_services(&lab, &site);
        a_frontend_in_the_engine_is_asked_in_the_clients_place(&lab, &site).await;
        // Engine 20 cannot link targets.
        if lab.engine.name != "20" {
            bake_shares_the_steps_of_linked_targets(&lab, &site);
        }
        site.running.stop().await;
    });
}

fn compose_builds_its_services(lab: &Lab, site: &Site) {
    let page = &site.page;
    let folder = tempfile::tempdir().unwrap();
    let steps = format!("FROM dockline-fixture:latest\nRUN wget -q -O /page {page}\n");
    fs::write(folder.path().join("Dockerfile"), &steps).unwrap();
    let label = format!("labels: {{ test: {} }}", lab.name);
    let inline = format!("FROM dockline-fixture:latest\\nRUN wget -q -O /other {page}\\n");
    let text = format!(
        "services:\n  one:\n    build: {{ context: ., {label} }}\n    command: cat /page\n  two:\n    \
             build: {{ context: ., dockerfile_inline: \"{inline}\", {label} }}\n    command: cat /other\n"
    );
    fs::write(folder.path().join("compose.yml"), text).unwrap();
    let compose = |arguments: &[&str]| {
        let mut command = site.shell.command(&docker_cli());
        command
            .arg("compose")
            .args(arguments)
            .current_dir(folder.path());
        command.env("COMPOSE_PROJECT_NAME", lab.name.replace('-', ""));
        succeed(&mut command)
    };
    compose(&["build", "--no-cache"]);
    assert_eq!(site.requests(), 2);
    let said = compose(&["up", "--build"]);
    assert_eq!(said.matches("hello from web").count(), 2, "{said}");
    assert_eq!(site.requests(), 0);
    compose(&["down", "-t", "0"]);
}

fn bake_shares_the_steps_of_linked_targets(lab: &Lab, site: &Site) {
    let page = &site.page;
    let folder = tempfile::tempdir().unwrap();
    let one = format!(
        "FROM dockline-fixture:latest\nARG SALT={}\nRUN wget -q -O /page {page}\n",
        lab.name
    );
    fs::write(folder.path().join("one.dockerfile"), one).unwrap();
    let two = format!("FROM one\nRUN cat /page; wget -q -O- {page}\n");
    fs::write(folder.path().join("two.dockerfile"), two).unwrap();
    let target = |name: &str, more: &str| {
        let own = lab.own(name);
        format!(
            "target \"{name}\" {{\n dockerfile = \"{name}.dockerfile\"\n tags = [\"{own}\"]\n \
                 labels = {{ test = \"{}\" }}\n {more}\n}}\n",
            lab.name
        )
    };
    let linked = "contexts = { one = \"target:one\" }";
    let text = format!(
        "group \"default\" {{\n targets = [\"one\", \"two\"]\n}}\n{}{}",
        target("one", ""),
        target("two", linked)
    );
    fs::write(folder.path().join("docker-bake.hcl"), text).unwrap();
    let mut command = site.shell.command(&docker_cli());
    command.args(["buildx", "bake"]).current_dir(folder.path());
    succeed(&mut command);
    // One each: the first target's step is not run again for the second.
    assert_eq!(site.requests(), 2);
}
