"""Serves what package managers ask for, over HTTP and HTTPS: an index for each of pip, npm and go, with one small package."""

import base64
import hashlib
import http.server
import io
import json
import ssl
import sys
import tarfile
import threading
import zipfile


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return out.getvalue()


def tarred(files, mode):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


INFO = "little-1.0.dist-info"
WHEEL = zipped({
    "little.py": "hello = 'from pip'\n",
    f"{INFO}/METADATA": "Metadata-Version: 2.1\nName: little\nVersion: 1.0\n",
    f"{INFO}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{INFO}/RECORD": "",
})
NPM = tarred({
    "package/package.json": '{"name":"little","version":"1.0.0"}',
    "package/index.js": "module.exports = 'from npm'\n",
}, "w:gz")
MOD = "module example.test/little\n\ngo 1.19\n"
GO = zipped({
    "example.test/little@v1.0.0/go.mod": MOD,
    "example.test/little@v1.0.0/little.go": "package little\n",
})


def answer(path, base):
    if path in ("/simple/little/", "/simple/classic/little/"):
        return b'<a href="/files/little-1.0-py3-none-any.whl">little-1.0-py3-none-any.whl</a>'
    if path.endswith(".whl"):
        return WHEEL
    if path == "/npm/little":
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(NPM).digest()).decode()
        dist = {"tarball": f"{base}/npm/little/-/little-1.0.0.tgz", "integrity": integrity}
        version = {"name": "little", "version": "1.0.0", "dist": dist}
        return json.dumps({
            "name": "little", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version},
        }).encode()
    if path.endswith(".tgz"):
        return NPM
    if path.startswith("/go/"):
        ends = {
            "/list": b"v1.0.0\n",
            ".info": b'{"Version":"v1.0.0","Time":"2026-01-01T00:00:00Z"}',
            ".mod": MOD.encode(),
            ".zip": GO,
        }
        return next((body for end, body in ends.items() if path.endswith(end)), None)
    if path == "/context.tar":
        step = f"FROM dockline-fixture:latest\nRUN wget -q -O- {base}/page/tar\n"
        return tarred({"Dockerfile": step}, "w")
    return b"hello\n" if path.startswith("/page/") else None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        scheme = "https" if isinstance(self.connection, ssl.SSLSocket) else "http"
        body = answer(self.path.split("?")[0], f"{scheme}://{self.headers['Host']}")
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.send_header("Content-Type", "text/html" if "simple" in self.path else "application/octet-stream")
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_):
        pass


plain = http.server.ThreadingHTTPServer(("", 80), Handler)
threading.Thread(target=plain.serve_forever, daemon=True).start()
secure = http.server.ThreadingHTTPServer(("", 443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/pki/server.crt", "/pki/server.key")
secure.socket = context.wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
sys.stderr.write("ready\n")
secure.serve_forever()
