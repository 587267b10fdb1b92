"""A man in the middle of two nodes' link: passes bytes on in both directions, and once, when told so, something else."""

import contextlib
import selectors
import socket
import threading

from lib.wait import until


class Relay:
    """At `address`, in a namespace; `nodes` are the two ends' addresses. Who connects is connected with the other one."""

    WAYS = {"flip": lambda data: data[:-1] + bytes([data[-1] ^ 1]), "cut": lambda data: data[:-9], "repeat": lambda data: data * 2}

    def __init__(self, bed, namespace, address, nodes, port=4440):
        self.bed, self.namespace, self.address, self.nodes, self.port = bed, namespace, address, nodes, port
        self.how, self.altered = None, 0
        self.recorded = {}    # by address, what has come to it from those that connected
        self.stopping = threading.Event()
        with bed.inside(namespace):
            self.listener = socket.create_server((address, port))
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        bed.on_exit(self.stop)

    def stop(self):
        self.stopping.set()
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()

    def alter(self, how):
        """The next bytes; returns when they have come."""
        before, self.how = self.altered, how
        until(lambda: self.altered > before, f"bytes to {how}")

    def connect(self, node):
        """As from the relay's address."""
        with self.bed.inside(self.namespace):
            return socket.create_connection((node, self.port), 5, (self.address, 0))

    def _run(self):
        while not self.stopping.is_set():
            for key, _ in self.selector.select(0.1):
                if key.fileobj is self.listener:
                    self._accept()
                elif key.fileobj.fileno() >= 0:
                    self._pass_on(key.fileobj, *key.data)

    def _accept(self):
        near, (caller, _) = self.listener.accept()
        called = next(node for node in self.nodes if node != caller)
        try:
            far = self.connect(called)
        except OSError:
            near.close()
            return
        self.selector.register(near, selectors.EVENT_READ, (far, self.recorded.setdefault(called, bytearray())))
        self.selector.register(far, selectors.EVENT_READ, (near, bytearray()))

    def _pass_on(self, source, sink, record):
        data = b""
        with contextlib.suppress(OSError):
            data = source.recv(65536)
            if len(record) < 65536:
                record += data
            if data and self.how and len(data) > 9:
                data, self.how = self.WAYS[self.how](data), None
                self.altered += 1
            sink.sendall(data)
        if not data:
            for end in (source, sink):
                self.selector.unregister(end)
                end.close()
