#!/usr/bin/python3
"""WebSocket clients that connect again whenever they lose their connection, on Python's websockets.

    returning.py ADDRESS:PORT COUNT INTERVAL [CERTIFICATE]

INTERVAL: seconds between messages on each connection, each awaiting its echo; 0: none, so that only a packet from the other side tells
that the connection has ended. With CERTIFICATE over TLS, for chat.example, which only that certificate can vouch for. Each line on
standard input is answered with a line of JSON: live connections by backend; of all that were lost: how many by backend, how many are
back and when the last one came (time.monotonic); failed attempts by reason; messages that were answered."""

import asyncio
import collections
import json
import ssl
import sys

import websockets

PAUSE = 0.05            # seconds after a failed attempt
PATIENCE = 5            # for one attempt: longer than a SYN takes to be sent again


class Clients:
    def __init__(self, target, count, interval, certificate=None):
        host, _, self.port = target.rpartition(":")
        self.host = host.strip("[]")
        self.count, self.interval, self.certificate = int(count), float(interval), certificate
        self.live, self.lost, self.failed = collections.Counter(), collections.Counter(), collections.Counter()
        self.back = self.messages = 0
        self.last_back = None

    def connect(self):
        more = {"ssl": ssl.create_default_context(cafile=self.certificate), "server_hostname": "chat.example"} if self.certificate else {}
        url = "wss://chat.example/echo" if self.certificate else "ws://chat.example/echo"
        return websockets.connect(url, host=self.host, port=int(self.port), open_timeout=PATIENCE, close_timeout=0.1, ping_interval=None,
                                  **more)

    async def talk(self, connection, number):
        if not self.interval:
            await connection.recv()
        await asyncio.sleep(self.interval * number / self.count)
        while True:
            await connection.send(f"message {self.messages} of {number}")
            await connection.recv()
            self.messages += 1
            await asyncio.sleep(self.interval)

    async def stay(self, number):
        had_one = False
        while True:
            backend = None
            try:
                async with self.connect() as connection:
                    backend = connection.response_headers["X-Backend"]
                    self.live[backend] += 1
                    if had_one:
                        self.back += 1
                        self.last_back = asyncio.get_running_loop().time()
                    had_one = True
                    await self.talk(connection, number)
            except (OSError, EOFError, asyncio.TimeoutError, websockets.WebSocketException) as error:
                if backend:
                    self.live[backend] -= 1
                    self.lost[backend] += 1
                else:
                    self.failed[str(error) or type(error).__name__] += 1
                    await asyncio.sleep(PAUSE)

    async def run(self):
        tasks = [asyncio.ensure_future(self.stay(number)) for number in range(self.count)]
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            print(json.dumps({"live": +self.live, "lost": self.lost, "back": self.back, "last_back": self.last_back,
                              "failed": self.failed, "messages": self.messages}), flush=True)
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(Clients(*sys.argv[1:]).run())
