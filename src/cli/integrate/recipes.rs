//! What is to be set where, for each program.

use clap::ValueEnum as _;
use serde_json::json;

use super::Program;

/// What settings depend on.
pub(super) struct Facts {
    pub(super) gateway: String,
    pub(super) http: String,
    /// Whether the gateway wants a password.
    pub(super) protected: bool,
}

/// In the place of the password, which dockline does not tell.
const PASSWORD: &str = "PASSWORD";

impl Program {
    /// As it is asked for.
    fn word(self) -> String {
        let value = self.to_possible_value();
        value
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    /// Where its authority's certificate is to be had, and what else there is to do for it.
    fn authority(self) -> (&'static str, &'static str) {
        let der = "   openssl x509 -inform der -in burp.der -out burp.pem\n";
        match self {
            Self::Mitmproxy => ("", "made at its first start, in ~/.mitmproxy"),
            Self::Httptoolkit => (
                "   mockttp has what its `https` option names\n",
                "HTTP Toolkit makes it at its first start: ~/.config/httptoolkit/ca.pem; on macOS in ~/Library/Preferences/httptoolkit",
            ),
            Self::Burp => (
                der,
                "Proxy > Proxy settings > Import / export CA certificate, as DER:",
            ),
            Self::Zap => (
                "",
                "Tools > Options > Network > Server Certificates > Save, which is PEM",
            ),
            Self::Charles => (
                "",
                "Help > SSL Proxying > Save Charles Root Certificate, as .pem; and switch Proxy > SSL Proxying Settings on for *:*",
            ),
            Self::Proxyman => (
                "",
                "Certificate > Export > Root Certificate as PEM; and switch SSL Proxying on for all hosts",
            ),
            Self::Fiddler => (
                "   openssl x509 -inform der -in FiddlerRoot.cer -out FiddlerRoot.pem\n",
                "Tools > Options > HTTPS: Decrypt HTTPS traffic, then Actions > Export Root Certificate to Desktop, which is DER:",
            ),
            Self::Caido | Self::Generic => (
                "",
                "export it where the program offers that; DER becomes PEM by openssl x509 -inform der",
            ),
        }
    }
}

impl Facts {
    /// The settings for `program`.
    pub(super) fn recipe(&self, program: Program) -> String {
        let (port, ca) = match program {
            Program::Mitmproxy => ("8080", "~/.mitmproxy/mitmproxy-ca-cert.pem"),
            Program::Httptoolkit => ("8000", "~/.config/httptoolkit/ca.pem"),
            Program::Charles => ("8888", "charles-ssl-proxying-certificate.pem"),
            Program::Proxyman => ("9090", "proxyman-certificate.pem"),
            Program::Fiddler => ("8888", "FiddlerRoot.pem"),
            Program::Burp => ("8080", "burp.pem"),
            Program::Zap => ("8080", "zap_root_ca.cer"),
            Program::Caido | Program::Generic => ("8080", "ca.pem"),
        };
        let own = self.upstream(program);
        let (more, note) = program.authority();
        let tell = match program {
            Program::Httptoolkit => " --tell-who mockttp",
            _ => "",
        };
        let password = self.if_protected(format!(
                "\nThe gateway wants a password: {PASSWORD} above is the one given with --gateway-password.\n"
            ));
        format!(
            "1. Its CA, as PEM: {note}\n{more}\n\
             2. dockline hands containers on to it (port {port} is its default):\n\n   \
             dockline serve --interceptor 127.0.0.1:{port} --ca {ca}{tell}\n\n\
             3. It goes on through dockline's gateway:\n\n{own}{password}\n\
             4. Does it? dockline integrate {name} --check\n\n\
             5. Containers: eval \"$(dockline env)\", then docker compose up",
            name = program.word(),
        )
    }

    /// How `program` is told to use the gateway.
    pub(super) fn upstream(&self, program: Program) -> String {
        match program {
            Program::Mitmproxy => self.mitmproxy(),
            Program::Httptoolkit => self.httptoolkit(),
            Program::Burp => self.burp(),
            Program::Zap => self.zap(),
            Program::Caido => self.by_hand("Settings > Network > Upstream proxies, a SOCKS proxy with \"Resolve DNS over SOCKS proxy\""),
            Program::Charles => self.by_hand(
                "Proxy > External Proxy Settings, the SOCKS proxy; \"Always bypass external proxies for localhost\" off",
            ),
            Program::Proxyman => self.proxyman(),
            Program::Fiddler => self.fiddler(),
            Program::Generic => self.generic(),
        }
    }

    /// `text`, if the gateway wants a password.
    fn if_protected(&self, text: String) -> String {
        if self.protected { text } else { String::new() }
    }

    /// User name and password; empty where there need be none.
    fn credentials(&self) -> (&str, &str) {
        if self.protected {
            ("dockline", PASSWORD)
        } else {
            ("", "")
        }
    }

    fn host_and_port(&self) -> (&str, &str) {
        self.gateway.rsplit_once(':').unwrap_or((&self.gateway, ""))
    }

    /// `dockline:PASSWORD@`, where there has to be one.
    fn login(&self) -> String {
        self.if_protected(format!("dockline:{PASSWORD}@"))
    }

    fn mitmproxy(&self) -> String {
        let gateway = &self.gateway;
        let auth = self.if_protected(format!(" --upstream-auth dockline:{PASSWORD}"));
        format!(
            "   mitmproxy --mode upstream:http://{gateway}{auth}\n\n   \
             Or with the add-on of dockline's sources, which needs no mode and also says which container each request comes from:\n\n   \
             mitmproxy -s integrations/mitmproxy/dockline_mitmproxy.py --set dockline_api=http://{}{auth}\n",
            self.http
        )
    }

    fn httptoolkit(&self) -> String {
        let (gateway, login) = (&self.gateway, self.login());
        format!(
            "   HTTP Toolkit: Settings > Connection Settings > Upstream Proxy: SOCKS5 with remote DNS (socks5h), {login}{gateway}\n\n   \
             mockttp: proxyConfig: {{ proxyUrl: 'socks5h://{login}{gateway}' }}\n"
        )
    }

    fn burp(&self) -> String {
        let (host, port) = self.host_and_port();
        let (user, password) = self.credentials();
        let settings = json!({ "project_options": { "connections": { "socks_proxy": {
            "use_proxy": true,
            "host": host,
            "port": port.parse::<u16>().unwrap_or_default(),
            "dns_over_socks": true,
            "username": user,
            "password": password,
        } } } });
        format!(
            "   Save as dockline.json, and start Burp with --config-file=dockline.json (or Settings > Network > Connections > SOCKS proxy):\n\n   {settings}\n"
        )
    }

    fn zap(&self) -> String {
        let (host, port) = self.host_and_port();
        let (user, password) = self.credentials();
        let api = "http://127.0.0.1:8080/JSON/network/action";
        format!(
            "   curl '{api}/setSocksProxy/?apikey=KEY&host={host}&port={port}&version=5&useDns=true&username={user}&password={password}'\n   \
             curl '{api}/setSocksProxyEnabled/?apikey=KEY&enabled=true'\n\n   \
             (or Tools > Options > Network > Connection > SOCKS Proxy, version 5, with \"Use SOCKS' DNS\")\n"
        )
    }

    fn proxyman(&self) -> String {
        let (host, port) = self.host_and_port();
        // It knows no SOCKS with a password.
        format!(
            "   Tools > Proxy Setting > External Proxy: HTTP and HTTPS, {host}, port {port}{}; \"Bypass localhost\" off\n",
            self.as_fields()
        )
    }

    fn fiddler(&self) -> String {
        let gateway = &self.gateway;
        let auth = self.if_protected(
            "\n       // A gateway with a password is set in Tools > Options > Gateway instead."
                .to_owned(),
        );
        format!(
            "   Rules > Customize Rules, in OnBeforeRequest:\n\n       oSession[\"X-OverrideGateway\"] = \"{gateway}\";{auth}\n"
        )
    }

    fn generic(&self) -> String {
        let (gateway, login) = (&self.gateway, self.login());
        format!(
            "   Upstream proxy, one of these, with names resolved by the proxy:\n\n       socks5h://{login}{gateway}\n       http://{login}{gateway}\n\n   \
             Who can say for whom it asks: SOCKS5 user name or header Dockline-Client, with the IP:PORT from which it saw its client.\n   \
             A browser on this host: http://{}/proxy.pac\n",
            self.http
        )
    }

    fn by_hand(&self, place: &str) -> String {
        let (host, port) = self.host_and_port();
        format!("   {place}: {host}, port {port}{}\n", self.as_fields())
    }

    fn as_fields(&self) -> String {
        self.if_protected(format!(", user dockline, password {PASSWORD}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_has_the_real_ports_and_says_where_the_password_goes() {
        for program in Program::value_variants() {
            for protected in [false, true] {
                let facts = Facts {
                    gateway: "127.0.0.1:4321".to_owned(),
                    http: "127.0.0.1:8765".to_owned(),
                    protected,
                };
                let text = facts.recipe(*program);
                let gateway = [
                    "127.0.0.1:4321",
                    "127.0.0.1, port 4321",
                    "\"port\":4321",
                    "port=4321",
                ];
                assert!(gateway.iter().any(|g| text.contains(g)), "{text}");
                assert_eq!(text.contains("--gateway-password"), protected, "{text}");
                let check = format!("dockline integrate {} --check", program.word());
                assert!(text.contains(&check), "{text}");
            }
        }
    }
}
