#!/usr/bin/python3
"""WebSockets for packaging/quickstart, on Python's websockets.

quickstart.py backend NAME ADDRESS PORT     echoes, with NAME before each message
quickstart.py clients URL FILE COUNT        keeps COUNT connections open from ten addresses, sends a message on each every
                                            half second, and writes one line of counts to FILE as it goes:
                                            LIVE LOST RESET MESSAGES WRONG SLOWEST SINCE
                                            RESET: how many of the lost ones ended with a reset; SLOWEST: the longest time that
                                            an answer took, in ms; SINCE: every live connection has had an answer to a message
                                            that was sent then or later, in ms since 1970
"""

import asyncio
import errno
import itertools
import os
import sys
import time

import websockets

SOURCES = [f'198.18.1.{host}' for host in range(10, 20)]


async def backend(name: str, address: str, port: str) -> None:
    async def echo(socket, *_):
        async for message in socket:
            await socket.send(f'{name} {message}')

    async with websockets.serve(echo, address, int(port), ping_interval=None):
        await asyncio.Future()


def was_reset(error: BaseException | None) -> bool:
    """Whether the kernel told of a reset, directly or as the cause of what websockets raised."""
    while error:
        if isinstance(error, OSError) and error.errno == errno.ECONNRESET:
            return True
        error = error.__cause__ or error.__context__
    return False


def now() -> int:
    return time.time_ns() // 1_000_000


class Clients:
    def __init__(self, url: str, file: str):
        self.url, self.file = url, file
        self.lost = self.reset = self.messages = self.wrong = self.slowest = 0
        self.answered: dict[int, int] = {}      # live connection: when the last message that was answered was sent

    def write(self) -> None:
        with open(self.file + '.new', 'w', encoding='ascii') as out:
            print(len(self.answered), self.lost, self.reset, self.messages, self.wrong, self.slowest,
                  min(self.answered.values(), default=now()), file=out)
        os.replace(self.file + '.new', self.file)

    async def keep_writing(self) -> None:
        while True:
            self.write()
            await asyncio.sleep(0.1)

    async def one(self, number: int) -> None:
        try:
            socket = await websockets.connect(self.url, local_addr=(SOURCES[number % len(SOURCES)], 0), ping_interval=None,
                                              open_timeout=20)
            self.answered[number] = now()
            await asyncio.sleep(number % 50 / 100)      # in step they could all be silent during an outage
            await self.talk(socket, number)
        except (OSError, asyncio.TimeoutError, websockets.WebSocketException) as error:
            self.answered.pop(number, None)
            self.lost += 1
            self.reset += was_reset(error)
            print(f'client {number}: {error!r}', flush=True)

    async def talk(self, socket, number: int) -> None:
        home = None
        for turn in itertools.count():
            text, sent = f'{number} {turn}', now()
            await socket.send(text)
            name, _, echoed = (await asyncio.wait_for(socket.recv(), 10)).partition(' ')
            home = home or name
            self.messages += 1
            self.wrong += echoed != text or name != home
            self.slowest = max(self.slowest, now() - sent)
            self.answered[number] = sent
            await asyncio.sleep(0.5)

    async def run(self, count: int) -> None:
        writer = asyncio.create_task(self.keep_writing())
        await asyncio.gather(*(self.one(number) for number in range(count)))
        writer.cancel()
        self.write()


async def clients(url: str, file: str, count: str) -> None:
    await Clients(url, file).run(int(count))


if __name__ == '__main__':
    asyncio.run({'backend': backend, 'clients': clients}[sys.argv[1]](*sys.argv[2:]))
