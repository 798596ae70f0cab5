#!/usr/bin/python3
"""Requests that belong to no IKE SA (RFC 7296 §1.5): stray.py FROM TO

Sends two from one address to another, port 500, and prints what comes back: an IKE_SA_INIT request of version 3.0, and
an encrypted INFORMATIONAL request of an IKE SA that nobody has.
"""
import socket
import struct
import sys

HERE, THERE = sys.argv[1:3]
IKE_SA_INIT, INFORMATIONAL, NONE, SK = 34, 37, 0, 46


def request(version, exchange, first, spis, message_id, body):
    head = spis + bytes([first, version, exchange, 0x08])
    return head + struct.pack("!LL", message_id, 28 + len(body)) + body


STRAY = {
    "version": request(0x30, IKE_SA_INIT, NONE, b"\x11" * 8 + b"\x00" * 8, 0, bytes(64)),
    "spi": request(0x20, INFORMATIONAL, SK, b"\x11" * 8 + b"\x22" * 8, 7,
                   b"\x00\x00\x00\x40" + bytes(60)),
}
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
    ours.bind((HERE, 0))
    ours.settimeout(1.5)
    for name, datagram in STRAY.items():
        ours.sendto(datagram, (THERE, 500))
        try:
            print(name, ours.recv(65535).hex())
        except TimeoutError:
            print(name, "silence")
