#!/usr/bin/env python3
"""The other end of GRE tunnels, made of scapy alone: answers pings and forwards keepalives, and sends what is wrong.

    gre_peer.py serve [--esp FILE] TUNNEL…     TUNNEL is LOCAL,REMOTE,FLAGS[,KEY]; FLAGS of c, k, s or -
    gre_peer.py bad LOCAL REMOTE KEY           one packet of each wrong kind, to a tunnel with a key and sequence numbers

With --esp, packets are in ESP transport mode with the SAs of FILE, a table of Wireshark's (`esp_sa`).
Prints `ready`, then one line for each kind of packet when it is first seen. Exits when a packet has not the flags, the
order or the checksum that its tunnel wants.
"""
import csv
import socket
import struct
import sys
import threading

from scapy.all import GRE, ICMP, IP, TCP, ICMPv6EchoReply, ICMPv6EchoRequest, IPv6, Raw, conf
from scapy.layers.ipsec import SecurityAssociation
from scapy.utils import checksum

conf.verb = 0
LOCK = threading.Lock()
SAID = set()


def say(*words):
    with LOCK:
        if words not in SAID:
            SAID.add(words)
            print(*words, flush=True)


class Wrong(Exception):
    pass


class Tunnel:
    def __init__(self, words):
        local, remote, flags, *key = words.split(",")
        self.local, self.remote, self.flags = local, remote, flags
        self.key = int(key[0]) if key else None
        self.v6 = ":" in local
        self.sent, self.received = 0, None

    def check(self, octets):
        """The payload and its EtherType of a packet that is as this tunnel wants it."""
        gre = GRE(octets)
        bits = {"c": gre.chksum_present, "k": gre.key_present, "s": gre.seqnum_present}
        keepalive = gre.proto == 0 or (gre.proto == 0x0800 and gre.payload.haslayer(GRE))
        for flag, bit in bits.items():
            # Keepalives carry no number: they come back as they went.
            if bit != int(flag in self.flags) and not (flag == "s" and keepalive):
                raise Wrong(f"flag {flag} is {bit} in {octets[:16].hex()}")
        if gre.routing_present or gre.version or gre.flags or gre.recursion_control:
            raise Wrong(f"flags {octets[:2].hex()}")
        if gre.chksum_present and checksum(octets) != 0:
            raise Wrong(f"checksum of {octets.hex()}")
        if gre.key_present and gre.key != self.key:
            raise Wrong(f"key {gre.key}")
        if gre.seqnum_present:
            if self.received is not None and gre.sequence_number != self.received + 1:
                raise Wrong(f"number {gre.sequence_number} after {self.received}")
            self.received = gre.sequence_number
        length = 4 + 4 * (gre.chksum_present + gre.key_present + gre.seqnum_present)
        return octets[length:], gre.proto

    def wrap(self, packet):
        header = GRE(proto=0x0800 if packet.version == 4 else 0x86DD)
        if "c" in self.flags:
            header.chksum_present = 1
        if "k" in self.flags:
            header.key_present, header.key = 1, self.key
        if "s" in self.flags:
            header.seqnum_present, header.sequence_number = 1, self.sent
            self.sent += 1
        return bytes(header / packet)

    def answer(self, octets):
        """What goes back for one GRE packet: GRE octets, or None."""
        payload, proto = self.check(octets)
        if proto == 0x86DD:
            packet = IPv6(payload)
            if ICMPv6EchoRequest in packet:
                say("ping over", self.local, "IPv6")
                echo = packet[ICMPv6EchoRequest]
                reply = ICMPv6EchoReply(id=echo.id, seq=echo.seq, data=echo.data)
                return self.wrap(IPv6(src=packet.dst, dst=packet.src) / reply)
            return None
        if proto != 0x0800:
            raise Wrong(f"protocol {proto:#x}")
        packet = IP(payload)
        if packet.proto == 47:
            # A keepalive: the delivery header comes off, and what is inside is forwarded.
            say("keepalive over", self.local, f"tos {packet.tos:#x}")
            return bytes(packet.payload)
        if ICMP in packet and packet[ICMP].type == 8:
            say("ping over", self.local, "IPv4")
            reply = ICMP(type=0, id=packet[ICMP].id, seq=packet[ICMP].seq) / Raw(bytes(packet[ICMP].payload))
            return self.wrap(IP(src=packet.dst, dst=packet.src) / reply)
        if TCP in packet and packet[TCP].flags == "S":
            say("SYN over", self.local, "MSS", dict(packet[TCP].options)["MSS"])
        elif packet.dst == "224.0.0.5":
            say("multicast over", self.local, "protocol", packet.proto)
        return None


class Associations:
    """The SAs of a Wireshark table, transport mode."""

    NAMES = {"AES-CBC [RFC3602]": "AES-CBC", "HMAC-SHA-1-96 [RFC2404]": "HMAC-SHA1-96"}

    def __init__(self, path):
        self.by_spi, self.outbound = {}, {}
        for row in csv.reader(open(path)):
            _, source, destination, spi, cipher, cipher_key, auth, auth_key = row
            sa = SecurityAssociation(
                # The numbers go on where the other gateway has stopped.
                ESP_LAYER(), spi=int(spi, 16), seq_num=500,
                crypt_algo=self.NAMES[cipher], crypt_key=bytes.fromhex(cipher_key[2:]),
                auth_algo=self.NAMES[auth], auth_key=bytes.fromhex(auth_key[2:]))
            self.by_spi[int(spi, 16)] = sa
            self.outbound[(source, destination)] = sa

    def open(self, packet):
        spi = struct.unpack("!I", bytes(packet.payload)[:4])[0]
        sa = self.by_spi.get(spi)
        return sa.decrypt(packet) if sa else None

    def seal(self, packet):
        return self.outbound[(packet.src, packet.dst)].encrypt(packet)


def ESP_LAYER():
    from scapy.layers.ipsec import ESP
    return ESP


def serve_v4(tunnels, associations):
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 50 if associations else 47)
    out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    say("ready")
    while True:
        packet = IP(raw.recv(65536))
        if associations:
            packet = associations.open(packet)
            if packet is None or packet.proto != 47:
                continue
        tunnel = tunnels.get((packet.dst, packet.src))
        if tunnel is None:
            continue
        answer = tunnel.answer(bytes(packet.payload))
        if answer is not None:
            reply = IP(src=tunnel.local, dst=tunnel.remote, proto=47, ttl=255) / Raw(answer)
            reply = IP(bytes(reply))
            if associations:
                reply = associations.seal(reply)
            out.sendto(bytes(reply), (tunnel.remote, 0))


def serve_v6(tunnels):
    raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 47)
    raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    say("ready 6")
    while True:
        octets, control, _, peer = raw.recvmsg(65536, 256)
        local = next(socket.inet_ntop(socket.AF_INET6, data[:16]) for _, kind, data in control if kind == socket.IPV6_PKTINFO)
        tunnel = tunnels.get((local, peer[0]))
        if tunnel is None:
            continue
        answer = tunnel.answer(octets)
        if answer is not None:
            info = socket.inet_pton(socket.AF_INET6, local) + struct.pack("@I", 0)
            raw.sendmsg([answer], [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, info)], 0, (peer[0], 0, 0, 0))


def guarded(work, *arguments):
    try:
        work(*arguments)
    except Wrong as wrong:
        say("WRONG", str(wrong))
        raise SystemExit(1)


def serve(words):
    associations = None
    if words[0] == "--esp":
        associations = Associations(words[1])
        words = words[2:]
    tunnels = [Tunnel(w) for w in words]
    by_ends = {(t.local, t.remote): t for t in tunnels}
    threads = []
    if any(t.v6 for t in tunnels):
        threads.append(threading.Thread(target=guarded, args=(serve_v6, by_ends)))
    if any(not t.v6 for t in tunnels):
        threads.append(threading.Thread(target=guarded, args=(serve_v4, by_ends, associations)))
    for thread in threads:
        thread.start()


def bad(local, remote, key):
    out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    key = int(key)
    inner = IP(src="10.9.9.9", dst="10.9.9.1") / ICMP()
    keyed = dict(key_present=1, key=key, seqnum_present=1, proto=0x0800)
    packets = [
        # RFC 1701's routing bit, source route entries behind it
        GRE(routing_present=1, proto=0x0800) / Raw(bytes(4)) / inner,
        GRE(strict_route_source=1, proto=0x0800) / inner,
        GRE(version=1, proto=0x0800) / inner,
        GRE(chksum_present=1, chksum=0x1234, sequence_number=900, **keyed) / inner,
        GRE(**{**keyed, "key": key + 1}, sequence_number=901) / inner,
        GRE(**{**keyed, "key_present": 0, "key": None}, sequence_number=902) / inner,
        GRE(**{**keyed, "proto": 0x8847}, sequence_number=903) / inner,
        GRE(sequence_number=904, **keyed) / IP(src="10.9.9.9", dst=local) / ICMP(),
        # In order once, then again: a repetition
        GRE(sequence_number=1000, **keyed) / inner,
        GRE(sequence_number=1000, **keyed) / inner,
        Raw(b"\x30"),
    ]
    for packet in packets:
        whole = IP(src=local, dst=remote, proto=47, ttl=255) / Raw(bytes(packet))
        out.sendto(bytes(whole), (remote, 0))


if __name__ == "__main__":
    {"serve": serve, "bad": lambda words: bad(*words)}[sys.argv[1]](sys.argv[2:])
