#!/usr/bin/python3
"""A small echo server: echo.py tcp|udp ADDRESS:PORT... Each answer is "HERE PEER " and what came, so that the other end learns
which server it reached and under which address it was seen there."""

import asyncio
import sys


def text(address):
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"


async def serve_tcp(reader, writer):
    here, peer = (text(writer.get_extra_info(name)) for name in ("sockname", "peername"))
    try:
        while data := await reader.read(65536):
            writer.write(f"{here} {peer} ".encode() + data)
    except ConnectionError:
        pass
    writer.close()


class Datagrams(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.transport.sendto(f"{text(self.transport.get_extra_info('sockname'))} {text(addr)} ".encode() + data, addr)


async def main(protocol, endpoints):
    loop = asyncio.get_running_loop()
    for endpoint in endpoints:
        host, _, port = endpoint.rpartition(":")
        host = host.strip("[]")
        if protocol == "udp":
            await loop.create_datagram_endpoint(Datagrams, local_addr=(host, int(port)))
        else:
            await asyncio.start_server(serve_tcp, host, int(port))
    print("listening", flush=True)
    await asyncio.Future()


asyncio.run(main(sys.argv[1], sys.argv[2:]))
