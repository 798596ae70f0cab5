#!/usr/bin/env python3
"""Cross-checks our ESP with scapy's, both directions: esp_scapy.py ORACLE MODE FAMILY UDP ESN

ORACLE is the program examples/esp_oracle; MODE tunnel or transport; FAMILY 4 or 6; UDP and ESN 0 or 1.
Prints one line a suite and fails on the first difference.
"""
import random
import struct
import subprocess
import sys

from scapy.all import ICMP, IP, TCP, UDP, IPv6, Raw, conf
from scapy.layers.ipsec import AUTH_ALGOS, CRYPT_ALGOS, ESP, SecurityAssociation

from esn import DIGESTS, EsnHmac

conf.verb = 0
SUITES = [
    # our name, scapy's encryption and integrity, lengths of their keys
    ("AES_CBC_128/HMAC_SHA1_96", "AES-CBC", "HMAC-SHA1-96", 16, 20),
    ("AES_CBC_256/HMAC_SHA2_256_128", "AES-CBC", "SHA2-256-128", 32, 32),
    ("AES_CBC_192/HMAC_SHA2_384_192", "AES-CBC", "SHA2-384-192", 24, 48),
    ("AES_CBC_128/HMAC_SHA2_512_256", "AES-CBC", "SHA2-512-256", 16, 64),
    ("3DES_CBC/HMAC_SHA1_96", "3DES", "HMAC-SHA1-96", 24, 20),
    ("3DES_CBC/HMAC_MD5_96", "3DES", "HMAC-MD5-96", 24, 16),
    ("NULL/HMAC_SHA1_96", "NULL", "HMAC-SHA1-96", 0, 20),
    ("NULL/HMAC_SHA2_256_128", "NULL", "SHA2-256-128", 0, 32),
    ("AES_GCM_16_128", "AES-GCM", "NULL", 20, 0),
    ("AES_GCM_16_256", "AES-GCM", "NULL", 36, 0),
    ("CHACHA20_POLY1305", "CHACHA20-POLY1305", "NULL", 36, 0),
]
# Names that this version of scapy does not know are told, not skipped in silence.
OPTIONAL = {"CHACHA20-POLY1305"}


class Oracle:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, verb, **words):
        self.process.stdin.write(verb + "".join(f" {k}={v}" for k, v in words.items()) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer.startswith("error:") or not answer:
            raise AssertionError(f"{verb}: {answer or 'the oracle died'}")
        return bytes.fromhex(answer)


def packets(family, rng):
    base = IP(src="10.1.0.1", dst="10.2.0.1", ttl=64) if family == 4 else IPv6(src="fd00:1::1", dst="fd00:2::1")
    for length in (0, 1, 2, 13, 14, 15, 64, 1000):
        body = Raw(rng.randbytes(length))
        yield base / UDP(sport=5000, dport=5001) / body
    yield base / TCP(sport=80, dport=1234, flags="SA", options=[("MSS", 1460)])
    if family == 4:
        yield base / ICMP(type=8, id=7, seq=1) / Raw(b"ping")


def esp_offset(packet, udp):
    return (20 if packet[0] >> 4 == 4 else 40) + (8 if udp else 0)


def mend_udp_length(packet):
    """scapy 2.5 writes the UDP length of an empty datagram."""
    at = esp_offset(packet, False)
    return packet[:at + 4] + struct.pack("!H", len(packet) - at) + packet[at + 6:]


def decapsulated(packet):
    """The packet without its UDP header, whose fields are checked here (RFC 3948 2.1)."""
    at = esp_offset(packet, False)
    source, destination, length, checksum = struct.unpack("!HHHH", packet[at:at + 8])
    if (source, destination, length, checksum) != (4500, 40051, len(packet) - at, 0):
        raise AssertionError(f"UDP header {packet[at:at + 8].hex()}")
    outer = IP(packet[:at] + packet[at + 8:])
    outer.len, outer.proto = len(packet) - 8, 50
    del outer.chksum
    return bytes(outer)


def main():
    program, mode, family, udp, esn = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
    rng = random.Random(f"{mode} {family} {udp} {esn}")
    oracle = Oracle(program)
    source, destination = ("192.0.2.1", "192.0.2.2") if family == 4 else ("2001:db8::1", "2001:db8::2")
    header = IP if family == 4 else IPv6
    checked = 0
    for name, crypt, auth, crypt_len, auth_len in SUITES:
        if crypt not in CRYPT_ALGOS or auth not in AUTH_ALGOS or CRYPT_ALGOS[crypt].cipher is None and crypt != "NULL":
            if crypt not in OPTIONAL:
                raise AssertionError(f"this scapy lacks {crypt} or {auth}")
            print(f"not checked, this scapy lacks it: {name}")
            continue
        crypt_key, auth_key = rng.randbytes(crypt_len), rng.randbytes(auth_len)
        spi = rng.randrange(256, 2**32)
        options = {}
        if mode == "tunnel":
            options["tunnel_header"] = header(src=source, dst=destination)
        if udp:
            options["nat_t_header"] = UDP(sport=4500, dport=40051)
        sa = SecurityAssociation(
            ESP, spi=spi, crypt_algo=crypt, crypt_key=crypt_key or None, auth_algo=auth, auth_key=auth_key or None,
            **options)
        words = dict(suite=name, key=(crypt_key + auth_key).hex(), spi=spi, mode=mode, esn=esn)
        if mode == "tunnel":
            words.update(src=source, dst=destination)
        if udp:
            words.update(udp="4500:40051")
        for packet in packets(family, rng):
            inner = bytes(packet)
            high = rng.randrange(1, 2**32 - 1) if esn else 0
            low = rng.randrange(1, 2**32)
            sequence = high << 32 | low
            hmac_esn = esn and auth in DIGESTS
            if hmac_esn:
                sa.auth_algo = EsnHmac(AUTH_ALGOS[auth], high)
            # They seal, we open.
            sealed = bytes(sa.encrypt(header(inner), seq_num=low, esn_en=bool(esn), esn=high))
            if udp:
                sealed = mend_udp_length(sealed)
            opened = oracle.ask("open", seq=sequence, packet=sealed.hex(), **words)
            if opened != inner:
                raise AssertionError(f"{name}: we opened\n{opened.hex()}\ninstead of\n{inner.hex()}")
            # We seal, they open.
            ours = oracle.ask("seal", seq=sequence, packet=inner.hex(), **words)
            if udp:
                ours = decapsulated(ours)
            theirs = sa.decrypt(header(ours), esn_en=bool(esn), esn=high)
            if bytes(theirs) != inner:
                raise AssertionError(f"{name}: scapy opened\n{bytes(theirs).hex()}\ninstead of\n{inner.hex()}")
            # A wrong high half must not pass: it is authenticated.
            if esn:
                if hmac_esn:
                    sa.auth_algo = EsnHmac(AUTH_ALGOS[auth], high + 1)
                try:
                    sa.decrypt(header(ours), esn_en=True, esn=high + 1)
                except Exception:
                    pass
                else:
                    raise AssertionError(f"{name}: scapy accepted a wrong high half")
            checked += 1
        print(f"{name}: equal")
    print(f"{checked} packets in either direction")


if __name__ == "__main__":
    main()
