#!/usr/bin/env python3
"""Checks what dissect says of scapy_make.py's packets: opened.py GOOD SPOILT <dissect's JSON lines"""
import json
import sys

good, spoilt = int(sys.argv[1]), int(sys.argv[2])
opened = refused = 0
for line in sys.stdin:
    frame = json.loads(line)
    if frame["protocol"] != "ESP":
        sys.exit(f"frame {frame['frame']} is {frame['protocol']}")
    if frame.get("error", {}).get("kind") in ("wrong ICV", "not decrypted"):
        refused += 1
        continue
    echo = frame.get("inner", [{}])[-1]
    if not frame.get("decrypted") or echo.get("protocol") != "ICMP":
        sys.exit(f"frame {frame['frame']} was not opened: {line}")
    if echo["fields"]["Sequence Number"] != frame["frame"]:
        sys.exit(f"frame {frame['frame']} holds another packet")
    opened += 1
if (opened, refused) != (good, spoilt):
    sys.exit(f"{opened} opened and {refused} refused, {good} and {spoilt} expected")
print(f"{opened} packets opened, {refused} spoilt ones refused")
