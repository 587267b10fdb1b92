"""Somebody else's process that owns an nftables table of a given name: `owner.py TABLE`; says "owned" and lives until its input ends."""

import socket
import struct
import sys

NETLINK_NETFILTER = 12
NFNL_BATCH_BEGIN, NFNL_BATCH_END = 0x10, 0x11
NFT_NEWTABLE = 10 << 8  # NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWTABLE
NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE = 1, 4, 0x400
NFTA_TABLE_NAME, NFTA_TABLE_FLAGS = 1, 2
NFT_TABLE_F_OWNER = 2
NFPROTO_INET = 1


def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def message(kind, flags, sequence, family, resource, body=b""):
    data = struct.pack("=BBH", family, 0, socket.htons(resource)) + body
    return struct.pack("=IHHII", 16 + len(data), kind, flags, sequence, 0) + data


def main(name):
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    body = attribute(NFTA_TABLE_NAME, name.encode() + b"\0") + attribute(NFTA_TABLE_FLAGS, struct.pack(">I", NFT_TABLE_F_OWNER))
    sock.send(message(NFNL_BATCH_BEGIN, NLM_F_REQUEST, 1, 0, 10)
              + message(NFT_NEWTABLE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE, 2, NFPROTO_INET, 0, body)
              + message(NFNL_BATCH_END, NLM_F_REQUEST, 3, 0, 10))
    error = -struct.unpack_from("=i", sock.recv(65536), 16)[0]
    print("owned" if error == 0 else f"refused: errno {error}", flush=True)
    sys.stdin.read()


main(sys.argv[1])
