#!/usr/bin/python3
"""IKE_SA_INIT requests that nobody goes on with: half_open.py FROM TO COUNT

Each has an SPI and a port of its own, one proposal of AES-128/SHA-256/Curve25519 and a random public value.
"""
import os
import socket
import struct
import sys


def payload(following, body):
    return struct.pack("!BBH", following, 0, len(body) + 4) + body


def transform(last, kind, number, attributes=b""):
    return struct.pack("!BBHBBH", 0 if last else 3, 0, 8 + len(attributes), kind, 0, number) + attributes


def request():
    transforms = (
        transform(False, 1, 12, struct.pack("!HH", 0x800E, 128))
        + transform(False, 3, 12)
        + transform(False, 2, 5)
        + transform(True, 4, 31)
    )
    proposal = struct.pack("!BBHBBBB", 0, 0, 8 + len(transforms), 1, 1, 0, 4) + transforms
    key = struct.pack("!HH", 31, 0) + os.urandom(32)
    body = payload(34, proposal) + payload(40, key) + payload(0, os.urandom(32))
    return os.urandom(8) + bytes(8) + struct.pack("!BBBBLL", 33, 0x20, 34, 0x08, 0, 28 + len(body)) + body


source, destination, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
for port in range(20000, 20000 + count):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source, port))
        sock.sendto(request(), (destination, 500))
print(count, "begun")
