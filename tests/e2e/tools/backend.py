#!/usr/bin/python3
"""A backend, good or not.

    backend.py echo ADDRESS:PORT [CERTIFICATE KEY]   WebSockets, over TLS with a certificate; tells its address in X-Backend
    backend.py garbage ADDRESS:PORT                  answers whatever comes with bytes that mean nothing
    backend.py silent ADDRESS:PORT                   takes connections and never says a word"""

import asyncio
import ssl
import sys

import websockets


async def echo(connection, *_):
    async for message in connection:
        await connection.send(message)


async def garbage(reader, writer):
    await reader.read(1)
    writer.write(bytes(range(1, 256)) * 4)
    await writer.drain()
    await reader.read()


async def silent(reader, _):
    await reader.read()


async def serve(kind, endpoint, certificate=None, key=None):
    host, _, port = endpoint.rpartition(":")
    host = host.strip("[]")
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    if kind == "echo":
        await websockets.serve(echo, host, int(port), ssl=context, extra_headers={"X-Backend": endpoint}, ping_interval=None)
    else:
        await asyncio.start_server({"garbage": garbage, "silent": silent}[kind], host, int(port))
    print("ready", flush=True)
    await asyncio.Future()


asyncio.run(serve(*sys.argv[1:]))
