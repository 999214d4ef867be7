"""The add-on for mitmproxy while dockline is there, hangs, is back, and is away: `away.py MITMDUMP ADDON`.

What it asks of is made up here: dockline's API and its gateway, on one port, and an origin.
"""

import collections
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import create_connection, create_server

LIMIT_SECONDS = 30
REQUESTS, AT_A_TIME = 300, 20
# Half a second for dockline, and as much for a busy machine.
PATIENCE_SECONDS = 1
CALLER = {"name": "web", "container": "x", "service": "web", "project": "shop"}


class Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True
    hangs = False

    def __init__(self, says):
        super().__init__(("127.0.0.1", 0), Answer)
        self.says = says
        self.introduced = collections.Counter()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """Who no longer waits for an answer need not get it."""


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.startswith("/v1/"):
            while self.server.hangs:
                time.sleep(0.1)
            status = {"gateway": f"127.0.0.1:{self.server.server_port}"}
            body = json.dumps(status if "status" in self.path else CALLER)
        else:
            self.server.introduced["Dockline-Client" in self.headers] += 1
            body = self.server.says
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


def until(what, happens):
    end = time.monotonic() + LIMIT_SECONDS
    while not happens():
        assert time.monotonic() < end, f"{what} took too long"
        time.sleep(0.05)


def main(mitmdump, addon):
    dockline, origin = Server("by the gateway"), Server("directly")
    with create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    proxy = urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{port}"})
    url = f"http://127.0.0.1:{origin.server_port}/"

    def get(_=None):
        begun = time.monotonic()
        while True:
            try:
                with urllib.request.build_opener(proxy).open(url, timeout=LIMIT_SECONDS) as answer:
                    return answer.read().decode(), time.monotonic() - begun
            except OSError:
                # mitmproxy makes its listener anew for another mode, and whom it has not accepted yet hears of it.
                assert time.monotonic() < begun + LIMIT_SECONDS, "mitmproxy does not listen"

    def all_come(when, *ways):
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            answers = list(pool.map(get, range(REQUESTS)))
        came = collections.Counter(answer for answer, _ in answers)
        longest = max(time for _, time in answers)
        print(f"  the add-on when dockline {when}: {REQUESTS} requests, the longest took {longest:.2f} s")
        assert set(came) <= set(ways), f"when dockline {when}: {came}"
        return longest

    def listens():
        try:
            return create_connection(("127.0.0.1", port)).close() is None
        except OSError:
            return False

    with tempfile.TemporaryDirectory() as settings:
        command = [mitmdump, "-q", "--listen-host", "127.0.0.1", "-p", str(port), "-s", addon]
        command += ["--set", f"confdir={settings}", "--set", f"dockline_api=http://127.0.0.1:{dockline.server_port}"]
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            until("mitmproxy's start", listens)
            until("the gateway's mode", lambda: get()[0] == "by the gateway")
            usual = all_come("is there", "by the gateway")
            assert not dockline.introduced[False], "the gateway was not told for whom it was asked"
            dockline.hangs = True
            # It may be given up meanwhile.
            assert all_come("hangs", "by the gateway", "directly") < usual + PATIENCE_SECONDS
            until("going on without dockline", lambda: get()[0] == "directly")
            all_come("has hung for long", "directly")
            dockline.hangs = False
            until("dockline's return", lambda: get()[0] == "by the gateway")
            dockline.shutdown()
            dockline.server_close()
            until("going on without dockline", lambda: get()[0] == "directly")
            all_come("is away", "directly")
            assert not origin.introduced[True], "an origin was told of the client"
        finally:
            running.terminate()
            running.wait()


main(*sys.argv[1:])
