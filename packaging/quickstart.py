#!/usr/bin/python3
"""WebSockets for packaging/quickstart, on Python's websockets.

quickstart.py backend NAME ADDRESS PORT     echoes, with NAME before each message
quickstart.py clients URL FILE COUNT        keeps COUNT connections open from ten addresses, sends a message on each every
                                            half second, and writes one line of counts to FILE as it goes:
                                            OPEN LOST MESSAGES WRONG
"""

import asyncio
import itertools
import os
import sys

import websockets

SOURCES = [f'198.18.1.{host}' for host in range(10, 20)]


async def backend(name: str, address: str, port: str) -> None:
    async def echo(socket, *_):
        async for message in socket:
            await socket.send(f'{name} {message}')

    async with websockets.serve(echo, address, int(port), ping_interval=None):
        await asyncio.Future()


class Clients:
    def __init__(self, url: str, file: str):
        self.url, self.file = url, file
        self.open = self.lost = self.messages = self.wrong = 0

    async def write(self) -> None:
        while True:
            with open(self.file + '.new', 'w', encoding='ascii') as out:
                print(self.open, self.lost, self.messages, self.wrong, file=out)
            os.replace(self.file + '.new', self.file)
            await asyncio.sleep(0.1)

    async def one(self, number: int) -> None:
        try:
            async with websockets.connect(self.url, local_addr=(SOURCES[number % len(SOURCES)], 0), ping_interval=None,
                                          open_timeout=20) as socket:
                self.open += 1
                try:
                    await self.talk(socket, number)
                finally:
                    self.open -= 1
        except (OSError, asyncio.TimeoutError, websockets.WebSocketException) as error:
            self.lost += 1
            print(f'client {number}: {error!r}', flush=True)

    async def talk(self, socket, number: int) -> None:
        home = None
        for turn in itertools.count():
            text = f'{number} {turn}'
            await socket.send(text)
            name, _, echoed = (await asyncio.wait_for(socket.recv(), 10)).partition(' ')
            home = home or name
            self.messages += 1
            self.wrong += echoed != text or name != home
            await asyncio.sleep(0.5)

    async def run(self, count: int) -> None:
        writer = asyncio.create_task(self.write())
        await asyncio.gather(*(self.one(number) for number in range(count)))
        writer.cancel()


async def clients(url: str, file: str, count: str) -> None:
    await Clients(url, file).run(int(count))


if __name__ == '__main__':
    asyncio.run({'backend': backend, 'clients': clients}[sys.argv[1]](*sys.argv[2:]))
