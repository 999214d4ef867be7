//! Services, and containers beside them.

use super::Hamlet;
use crate::support::IMAGE;

impl Hamlet<'_> {
    pub(super) fn try_container(&self, name: &str, options: &[&str]) -> Result<(), String> {
        let (own, label, watched) = (
            self.name(name),
            format!("test={}", self.lab.name),
            self.lab.watched(),
        );
        let page = page_of(name);
        let fixed = [
            "run",
            "-d",
            "--name",
            &own,
            "--label",
            &label,
            "--label",
            &watched,
            "--dns",
            "127.0.0.1",
            "--network",
            &self.net,
        ];
        let output = self
            .lab
            .try_docker(&[&fixed, options, &[IMAGE, "sh", "-c", &page]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        output.status.success().then_some(()).ok_or(said)
    }

    pub(super) fn make_services(&self) {
        let net = |aliases: &[&str]| {
            let aliases = aliases.iter().map(|alias| format!(",alias={alias}"));
            format!("name={}{}", self.net, aliases.collect::<String>())
        };
        self.service(
            "web",
            &[
                "--replicas",
                "2",
                "--network",
                &net(&["front", "Caps.Dot", "both"]),
            ],
        );
        let api = [
            "--replicas",
            "2",
            "--endpoint-mode",
            "dnsrr",
            "--hostname",
            "api-{{.Task.Slot}}",
        ];
        self.service(
            "api",
            &[&api[..], &["--network", &net(&["back", "both"])]].concat(),
        );
        let sick = [
            "--health-cmd",
            "test -e /healthy",
            "--health-interval",
            "1s",
            "--health-start-period",
            "1h",
        ];
        self.service("sick", &[&sick[..], &["--network", &net(&[])]].concat());
        let published = ["--publish", "80", "--network", &net(&[])];
        self.service("pub", &published);
    }

    fn service(&self, name: &str, options: &[&str]) {
        let (own, label, watched) = (
            self.name(name),
            format!("test={}", self.lab.name),
            self.lab.watched(),
        );
        let fixed = [
            "service",
            "create",
            "--detach",
            "--no-resolve-image",
            "--name",
            &own,
            "--container-label",
            &label,
            "--container-label",
            &watched,
            "--dns",
            "127.0.0.1",
            "--stop-grace-period",
            "1s",
            "--restart-delay",
            "0s",
        ];
        let page = page_of(name);
        self.lab
            .docker(&[&fixed, options, &[IMAGE, "sh", "-c", &page]].concat());
    }
}

/// A program that serves a page with this name.
fn page_of(name: &str) -> String {
    format!("mkdir -p /www && echo hello from {name} > /www/index.html && exec httpd -f -h /www")
}
