#!/usr/bin/python3
"""ESP packets of every kind made by scapy: scapy_make.py DIR writes DIR/cap.pcap and DIR/keys/esp_sa.

Each packet carries an ICMP echo request whose sequence number is the packet's number in the file; the
last packet of each SA is spoilt. Prints how many are good and how many spoilt.
"""
import logging
import os
import struct
import sys

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import ICMP, IP, UDP, Raw, raw, wrpcap  # noqa: E402
from scapy.layers.ipsec import ESP, SecurityAssociation  # noqa: E402

from esn import extend  # noqa: E402

CIPHERS = [
    ("NULL", 0, "NULL"),
    ("AES-CBC", 16, "AES-CBC [RFC3602]"),
    ("AES-CBC", 24, "AES-CBC [RFC3602]"),
    ("AES-CBC", 32, "AES-CBC [RFC3602]"),
    ("3DES", 24, "TripleDES-CBC [RFC2451]"),
    ("AES-GCM", 20, "AES-GCM with 16 octet ICV [RFC4106]"),
    ("AES-GCM", 36, "AES-GCM with 16 octet ICV [RFC4106]"),
]
HASHES = [
    ("HMAC-SHA1-96", 20, "HMAC-SHA-1-96 [RFC2404]"),
    ("HMAC-MD5-96", 16, "HMAC-MD5-96 [RFC2403]"),
    ("SHA2-256-128", 32, "HMAC-SHA-256-128 [RFC4868]"),
    ("SHA2-384-192", 48, "HMAC-SHA-384-192 [RFC4868]"),
    ("SHA2-512-256", 64, "HMAC-SHA-512-256 [RFC4868]"),
]
OUTER = dict(src="192.0.2.1", dst="192.0.2.2")


def suites():
    for cipher in CIPHERS:
        for digest in [("NULL", 0, "NULL")] if cipher[0] == "AES-GCM" else HASHES:
            yield cipher, digest


def main(folder):
    os.makedirs(f"{folder}/keys", exist_ok=True)
    packets, lines, good, spoilt, spi = [], [], 0, 0, 0x1000
    for (crypt, crypt_len, crypt_name), (auth, auth_len, auth_name) in suites():
        for mode in ("tunnel", "transport", "udp", "esn"):
            spi += 1
            crypt_key, auth_key = os.urandom(crypt_len), os.urandom(auth_len)
            options = dict(spi=spi, crypt_algo=crypt, crypt_key=crypt_key, auth_algo=auth, auth_key=auth_key or None)
            if mode != "transport":
                options["tunnel_header"] = IP(**OUTER)
            if mode == "udp":
                options["nat_t_header"] = UDP(sport=4500, dport=4500)
            if mode == "esn":
                options.update(esn_en=True, esn=1)
            sa = SecurityAssociation(ESP, **options)
            if mode == "esn":
                extend(sa, 1)
            inner = dict(src="10.10.1.1", dst="10.10.2.1") if mode != "transport" else OUTER
            for size in (0, 1, 7, 56):
                number = len(packets) + 1
                packet = IP(**inner) / ICMP(id=7, seq=number) / Raw(os.urandom(size))
                octets = bytearray(raw(sa.encrypt(packet)))
                if mode == "udp":
                    octets[24:26] = struct.pack("!H", len(octets) - 20)  # scapy 2.5 counts the UDP header alone
                if size == 56:
                    octets[-1] ^= 1
                    spoilt += 1
                else:
                    good += 1
                packets.append(IP(bytes(octets)))
            hexed = lambda key: "0x" + key.hex() if key else ""  # noqa: E731
            line = ["IPv4", OUTER["src"], OUTER["dst"], f"0x{spi:08x}", crypt_name, hexed(crypt_key), auth_name, hexed(auth_key)]
            if mode == "esn":
                line += ["64-bit", "0x00000001"]
            lines.append(",".join(f'"{cell}"' for cell in line))
    wrpcap(f"{folder}/cap.pcap", packets, linktype=101)
    with open(f"{folder}/keys/esp_sa", "w") as table:
        table.write("\n".join(lines) + "\n")
    print(good, spoilt)


main(sys.argv[1])
