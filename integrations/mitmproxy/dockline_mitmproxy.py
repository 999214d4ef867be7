"""mitmproxy with dockline: every flow knows its container, and goes where that container would get to.

    dockline serve --interceptor 127.0.0.1:8080 --ca ~/.mitmproxy/mitmproxy-ca-cert.pem
    mitmproxy -s dockline_mitmproxy.py

mitmproxy then uses dockline's gateway as its upstream proxy and tells it for whom it asks: by the address from which it saw
its client. The gateway keeps that header to itself. Flows are commented with the container's name; `flow.metadata` has
`dockline_container`, `dockline_name`, `dockline_service` and `dockline_project` (filter: `~meta` finds them, `~comment` the name).
"""

import asyncio
import json
import logging
import urllib.parse
import urllib.request

from mitmproxy import ctx, http

HEADER = "Dockline-Client"
# dockline answers from memory.
PATIENCE_SECONDS = 2


def ask(path, **query):
    """What dockline says; nothing if it says no, or is not there."""
    url = ctx.options.dockline_api.rstrip("/") + path + "?" + urllib.parse.urlencode(query)
    # Past any proxy of the environment: it is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=PATIENCE_SECONDS) as answer:
            return json.load(answer)
    except (OSError, ValueError) as error:
        logging.debug("dockline does not say %s: %s", url, error)
        return None


def address(client):
    host, port = client.peername[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Dockline:
    def __init__(self):
        self.callers = {}

    def load(self, loader):
        loader.add_option(
            "dockline_api", str, "http://127.0.0.1:8791", "dockline's HTTP address (`dockline status` shows it)."
        )

    def running(self):
        if ctx.options.mode != ["regular"]:
            return
        status = ask("/v1/status")
        if status is None:
            logging.debug("dockline does not answer at %s: set dockline_api, or start it first", ctx.options.dockline_api)
            return
        ctx.options.update(mode=["upstream:http://" + status["gateway"]])

    def client_connected(self, client):
        # Its first request waits for the answer.
        asking = asyncio.to_thread(ask, "/v1/who", client=address(client))
        self.callers[client.id] = asyncio.ensure_future(asking)

    def client_disconnected(self, client):
        self.callers.pop(client.id, None)

    def http_connect_upstream(self, flow: http.HTTPFlow):
        flow.request.headers[HEADER] = address(flow.client_conn)

    async def requestheaders(self, flow: http.HTTPFlow):
        # Inside TLS the gateway would not see it, and the origin would.
        if flow.request.scheme == "http":
            flow.request.headers[HEADER] = address(flow.client_conn)
        asking = self.callers.get(flow.client_conn.id)
        caller = await asyncio.shield(asking) if asking else None
        if caller is None:
            return
        flow.comment = caller["name"]
        for field in ("container", "name", "service", "project"):
            flow.metadata["dockline_" + field] = caller.get(field)


addons = [Dockline()]
