"""Adverts of somebody else, made by hand: `advert.py INTERFACE DESTINATION VIP [KEY=VALUE...]`; keys: version, kind, vrid, priority,
count, interval (centiseconds), ttl, checksum (plain: without a pseudo-header; wrong), cut (bytes left out at the end), times."""

import ipaddress
import socket
import struct
import sys

PROTOCOL = 112


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def main(interface, destination, vip, *settings):
    keys = dict(version=3, kind=1, vrid=51, priority=255, count=1, interval=10, ttl=255, checksum="right", cut=0, times=1)
    keys.update((key, value if key == "checksum" else int(value)) for key, value in (word.split("=") for word in settings))
    address = ipaddress.ip_address(vip)
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_RAW, PROTOCOL)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
    if family == socket.AF_INET:
        for option in (socket.IP_TTL, socket.IP_MULTICAST_TTL):
            sock.setsockopt(socket.IPPROTO_IP, option, keys["ttl"])
    else:
        for option in (socket.IPV6_UNICAST_HOPS, socket.IPV6_MULTICAST_HOPS):
            sock.setsockopt(socket.IPPROTO_IPV6, option, keys["ttl"])
    sock.connect((destination, 0) if family == socket.AF_INET else (destination, 0, 0, socket.if_nametoindex(interface)))
    source = ipaddress.ip_address(sock.getsockname()[0].split("%")[0]).packed

    def message(value):
        head = (keys["version"] << 4 | keys["kind"], keys["vrid"], keys["priority"], keys["count"], keys["interval"], value)
        return struct.pack("!BBBBHH", *head) + address.packed

    pseudo = source + ipaddress.ip_address(destination).packed + struct.pack("!HH", PROTOCOL, len(message(0)))
    value = checksum((b"" if keys["checksum"] == "plain" else pseudo) + message(0)) ^ (keys["checksum"] == "wrong")
    for _ in range(keys["times"]):
        sock.send(message(value)[:len(message(0)) - keys["cut"]])


main(*sys.argv[1:])
