#!/usr/bin/python3
"""Echo server and checking client on Python's websockets, for websocket_e2e.

    ws_python.py server HOST PORT
    ws_python.py client URL CONNECTIONS MESSAGES   prints {"ok": messages echoed rightly, "wrong": n, "failed": n}"""

import asyncio
import json
import os
import sys

import websockets


async def echo(socket, *_):
    async for message in socket:
        await socket.send(message)


async def serve(host, port):
    async with websockets.serve(echo, host, int(port), max_size=1 << 20):
        print('{"done":"listening"}', flush=True)
        await asyncio.Future()


def payload(number):
    """Text and binary, from nothing to some 64-bit lengths."""
    size = [0, 1, 125, 126, 4000, 65535, 65536, 200000][number % 8]
    return os.urandom(size) if number % 2 else ("ä€" * size)[: size // 2]


async def talk(url, messages):
    result = {"ok": 0, "wrong": 0, "failed": 0}
    try:
        async with websockets.connect(url, max_size=1 << 20, open_timeout=20) as socket:
            for number in range(messages):
                sent = payload(number)
                await socket.send(sent)
                result["ok" if await socket.recv() == sent else "wrong"] += 1
    except (OSError, asyncio.TimeoutError, websockets.WebSocketException) as error:
        print(repr(error), file=sys.stderr)
        result["failed"] = 1
    return result


async def load(url, connections, messages):
    results = await asyncio.gather(*(talk(url, int(messages)) for _ in range(int(connections))))
    print(json.dumps({key: sum(result[key] for result in results) for key in ("ok", "wrong", "failed")}), flush=True)


asyncio.run({"server": serve, "client": load}[sys.argv[1]](*sys.argv[2:]))
