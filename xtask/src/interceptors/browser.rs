//! A browser on this host that opens containers' pages by dockline's PAC.

use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::projects::PROJECTS;
use super::text;
use crate::console::say;
use crate::engine::{install, is_installed};
use crate::shell::{MINUTES_2, Shell};

const BROWSER: &str = "chromium";

/// Chromium opens `http://api.PROJECT_default/` of both projects, and shows each one's own page.
pub(super) fn opens_pages(shell: &Shell, status: &Value) -> Result<()> {
    if !is_installed(shell, BROWSER) {
        let me = shell.output(Command::new("id").arg("-u"), MINUTES_2)?;
        if me.trim() != "0" {
            say("  no browser: install chromium, or run this as root");
            return Ok(());
        }
        install(shell, &[BROWSER])?;
    }
    let http = text(status, "http")?;
    let pac = format!("--proxy-pac-url=http://{http}/proxy.pac");
    for project in PROJECTS {
        let url = format!("http://api.{project}_default/page");
        let page = dump(shell, &[&pac, &url])?;
        let expected = format!("{project}/api /page");
        ensure!(
            page.contains(&expected),
            "{url} should say {expected:?}, but says {page}"
        );
        say(format_args!(
            "  {BROWSER} by /proxy.pac: {url} says {expected:?}"
        ));
    }
    Ok(())
}

fn dump(shell: &Shell, arguments: &[&str]) -> Result<String> {
    let profile = std::env::temp_dir().join(format!("dockline-browser-{}", std::process::id()));
    let mut browser = Command::new(BROWSER);
    browser
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ])
        .args(["--disable-dev-shm-usage", "--timeout=60000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(arguments);
    let dumped = shell.output(&mut browser, MINUTES_2);
    std::fs::remove_dir_all(&profile)?;
    dumped
}
