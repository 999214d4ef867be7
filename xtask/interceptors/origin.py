"""Says who it is and what it was asked, over HTTP and HTTPS. The image's own authority signs for its name."""

import http.server
import os
import ssl
import subprocess
import threading

ME, NAME = os.environ["ME"], os.environ["NAME"]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"{ME} {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


os.chdir("/tmp")
with open("extensions", "w") as file:
    file.write(f"subjectAltName=DNS:{NAME}\nextendedKeyUsage=serverAuth\n")
openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "key", "-out", "csr", "-subj", f"/CN={NAME}")
openssl("x509", "-req", "-in", "csr", "-CA", "/pki/root.crt", "-CAkey", "/pki/root.key", "-set_serial", str(int.from_bytes(os.urandom(8), "big")),
        "-days", "30", "-extfile", "extensions", "-out", "crt")
plain = Server(("", 80), Handler)
threading.Thread(target=plain.serve_forever, daemon=True).start()
secure = Server(("", 443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("crt", "key")
secure.socket = context.wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
print("serving", flush=True)
secure.serve_forever()
