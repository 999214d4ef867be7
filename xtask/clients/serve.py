"""Serves, over HTTP and HTTPS: a page, the refs of a git repository, a package for npm and one for pip, and gRPC."""

import base64
import concurrent.futures
import hashlib
import http.server
import io
import json
import ssl
import tarfile
import threading
import zipfile

HELLO = b"hello, world\n"
REF = b"a" * 40 + b" HEAD\0 \n"
REFS = b"001e# service=git-upload-pack\n0000" + b"%04x" % (len(REF) + 4) + REF + b"0000"


def npm_package():
    files = {
        "package/package.json": b'{"name": "parcel", "version": "1.0.0", "main": "index.js"}',
        "package/index.js": b'console.log("hello, world")',
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
    return buffer.getvalue()


def wheel():
    files = {
        "parcel.py": 'print("hello, world")\n',
        "parcel-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: parcel\nVersion: 1.0\n",
        "parcel-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in files) + "parcel-1.0.dist-info/RECORD,,\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in {**files, "parcel-1.0.dist-info/RECORD": record}.items():
            archive.writestr(name, text)
    return buffer.getvalue()


NPM, WHEEL = npm_package(), wheel()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.answer(*self.found())

    def do_GET(self):
        self.answer(*self.found())

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.answer("text/plain", HELLO)

    def found(self):
        if "/info/refs" in self.path:
            return "application/x-git-upload-pack-advertisement", REFS
        if self.path.endswith(".tgz"):
            return "application/octet-stream", NPM
        if self.path.endswith(".whl"):
            return "application/octet-stream", WHEEL
        if self.path.endswith("/simple/parcel/"):
            name = "parcel-1.0-py3-none-any.whl"
            return "text/html", f'<!DOCTYPE html><a href="{name}">{name}</a>'.encode()
        if self.path.endswith("/parcel"):
            return "application/json", json.dumps(self.npm()).encode()
        return "text/plain", HELLO

    def npm(self):
        scheme = "https" if isinstance(self.connection, ssl.SSLSocket) else "http"
        tarball = f"{scheme}://{self.headers['Host']}{self.path}/-/parcel-1.0.0.tgz"
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(NPM).digest()).decode()
        shasum = hashlib.sha1(NPM).hexdigest()
        dist = {"tarball": tarball, "integrity": integrity, "shasum": shasum}
        version = {"name": "parcel", "version": "1.0.0", "main": "index.js", "dist": dist}
        return {"name": "parcel", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", kind)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve_grpc():
    import grpc

    class Any(grpc.GenericRpcHandler):
        def service(self, call):
            return grpc.unary_unary_rpc_method_handler(lambda request, context: HELLO)

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=[Any()])
    key, certificate = (open(f"/pki/server.{end}", "rb").read() for end in ("key", "crt"))
    server.add_secure_port("0.0.0.0:444", grpc.ssl_server_credentials([(key, certificate)]))
    server.start()
    return server


if __name__ == "__main__":
    grpc_server = serve_grpc()
    plain = http.server.ThreadingHTTPServer(("", 80), Handler)
    threading.Thread(target=plain.serve_forever, daemon=True).start()
    secure = http.server.ThreadingHTTPServer(("", 443), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/pki/server.crt", "/pki/server.key")
    secure.socket = context.wrap_socket(
        secure.socket, server_side=True, do_handshake_on_connect=False
    )
    secure.serve_forever()
