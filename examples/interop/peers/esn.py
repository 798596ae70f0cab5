"""Extended sequence numbers for scapy's ESP with an HMAC (RFC 4303 §2.2.1): scapy 2.5 knows them for AH and
for AEADs only."""
import hashlib
import hmac
import struct

from scapy.all import raw
from scapy.layers.ipsec import ESP, IPSecIntegrityError

DIGESTS = {"HMAC-SHA1-96": hashlib.sha1, "HMAC-MD5-96": hashlib.md5, "SHA2-256-128": hashlib.sha256, "SHA2-384-192": hashlib.sha384, "SHA2-512-256": hashlib.sha512}


class EsnHmac:
    def __init__(self, algorithm, high):
        self.algorithm, self.high = algorithm, high

    def __getattr__(self, name):
        return getattr(self.algorithm, name)

    def icv(self, octets, key):
        covered = octets + struct.pack("!L", self.high)
        return hmac.new(key, covered, DIGESTS[self.algorithm.name]).digest()[: self.algorithm.icv_size]

    def sign(self, packet, key, **_):
        packet[ESP].data += self.icv(raw(packet[ESP]), key)
        return packet

    def verify(self, packet, key, **_):
        octets, size = raw(packet[ESP]), self.algorithm.icv_size
        if not hmac.compare_digest(octets[-size:], self.icv(octets[:-size], key)):
            raise IPSecIntegrityError("ESN: the ICV does not fit")


def extend(sa, high):
    if sa.auth_algo.name in DIGESTS:
        sa.auth_algo = EsnHmac(sa.auth_algo, high)
    return sa
