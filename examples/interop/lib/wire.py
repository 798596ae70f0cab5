#!/usr/bin/env python3
"""A bad cable between two interfaces, in userland and from a seed.

usage: wire.py IF1 IF2 [seed=N] [loss=%] [dup=%] [reorder=%] [hold=ms] [corrupt=%] [after=N] [until=N] [vid=HEX]

Only UDP and ESP over IPv4 are hurt; ARP and the rest pass. `reorder` delays a frame by `hold`
milliseconds, so that later ones overtake it. `corrupt` flips one bit behind the UDP header (the UDP
checksum is removed, or the kernel would drop the frame before IKE or ESP saw it). The first `after`
frames pass unhurt, and those after `until`. Of `vid`, an ISAKMP vendor ID, one octet is spoilt wherever it comes by:
nobody authenticates it, and the receiver never saw it. Counters are printed at the end.
"""
import heapq
import itertools
import random
import select
import signal
import socket
import sys
import time

ETH_P_ALL, PACKET_OUTGOING, UDP, ESP = 3, 4, 17, 50


class Wire:
    def __init__(self, names, options):
        self.options = options
        self.random = random.Random(options["seed"])
        self.sockets = [self.open(name) for name in names]
        self.counters = dict.fromkeys(["frames", "loss", "dup", "reorder", "corrupt", "vid"], 0)
        self.queue, self.order = [], itertools.count()

    @staticmethod
    def open(name):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        sock.bind((name, 0))
        return sock

    def happens(self, what):
        hit = self.random.uniform(0, 100) < self.options[what]
        self.counters[what] += hit
        return hit

    def send_later(self, sock, frame, milliseconds):
        heapq.heappush(self.queue, (time.monotonic() + milliseconds / 1000, next(self.order), sock, frame))

    def corrupted(self, frame):
        frame = bytearray(frame)
        header = 14 + 4 * (frame[14] & 15)
        start = header + 8 if frame[23] == UDP else header
        if start < len(frame):
            frame[self.random.randrange(start, len(frame))] ^= 1 << self.random.randrange(8)
        if frame[23] == UDP:
            frame[header + 6:header + 8] = b"\0\0"
        return bytes(frame)

    def without_vendor_id(self, frame):
        at = frame.find(self.options["vid"]) if self.options["vid"] else -1
        if at < 0:
            return frame
        self.counters["vid"] += 1
        frame = bytearray(frame)
        frame[at] ^= 0xff
        udp = 14 + 4 * (frame[14] & 15)
        frame[udp + 6:udp + 8] = b"\0\0"
        return bytes(frame)

    def carry(self, frame, out):
        delay = 0
        if len(frame) > 34 and frame[12:14] == b"\x08\x00" and frame[23] in (UDP, ESP):
            self.counters["frames"] += 1
            frame = self.without_vendor_id(frame)
            if self.options["after"] < self.counters["frames"] <= self.options["until"]:
                if self.happens("loss"):
                    return
                if self.happens("corrupt"):
                    frame = self.corrupted(frame)
                if self.happens("dup"):
                    # Right behind the first: strongSwan gives up an IKE_SA whose main-mode message 1
                    # comes again after message 3.
                    self.send_later(out, frame, 0)
                if self.happens("reorder"):
                    delay = self.options["hold"]
        self.send_later(out, frame, delay)

    def run(self):
        while True:
            wait = max(0, self.queue[0][0] - time.monotonic()) if self.queue else None
            for sock in select.select(self.sockets, [], [], wait)[0]:
                frame, address = sock.recvfrom(65535)
                if address[2] != PACKET_OUTGOING:
                    self.carry(frame, self.sockets[1 - self.sockets.index(sock)])
            while self.queue and self.queue[0][0] <= time.monotonic():
                _, _, sock, frame = heapq.heappop(self.queue)
                try:
                    sock.send(frame)
                except OSError:
                    pass  # the far interface went down: a cable does not mind


def main():
    options = dict(seed=1, loss=0, dup=0, reorder=0, hold=30, corrupt=0, after=0, until=1 << 62, vid=b"")
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    for argument in sys.argv[3:]:
        key, _, value = argument.partition("=")
        if key not in options:
            sys.exit(f"wire.py: unknown option {argument}\n{__doc__}")
        options[key] = bytes.fromhex(value) if key == "vid" else int(value)
    wire = Wire(sys.argv[1:3], options)

    def leave(*_):
        print("wire", wire.counters, flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)
    print("wire up", options, flush=True)
    wire.run()


main()
