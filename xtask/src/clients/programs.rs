//! The programs that are tried, and what is expected of them.

/// One way to fetch a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    /// For the table.
    pub(crate) name: &'static str,
    /// For `sh -c`; `@@` is the page. It writes what it got, which has `hello` in it.
    pub(crate) script: &'static str,
    /// Whether it heeds the proxy at all.
    pub(crate) heeds: bool,
}

const fn heeding(name: &'static str, script: &'static str) -> Program {
    Program {
        name,
        script,
        heeds: true,
    }
}

/// In the order of the table.
pub(crate) const PROGRAMS: [Program; 21] = [
    heeding("curl", "curl -sS -m 20 @@"),
    heeding("wget (GnuTLS)", "wget -q -T 20 -t 1 -O - @@"),
    heeding(
        "git",
        "git ls-remote @@repo 2>&1 | grep -q HEAD && echo hello",
    ),
    heeding(
        "openssl s_client",
        "case @@ in http:*) curl -sS -m 20 @@;; *) host=$(echo @@ | cut -d/ -f3); \
         printf 'GET %s HTTP/1.0\\r\\nHost: %s\\r\\n\\r\\n' $(echo @@ | cut -d/ -f4 | sed s,^,/,)/ $host | \
         openssl s_client -quiet -ign_eof -verify_return_error -servername $host -proxy ${HTTPS_PROXY#http://} \
         -connect $host:443 | grep hello;; esac",
    ),
    heeding(
        "apt-helper",
        "/usr/lib/apt/apt-helper -oAPT::Sandbox::User=root -oAcquire::Retries=0 \
         download-file @@ /dev/shm/apt >/dev/null && cat /dev/shm/apt",
    ),
    heeding(
        "Python urllib",
        "python3 -c 'from urllib.request import urlopen; print(urlopen(\"@@\").read().decode())'",
    ),
    heeding(
        "Python requests",
        "python3 -c 'import requests; print(requests.get(\"@@\").text)'",
    ),
    heeding(
        "Python httpx",
        "python3 -c 'import httpx; print(httpx.get(\"@@\").text)'",
    ),
    heeding(
        "Python aiohttp",
        "python3 -c 'import asyncio, aiohttp\nasync def get():\n  async with aiohttp.ClientSession() as s:\n    \
         async with s.get(\"@@\") as r: print(await r.text())\nasyncio.run(get())'",
    ),
    heeding(
        "Node 18 http, https",
        "node -e 'require(\"@@\".split(\":\")[0]).get(\"@@\", (r) => r.pipe(process.stdout))'",
    ),
    heeding(
        "Node 18 import",
        "node --input-type=module -e 'import * as http from \"node:http\"; import * as https from \"node:https\";
         (\"@@\".startsWith(\"https\") ? https : http).get(\"@@\", (r) => r.pipe(process.stdout))'",
    ),
    heeding(
        "Node 18 fetch",
        "node -e 'fetch(\"@@\").then((r) => r.text()).then(console.log)'",
    ),
    heeding(
        "Java HttpURLConnection",
        "java -cp /pki Get url @@",
    ),
    heeding("Java HttpClient", "java -cp /pki Get client @@"),
    heeding(
        "Ruby Net::HTTP",
        "ruby -rnet/http -e 'puts Net::HTTP.get(URI(\"@@\"))'",
    ),
    heeding(
        "PHP curl",
        "php -r '$c = curl_init(\"@@\"); curl_exec($c) || print(curl_error($c));'",
    ),
    Program {
        name: "PHP streams",
        script: "php -r 'echo file_get_contents(\"@@\");'",
        heeds: false,
    },
    heeding(
        "Perl LWP",
        "perl -MLWP::UserAgent -e 'print LWP::UserAgent->new->get(\"@@\")->decoded_content'",
    ),
    heeding(
        "Perl HTTP::Tiny",
        "perl -MHTTP::Tiny -e 'print HTTP::Tiny->new(verify_SSL => 1)->get(\"@@\")->{content}'",
    ),
    heeding("Go net/http", "/pki/get @@"),
    heeding(
        "pip's own vendored requests",
        "python3 -c 'from pip._vendor import requests; print(requests.get(\"@@\").text)'",
    ),
];

/// Circumstances, with the Docker CLI's options.
pub(crate) const CIRCUMSTANCES: [(&str, &[&str]); 3] = [
    ("as it is", &[]),
    (
        "non-root, read-only root",
        &["--user", "1234:1234", "--read-only"],
    ),
    (
        "with variables of the user's own",
        &[
            "-e",
            "SSL_CERT_FILE=/pki/root.crt",
            "-e",
            "CURL_CA_BUNDLE=/pki/root.crt",
            "-e",
            "REQUESTS_CA_BUNDLE=/pki/root.crt",
            "-e",
            "GIT_SSL_CAINFO=/pki/root.crt",
            "-e",
            "NODE_EXTRA_CA_CERTS=/pki/root.crt",
            "-e",
            "NODE_OPTIONS=--no-warnings",
            "-e",
            "JAVA_TOOL_OPTIONS=-Xmx128m",
            "-e",
            "NO_PROXY=elsewhere.test",
        ],
    ),
];

/// Pages, and whether the interceptor is to see that one is fetched. The second name is passed through, and its server's
/// certificate is of a root that the image alone trusts.
pub(crate) const PAGES: [(&str, bool); 3] = [
    ("http://origin.test", true),
    ("https://origin.test", true),
    ("https://private.test", false),
];
