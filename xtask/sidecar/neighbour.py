"""What a neighbour of dockline's gets: gateway and names, and without the password no gateway."""

import base64
import socket
import struct
import sys

password, network = sys.argv[1:]
PATIENCE = 10


def ask(credentials):
    """The head and the body of the application's page, by way of the gateway."""
    with socket.create_connection(("dockline", 1090), PATIENCE) as gateway:
        gateway.settimeout(PATIENCE)
        request = f"GET http://api.{network}/ HTTP/1.1\r\nHost: api.{network}\r\nConnection: close\r\n"
        if credentials:
            token = base64.b64encode(f"dockline:{credentials}".encode()).decode()
            request += f"Proxy-Authorization: Basic {token}\r\n"
        gateway.sendall((request + "\r\n").encode())
        answer = b""
        while chunk := gateway.recv(4096):
            answer += chunk
        return answer.decode()


def resolve(name):
    """How many addresses dockline's DNS has for a name."""
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + question + struct.pack(">BHH", 0, 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(PATIENCE)
        asking.sendto(query, ("dockline", 5390))
        answer = asking.recv(512)
    return struct.unpack(">H", answer[6:8])[0]


for credentials in (None, "guessed"):
    answer = ask(credentials)
    assert answer.startswith("HTTP/1.1 407 "), answer
answer = ask(password)
assert answer.startswith("HTTP/1.1 200 ") and "hello from api" in answer, answer
assert resolve(f"api.{network}") == 1
assert resolve("nobody") == 0
print("neighbours get gateway and names; without the password 407")
