#!/usr/bin/env python3
"""Makes `expected/NAME.txt` from `captures/NAME.pcap` by what tshark says about it.

    make.py NAME...                 all captures without arguments
    KEYS=DIR make.py NAME           with Wireshark's ikev1_decryption_table, ikev2_decryption_table

Every line is tshark's: a field's octets as it dissected them, under a short name. For a message that
tshark could decrypt, the line `plaintext` holds the payloads inside, and their lines follow.
"""
import glob
import os
import subprocess
import sys
import xml.etree.ElementTree as ET

HERE = os.path.dirname(os.path.abspath(__file__))
HEADER = {
    "isakmp.ispi": "ispi", "isakmp.rspi": "rspi", "isakmp.nextpayload": "next",
    "isakmp.version": "version", "isakmp.exchangetype": "exchange", "isakmp.flags": "flags",
    "isakmp.messageid": "id", "isakmp.length": "length",
}
# Field of tshark: short name here.
FIELDS = {
    "isakmp.sa.doi": "doi", "isakmp.sa.situation": "situation",
    "isakmp.prop.number": "number", "isakmp.prop.protoid": "protocol",
    "isakmp.prop.transforms": "count", "isakmp.spi": "spi",
    "isakmp.trans.number": "number", "isakmp.trans.id": "id",
    "isakmp.tf.type": "kind", "isakmp.tf.id": "id", "isakmp.tf.id.encr": "id",
    "isakmp.tf.id.prf": "id", "isakmp.tf.id.integ": "id", "isakmp.tf.id.dh": "id",
    "isakmp.tf.id.esn": "id",
    "isakmp.key_exchange.dh_group": "group", "isakmp.key_exchange.data": "data",
    "isakmp.nonce": "data", "isakmp.hash": "data", "isakmp.sig": "data",
    "isakmp.vid_bytes": "data", "isakmp.ike.nat_hash": "data",
    "isakmp.id.type": "type", "isakmp.id.protoid": "protocol", "isakmp.id.port": "port",
    "isakmp.id.data.ipv4_addr": "address", "isakmp.id.data.ipv4_subnet": "mask",
    "isakmp.id.data.fqdn": "name",
    "isakmp.cert.encoding": "encoding", "isakmp.certreq.type": "encoding",
    "isakmp.notify.doi": "doi", "isakmp.notify.protoid": "protocol",
    "isakmp.notify.msgtype": "type", "isakmp.notify.data": "data",
    "isakmp.delete.doi": "doi", "isakmp.delete.protoid": "protocol", "isakmp.delete.spi": "spi",
    "isakmp.auth.method": "method", "isakmp.auth.data": "data",
    "isakmp.auth.data.sig.asn1.data": "algorithm", "isakmp.auth.data.sig.value": "signature",
    "isakmp.ts.number": "count", "isakmp.ts.type": "type", "isakmp.ts.protoid": "protocol",
    "isakmp.ts.start_port": "first", "isakmp.ts.end_port": "last",
    "isakmp.ts.start_ipv4": "start", "isakmp.ts.end_ipv4": "end",
    "isakmp.ts.start_ipv6": "start", "isakmp.ts.end_ipv6": "end",
    "isakmp.cfg.type": "type", "isakmp.cfg.identifier": "identifier",
    "isakmp.frag.packetid": "id", "isakmp.frag.seq": "number", "isakmp.frag.last": "last",
    "isakmp.frag.number": "number", "isakmp.frag.total": "total",
    "eap.code": "code", "eap.id": "identifier", "eap.type": "type",
}
ATTRIBUTES = {"isakmp.ike.attr", "isakmp.ipsec.attr", "isakmp.ike2.attr", "isakmp.cfg.attr"}
# Subtrees whose fields belong to other layers, or repeat the payload.
OPAQUE = {
    "isakmp.cert.data", "isakmp.fragments", "isakmp.sa.situation", "isakmp.flags",
    "isakmp.version", "isakmp.ike.certreq.authority.sig",
}


def short(octets):
    return octets if len(octets) <= 96 else f"{octets[:32]}..{octets[-32:]}"


def tokens(fields):
    return " ".join(f"{name}={short(value)}" for name, value in fields)


def attribute(field, lines):
    of = {child.get("name").rsplit(".", 1)[1]: child for child in field if child.get("name")}
    value = of["value"].get("value") if "value" in of else ""
    lines.append(f"attribute class={of['type'].get('value')} value={short(value)}")


def element(field, lines):
    """A payload, proposal or transform."""
    kind = int(field.get("show"))
    own, nested = [], []

    def walk(parent):
        for child in parent:
            name = child.get("name") or ""
            if name == "isakmp.typepayload":
                # Inside an SKF payload: what its message was rejoined to.
                if kind != 53:
                    element(child, nested)
            elif name in ATTRIBUTES:
                attribute(child, nested)
            elif name == "isakmp.enc.iv" or name.startswith("isakmp.enc."):
                continue
            elif name == "isakmp.ts.data":
                inner = [(FIELDS[c.get("name")], c.get("value")) for c in child
                         if c.get("name") in FIELDS]
                nested.append("selector " + tokens(inner))
            else:
                if name in FIELDS and child.get("value") is not None:
                    own.append((FIELDS[name], child.get("value")))
                if name not in OPAQUE:
                    walk(child)

    walk(field)
    length = next(c.get("value") for c in field if c.get("name") == "isakmp.payloadlength")
    lines.append(f"payload {kind} length={length} {tokens(own)}".rstrip())
    lines.extend(nested)


def message(proto, lines):
    fields = [(HEADER[f.get("name")], f.get("value")) for f in proto if f.get("name") in HEADER]
    lines.append("header " + tokens(fields))
    for field in proto:
        if field.get("name") == "isakmp.typepayload":
            element(field, lines)
    # What tshark decrypted: IKEv1 below the encrypted data, IKEv2 below the SK or SKF payload.
    inside = [f for f in proto.iter("field") if f.get("name") == "isakmp.enc.contained"]
    inside += [f for f in proto if f.get("name") == "isakmp.enc.data"]
    inside += [f for f in proto if f.get("name") == "isakmp.typepayload" and f.get("show") == "53"]
    for parent in inside:
        payloads = [f for f in parent if f.get("name") == "isakmp.typepayload"]
        # A retransmission is out of step with tshark's IVs and decrypts to noise.
        if payloads and all(len(f.get("value")) == 2 * int(f.get("size")) for f in payloads):
            lines.append("plaintext " + "".join(f.get("value") for f in payloads))
            for field in payloads:
                element(field, lines)


def main(names):
    env = dict(os.environ)
    if "KEYS" in env:
        env["WIRESHARK_CONFIG_DIR"] = os.path.abspath(env["KEYS"])
    for name in names:
        path = os.path.join(HERE, "captures", name + ".pcap")
        run = ["tshark", "-r", path, "-Y", "isakmp and not icmp", "-T", "pdml"]
        pdml = subprocess.run(run, capture_output=True, env=env, check=True).stdout
        lines = []
        for packet in ET.fromstring(pdml).findall("packet"):
            number = next(f.get("show") for f in packet.iter("field")
                          if f.get("name") == "frame.number" or f.get("name") == "num")
            for proto in packet.findall("proto"):
                if proto.get("name") == "isakmp":
                    lines.append(f"frame {int(number)}")
                    message(proto, lines)
        with open(os.path.join(HERE, "expected", name + ".txt"), "w") as out:
            out.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    everything = sorted(os.path.splitext(os.path.basename(p))[0]
                        for p in glob.glob(os.path.join(HERE, "captures", "*.pcap")))
    main(sys.argv[1:] or everything)
