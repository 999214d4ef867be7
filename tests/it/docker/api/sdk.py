"""What programs do with the Python SDK, against DOCKER_HOST. Arguments: image, label, proxy's end."""

import io
import sys
import tarfile

import docker

image, label, proxy = sys.argv[1:]
key, value = label.split("=")
labels = {key: value}
client = docker.from_env(timeout=60)

said = client.containers.run(image, ["sh", "-c", "echo $HTTP_PROXY"], labels=labels, remove=True)
assert said.decode().strip().endswith(proxy), said

try:
    client.containers.run(image, ["sh", "-c", "echo lost >&2; exit 4"], labels=labels, remove=True)
    raise AssertionError("a failure went unnoticed")
except docker.errors.ContainerError as error:
    assert error.exit_status == 4 and b"lost" in error.stderr, error

network = client.networks.create(value + "-sdk", labels=labels)
web = client.containers.run(
    image, ["sh", "-c", "read line; echo got $line"], labels=labels, detach=True, stdin_open=True, network=network.name
)
stream = web.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
raw = stream._sock
raw.sendall(b"in and out\n")
out = b""
while b"got in and out" not in out:
    part = raw.recv(4096)
    assert part, out
    out += part
assert web.wait(timeout=60)["StatusCode"] == 0

web = client.containers.run(image, ["sleep", "1000"], labels=labels, detach=True, network=network.name)
code, output = web.exec_run(["sh", "-c", "echo out; exit 6"])
assert (code, output) == (6, b"out\n"), (code, output)
_, parts = web.exec_run(["sh", "-c", "seq 1 20000"], stream=True)
assert b"".join(parts).split()[-1] == b"20000"

archive = io.BytesIO()
with tarfile.open(fileobj=archive, mode="w") as tar:
    entry = tarfile.TarInfo("file")
    entry.size = 1_000_000
    tar.addfile(entry, io.BytesIO(b"x" * entry.size))
assert web.put_archive("/", archive.getvalue())
parts, stat = web.get_archive("/file")
assert stat["size"] == 1_000_000 and sum(len(part) for part in parts) > 1_000_000

events = client.events(decode=True, filters={"container": web.id})
web.rename(value + "-sdk-renamed")
assert next(events)["Action"] == "rename"
events.close()
assert next(iter(web.stats(stream=True, decode=True)))["name"].endswith("renamed")
assert web.id in [found.id for found in client.containers.list(filters={"label": label})]
members = client.networks.get(network.id).containers
assert [member.id for member in members] == [web.id], members
web.kill()
web.remove()
network.remove()
print("fine")
