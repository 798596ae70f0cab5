"""ICMP about packets that were too big, quoting no more than an IP and a UDP header (RFC 792).

quoter.py forge FROM OURS PEER SPORT MTU   one message that quotes UDP from OURS:SPORT to PEER:4500
quoter.py router FROM OURS MTU             a router of MTU octets: complains about what OURS sends beyond it, and says so
quoter.py stray TO COUNT                   COUNT datagrams of 20 octets to UDP 500
"""
import socket
import struct
import sys
import time


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF


def ip(source, destination, protocol, length):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, 1, 0x4000, 64, protocol, 0,
                         socket.inet_aton(source), socket.inet_aton(destination))
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:]


def complain(source, to, mtu, quote):
    message = struct.pack("!BBHHH", 3, 4, 0, 0, mtu) + quote
    message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as out:
        out.sendto(ip(source, to, 1, len(message)) + message, (to, 0))


def forge(source, ours, peer, port, mtu):
    quote = ip(ours, peer, 17, 1400) + struct.pack("!HHHH", int(port), 4500, 1400, 0)
    complain(source, ours, int(mtu), quote)


def router(source, ours, mtu):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    wire.bind(("outer", 0x0800))
    print("listening", flush=True)
    while True:
        packet = wire.recv(65535)
        if packet[12:16] == socket.inet_aton(ours) and len(packet) > int(mtu) and packet[6] & 0x40:
            complain(source, ours, int(mtu), packet[:28])
            print("complained about", len(packet), flush=True)


def stray(to, count):
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for n in range(int(count)):
        out.sendto(bytes(20), (to, 500))
        if n % 50 == 0:
            time.sleep(0.01)


{"forge": forge, "router": router, "stray": stray}[sys.argv[1]](*sys.argv[2:])
