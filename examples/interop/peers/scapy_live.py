#!/usr/bin/python3
"""scapy in the place of a gateway, with the keys of its SAs.

usage: scapy_live.py ESP_SA PCAP OUTER_ME OUTER_PEER INNER_ME INNER_PEER tunnel|transport ESN(yes|no)

Opens every raw ESP packet of the capture, then seals echo requests of its own, sends them as IP protocol
50 and opens the answers. A packet sent twice and a packet with a spoilt ICV must stay unanswered.
"""
import csv
import logging
import sys
import time

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import ICMP, IP, AsyncSniffer, Raw, conf, raw, rdpcap, send  # noqa: E402
from scapy.layers.ipsec import ESP, SecurityAssociation  # noqa: E402

from esn import extend  # noqa: E402

CIPHERS = {"NULL": "NULL", "AES-CBC [RFC3602]": "AES-CBC", "TripleDES-CBC [RFC2451]": "3DES", "AES-GCM with 16 octet ICV [RFC4106]": "AES-GCM"}
HASHES = {
    "NULL": "NULL",
    "HMAC-SHA-1-96 [RFC2404]": "HMAC-SHA1-96",
    "HMAC-MD5-96 [RFC2403]": "HMAC-MD5-96",
    "HMAC-SHA-256-128 [RFC4868]": "SHA2-256-128",
}


def read_table(path, esn, tunnel):
    sas = {}
    with open(path) as table:
        for row in csv.reader(table):
            _, source, destination, spi, crypt, crypt_key, auth, auth_key = row[:8]
            octets = lambda text: bytes.fromhex(text.removeprefix("0x"))  # noqa: E731
            options = dict(crypt_algo=CIPHERS[crypt], crypt_key=octets(crypt_key), auth_algo=HASHES[auth], auth_key=octets(auth_key) or None)
            if tunnel:
                options["tunnel_header"] = IP(src=source, dst=destination)
            if esn:
                options.update(esn_en=True, esn=0)
            sa = SecurityAssociation(ESP, spi=int(spi, 0), **options)
            sas[int(spi, 0)] = (source, extend(sa, 0) if esn else sa)
    return sas


def open_all(pcap, sas):
    """Opens what the gateways sent; gives the highest sequence number per SPI."""
    highest, opened = {}, 0
    for packet in rdpcap(pcap):
        if IP not in packet or packet[IP].proto != 50:
            continue
        esp = packet[ESP]
        _, sa = sas[esp.spi]
        inner = sa.decrypt(IP(raw(packet[IP])))  # raises when the ICV does not fit
        if ICMP not in inner:
            sys.exit(f"packet {esp.seq} of 0x{esp.spi:08x} holds no ICMP: {inner.summary()}")
        highest[esp.spi] = max(esp.seq, highest.get(esp.spi, 0))
        opened += 1
    return highest, opened


def main(table, pcap, outer_me, outer_peer, inner_me, inner_peer, mode, esn):
    conf.iface = "outer"
    sas = read_table(table, esn == "yes", mode == "tunnel")
    highest, opened = open_all(pcap, sas)
    if opened < 6:
        sys.exit(f"only {opened} raw ESP packets in the capture")
    (spi, out), = [(spi, sa) for spi, (source, sa) in sas.items() if source == outer_me and spi in highest][-1:]
    sequence = highest[spi] + 5

    def sealed(number, sequence):
        packet = IP(src=inner_me, dst=inner_peer) / ICMP(id=0x5CA9, seq=number) / Raw(b"scapy" * 9)
        return IP(raw(out.encrypt(packet, seq_num=sequence)))

    good = [sealed(number, sequence + number) for number in (1, 2, 3)]
    spoilt = bytearray(raw(sealed(4, sequence + 4)))
    spoilt[-1] ^= 0x40
    sniffer = AsyncSniffer(iface="outer", lfilter=lambda p: IP in p and p[IP].src == outer_peer and p[IP].proto == 50)
    sniffer.start()
    time.sleep(0.4)
    for packet in good + [good[1], IP(bytes(spoilt)), good[0]]:
        send(packet, verbose=False)
        time.sleep(0.1)
    time.sleep(0.8)
    answers = []
    for packet in sniffer.stop():
        _, sa = sas[packet[ESP].spi]
        inner = sa.decrypt(IP(raw(packet[IP])))
        if ICMP in inner and inner[ICMP].type == 0 and inner[ICMP].id == 0x5CA9:
            answers.append(inner[ICMP].seq)
    if sorted(answers) != [1, 2, 3]:
        sys.exit(f"answers to {sorted(answers)}, to 1, 2, 3 expected (4 is spoilt, 1 and 2 were replayed)")
    print(f"{opened} packets opened by scapy, 3 of scapy answered; replays and a spoilt one were not")


main(*sys.argv[1:])
