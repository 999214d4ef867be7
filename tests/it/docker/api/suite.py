"""What a test suite does with Testcontainers, against DOCKER_HOST, until it is killed.

Arguments: image, label, prefix of names, the engine's socket as the engine's machine has it.
"""

import os
import sys
import urllib.request

from testcontainers.core.container import DockerContainer, Reaper
from testcontainers.core.labels import SESSION_ID
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import HttpWaitStrategy, LogMessageWaitStrategy

image, label, prefix, engine_socket = sys.argv[1:]
key, value = label.split("=")
labels = {key: value}


def container(name, command):
    made = DockerContainer(image).with_name(f"{prefix}-{name}").with_command(command).with_exposed_ports(80)
    return made.with_network(network).with_network_aliases(name).with_kwargs(labels=labels)


network = Network(docker_network_kw={"labels": labels}).create()
web = container("web", ["hello", "web"]).waiting_for(HttpWaitStrategy(80)).start()
script = "mkdir /www && wget -q -O /www/index.html http://web/ && echo serving && exec httpd -f -h /www"
client = container("client", ["sh", "-c", script]).waiting_for(LogMessageWaitStrategy("serving")).start()

# The exposed port, as its user finds it.
url = f"http://{client.get_container_host_ip()}:{client.get_exposed_port(80)}/"
plain = urllib.request.build_opener(urllib.request.ProxyHandler({}))
page = plain.open(url, timeout=60).read()
assert page == b"hello from web\n", page

# Whoever reaps is left alone, has been told what to reap, and has the engine's own socket.
Reaper._socket.settimeout(60)
assert Reaper._socket.recv(16) == b"ACK\n"
ryuk = Reaper._container.get_wrapped_container()
ryuk.reload()
config = ryuk.attrs["Config"]
assert not [pair for pair in config["Env"] or [] if "proxy" in pair.lower()], config
assert not [name for name in config["Labels"] if name.startswith("dockline.")], config
[mount] = ryuk.attrs["Mounts"]
assert (mount["Source"], mount["Destination"]) == (engine_socket, "/var/run/docker.sock"), mount

print(SESSION_ID, flush=True)
# Without a farewell: now it is up to the reaper.
os._exit(0)
