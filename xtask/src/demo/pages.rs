//! The demo's main act: pages of containers, fetched through the gateway.

use std::process::Command;

use anyhow::Result;

use super::Demo;
use super::project::{BLOG, SHOP};
use crate::console::say;
use crate::shell::quote;

/// Seconds: for `curl --max-time`.
const FETCH_SECONDS: &str = "20";

impl Demo<'_> {
    /// Fetches pages in both languages of the gateway, from every kind of network, and from two points of view.
    pub(super) fn fetch_pages(&self, gateway: &str) -> Result<()> {
        let narrator = self.narrator;
        let http = format!("http://{gateway}");
        let socks = format!("socks5h://{gateway}");
        narrator.heading("Pages, through the gateway");
        say(
            "The gateway is a proxy. curl hands it a container's name; an interceptor would do the same.\n",
        );
        self.fetch(&http, &["http://api.shop_default/"], "hello from shop/api")?;
        self.fetch(&http, &["http://api.blog_default/"], "hello from blog/api")?;
        say("\nThe same port speaks SOCKS5. Aliases work, and so do static addresses:\n");
        self.fetch(&socks, &["http://www.shop_default/"], "hello from shop/web")?;
        self.fetch(&socks, &["http://db.blog_fixed/"], "hello from blog/db")?;
        let db = SHOP.address(narrator, &self.stage, ("db", "fixed", "IPAddress"))?;
        self.fetch(&socks, &[&format!("http://{db}/")], "hello from shop/db")?;
        say("\nAn internal network, from which there is no way out, and IPv6:\n");
        self.fetch(
            &http,
            &["http://vault.shop_vaults/"],
            "hello from shop/vault",
        )?;
        let six = SHOP.address(narrator, &self.stage, ("api", "six", "GlobalIPv6Address"))?;
        self.fetch(&http, &[&format!("http://[{six}]/")], "hello from shop/api")?;
        say("\nA container that nobody watches, on a network of one that is watched:\n");
        self.fetch(
            &socks,
            &["http://guest.blog_default/"],
            "hello from blog/guest",
        )?;
        say(
            "\nWho says on whose behalf it asks, is answered from there. `backend` is a link that only web has:\n",
        );
        for (project, url, page) in [
            (SHOP, "http://api/", "hello from shop/api"),
            (BLOG, "http://api/", "hello from blog/api"),
            (BLOG, "http://backend/", "hello from blog/api"),
        ] {
            let web = project.container(narrator, &self.stage, "web")?;
            self.fetch(
                &http,
                &["--header", &format!("Dockline-Client: {web}"), url],
                page,
            )?;
        }
        Ok(())
    }

    fn fetch(&self, proxy: &str, args: &[&str], page: &str) -> Result<()> {
        let mut curl = Command::new("curl");
        // `--globoff` lets an IPv6 address stand in brackets; the user's own exceptions must not bypass the gateway.
        curl.args([
            "--silent",
            "--show-error",
            "--globoff",
            "--max-time",
            FETCH_SECONDS,
            "--proxy",
            proxy,
        ]);
        curl.env_remove("NO_PROXY")
            .env_remove("no_proxy")
            .args(args);
        let shown: Vec<String> = args.iter().map(|word| quote(word)).collect();
        let line = format!("curl --proxy {proxy} {}", shown.join(" "));
        self.narrator.run_as_expecting(&line, &mut curl, &[page])
    }
}
