"""Single connections and datagrams from a test, in any namespace of its bed."""

import os
import socket
import struct
import sys

from lib.bed import endpoint

TOOLS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tools")


def split(target):
    host, _, port = target.rpartition(":")
    return host.strip("[]"), int(port)


def _socket(bed, name, target, kind, source, port=0):
    family = socket.AF_INET6 if target.startswith("[") else socket.AF_INET
    with bed.inside(name):
        sock = socket.socket(family, kind)
    sock.settimeout(15)
    if source or port:
        sock.bind((source or "", port))
    return sock


class Talk:
    """A TCP connection to tools/echo.py."""

    def __init__(self, bed, target, name=None, source=None):
        self.socket = _socket(bed, name or bed.clients, target, socket.SOCK_STREAM, source)
        bed.on_exit(self.socket.close)
        try:
            self.socket.connect(split(target))
        except OSError:
            self.socket.close()
            raise
        self.number = 0

    def local(self):
        return endpoint(*self.socket.getsockname()[:2])

    def ask(self):
        """Sends a message of its own; returns who answered, and which peer it saw."""
        self.number += 1
        message = f"message {self.number} of {self.local()};".encode()
        self.socket.sendall(message)
        data = b""
        while not data.endswith(b";"):
            chunk = self.socket.recv(65536)
            if not chunk:
                raise ConnectionError("closed by the other end")
            data += chunk
        here, peer, answer = data.split(b" ", 2)
        if answer != message:
            raise AssertionError(f"sent {message!r}, got {data!r}")
        return here.decode(), peer.decode()

    def close(self):
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def ask_udp(bed, target, message=b"hello", source=None, port=0):
    """One datagram and its answer: who answered, the peer that it saw, and the socket's own address."""
    with _socket(bed, bed.clients, target, socket.SOCK_DGRAM, source, port) as sock:
        sock.connect(split(target))  # so that only the target's answers, or its refusal, arrive
        sock.send(message)
        here, peer, answer = sock.recv(65536).split(b" ", 2)
        if answer != message:
            raise AssertionError(f"sent {message!r}, got {answer!r}")
        return here.decode(), peer.decode(), endpoint(*sock.getsockname()[:2])


def echo_server(bed, name, protocol, *targets):
    """tools/echo.py in a namespace."""
    child = bed.child(name, "/usr/bin/python3", os.path.join(TOOLS, "echo.py"), protocol, *targets)
    child.line()
    return child


def send_advert(bed, destination, vip, *settings):
    """tools/advert.py at the clients."""
    bed.run(bed.clients, sys.executable, os.path.join(TOOLS, "advert.py"), "front", destination, vip, *settings)
