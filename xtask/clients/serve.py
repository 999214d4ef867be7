"""Serves a page, and the refs of a git repository, over HTTP and HTTPS."""

import http.server
import ssl
import threading

REF = b"a" * 40 + b" HEAD\0 \n"
REFS = b"001e# service=git-upload-pack\n0000" + b"%04x" % (len(REF) + 4) + REF + b"0000"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        refs = "/info/refs" in self.path
        body = REFS if refs else b"hello\n"
        kind = "application/x-git-upload-pack-advertisement" if refs else "text/plain"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


plain = http.server.ThreadingHTTPServer(("", 80), Handler)
threading.Thread(target=plain.serve_forever, daemon=True).start()
secure = http.server.ThreadingHTTPServer(("", 443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/pki/server.crt", "/pki/server.key")
secure.socket = context.wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
secure.serve_forever()
