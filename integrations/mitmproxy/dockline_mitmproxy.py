"""mitmproxy with dockline: every flow knows its container, and goes where that container would get to.

    dockline serve --interceptor 127.0.0.1:8080 --ca ~/.mitmproxy/mitmproxy-ca-cert.pem
    mitmproxy -s dockline_mitmproxy.py

mitmproxy then uses dockline's gateway as its upstream proxy and tells it for whom it asks: by the address from which it saw
its client. The gateway keeps that header to itself. Flows are commented with the container's name; `flow.metadata` has
`dockline_container`, `dockline_name`, `dockline_service` and `dockline_project` (filter: `~meta` finds them, `~comment` the name).

While dockline is away, or does not answer, new connections go on without it: it is waited for no longer than half a second, and by nobody who comes
later. It is asked every second whether it is back.
"""

import asyncio
import http.client
import json
import logging
import urllib.error
import urllib.parse
import urllib.request

from mitmproxy import ctx
from mitmproxy.http import HTTPFlow

HEADER = "Dockline-Client"
# dockline answers from memory.
PATIENCE_SECONDS = 0.5
LOOK_AGAIN_SECONDS = 1
# After so many times without an answer the gateway is taken to be away as well.
MISSED = 3
DIRECTLY = ["regular"]


class Away(Exception):
    """dockline does not answer."""


def ask(path, **query):
    """What dockline says; nothing if it says no."""
    url = ctx.options.dockline_api.rstrip("/") + path + "?" + urllib.parse.urlencode(query)
    # Past any proxy of the environment: it is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=PATIENCE_SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError:
        return None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Away(str(error) or type(error).__name__) from error


def address(client):
    host, port = client.peername[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Dockline:
    def __init__(self):
        self.callers = {}
        # The mode with dockline's gateway, while it is there.
        self.mode = None
        # How often it has not answered since it last did. Nobody waits for it then.
        self.missed = 0
        # Whether the mode is ours to choose, or what the user chose.
        self.chooses = False
        self.looking = None

    def load(self, loader):
        loader.add_option(
            "dockline_api", str, "http://127.0.0.1:8791", "dockline's HTTP address (`dockline status` shows it)."
        )

    def running(self):
        self.chooses = ctx.options.mode == DIRECTLY
        try:
            self.found(ask("/v1/status"))
        except Away as error:
            logging.warning("dockline does not answer at %s, so requests go on without it: %s", ctx.options.dockline_api, error)
        self.looking = asyncio.ensure_future(self.look())

    def done(self):
        if self.looking:
            self.looking.cancel()

    async def look(self):
        while True:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            try:
                self.found(await self.told("/v1/status"))
            except Away as error:
                self.lost(error)

    async def told(self, path, **query):
        """Asks, and waits no longer than it may take, even if others are asking."""
        try:
            return await asyncio.wait_for(asyncio.to_thread(ask, path, **query), PATIENCE_SECONDS)
        except asyncio.TimeoutError:
            raise Away("it took too long") from None

    def found(self, status):
        self.missed = 0
        mode = "upstream:http://" + status["gateway"] if status else self.mode
        if mode != self.mode:
            self.mode = mode
            logging.info("dockline answers")
            self.choose([mode])

    def lost(self, error):
        self.missed += 1
        if self.missed >= MISSED and self.mode is not None:
            self.mode = None
            logging.warning("dockline does not answer any more, so requests go on without it: %s", error)
            self.choose(DIRECTLY)

    def choose(self, mode):
        # Connections that there are keep the one they began with.
        if self.chooses:
            ctx.options.update(mode=mode)

    def client_connected(self, client):
        # Its first request waits for the answer.
        if self.mode is not None and self.missed == 0:
            self.callers[client.id] = asyncio.ensure_future(self.who(client))

    async def who(self, client):
        try:
            return await self.told("/v1/who", client=address(client))
        except Away:
            self.missed = max(self.missed, 1)
            return None

    def client_disconnected(self, client):
        self.callers.pop(client.id, None)

    def introduce(self, flow):
        """To the gateway, and to nobody else."""
        if flow.client_conn.proxy_mode.full_spec == self.mode:
            flow.request.headers[HEADER] = address(flow.client_conn)

    def http_connect_upstream(self, flow: HTTPFlow):
        self.introduce(flow)

    async def requestheaders(self, flow: HTTPFlow):
        # Inside TLS the gateway would not see it, and the origin would.
        if flow.request.scheme == "http":
            self.introduce(flow)
        asking = self.callers.get(flow.client_conn.id)
        caller = await asyncio.shield(asking) if asking else None
        if caller is None:
            return
        flow.comment = caller["name"]
        for field in ("container", "name", "service", "project"):
            flow.metadata["dockline_" + field] = caller.get(field)


addons = [Dockline()]
