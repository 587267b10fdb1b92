#!/usr/bin/python3
"""A small DNS server over UDP for tests. usage: dns.py ADDRESS:PORT

Takes lines of JSON on standard input: {"records": {"NAME TYPE": [VALUE, …], …}, "ttl": SECONDS, "mood": "answers"}. TYPE is A, AAAA
or SRV, whose values are "PRIORITY WEIGHT PORT TARGET". Moods: answers, silent, fails (SERVFAIL). Each line is answered by "ok" once
it holds."""

import json
import select
import socket
import struct
import sys

TYPES = {1: "A", 28: "AAAA", 33: "SRV"}
SERVFAIL, NXDOMAIN = 2, 3


def wire_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def question_of(query):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
        at += 1 + query[at]
    return ".".join(labels), TYPES.get(struct.unpack("!H", query[at + 1:at + 3])[0], "?"), query[12:at + 5]


def data(kind, value):
    if kind == "SRV":
        priority, weight, port, target = value.split()
        return struct.pack("!HHH", int(priority), int(weight), int(port)) + wire_name(target)
    return socket.inet_pton(socket.AF_INET6 if kind == "AAAA" else socket.AF_INET, value)


def answer(query, zone):
    name, kind, question = question_of(query)
    known = any(key.split()[0] == name for key in zone["records"])
    values = zone["records"].get(f"{name} {kind}", [])
    code = SERVFAIL if zone["mood"] == "fails" else 0 if known else NXDOMAIN
    values = [] if code else values
    number = next(number for number, word in TYPES.items() if word == kind)
    head = query[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(values), 0, 0)
    records = [b"\xc0\x0c" + struct.pack("!HHIH", number, 1, zone["ttl"], len(data(kind, v))) + data(kind, v) for v in values]
    return head + question + b"".join(records)


def main():
    host, _, port = sys.argv[1].rpartition(":")
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, int(port)))
    zone = {"records": {}, "ttl": 1, "mood": "answers"}
    print("ready", flush=True)
    while True:
        for ready in select.select([sock, sys.stdin], [], [])[0]:
            if ready is sock:
                query, client = sock.recvfrom(4096)
                if zone["mood"] != "silent":
                    sock.sendto(answer(query, zone), client)
            else:
                line = sys.stdin.readline()
                if not line:
                    return
                zone.update(json.loads(line))
                print("ok", flush=True)


main()
