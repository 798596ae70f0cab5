#!/usr/bin/env python3
"""Writes profile/*.pem and profile/*.crl: a chain for each line of RFC 4945 section 5.1.3 and of RFC 5280 section
6.1.4, and chains that try to make a path builder work. Keys are made of names and Ed25519 signs without randomness, so
that each run writes the same octets. Needs the package `cryptography`."""

import datetime
import hashlib
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku
from cryptography.x509.oid import NameOID, ObjectIdentifier

OUT = pathlib.Path(__file__).parent / "profile"
START = datetime.datetime(2020, 1, 1)
END = datetime.datetime(2120, 1, 1)


def key(name):
    return ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def dn(name):
    parts = [] if name is None else [(NameOID.ORGANIZATION_NAME, "lab"), (NameOID.COMMON_NAME, name)]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def usage(*bits):
    names = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
    return x509.KeyUsage(**{name: name in bits for name in names})


def raw(oid, value):
    return x509.UnrecognizedExtension(ObjectIdentifier(oid), bytes.fromhex(value))


def make(subject, issuer, extensions, signer=None, public=None, serial=None):
    """A certificate of `subject`, whose key is of that name, signed by the key of `signer` or `issuer`. Extensions are
    pairs of a value and whether it is critical."""
    public = public or key(subject or "nameless").public_key()
    digest = hashlib.sha256(repr((subject, issuer, signer, serial, extensions)).encode()).digest()
    builder = (x509.CertificateBuilder().subject_name(dn(subject)).issuer_name(dn(issuer)).public_key(public)
               .serial_number(int.from_bytes(digest[:8], "big") >> 1 or 1).not_valid_before(START).not_valid_after(END))
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    return builder.sign(key(signer or issuer), None)


CA = (x509.BasicConstraints(True, None), True)
SIGNS = (usage("key_cert_sign", "crl_sign"), True)


def key_id(name):
    return (x509.SubjectKeyIdentifier.from_public_key(key(name).public_key()), False)


def issuer_id(name):
    return (x509.AuthorityKeyIdentifier.from_issuer_public_key(key(name).public_key()), False)


def authority(name, issuer, *extensions, **more):
    return make(name, issuer, extensions or (CA, SIGNS), **more)


def names(*others):
    return (x509.SubjectAlternativeName([x509.DNSName("a.lab"), *others]), False)


def leaf(*extensions, issuer="profile CA", subject="a.lab", **more):
    return make(subject, issuer, (names(), *extensions), **more)


def write(name, *chain):
    text = "".join(c.public_bytes(serialization.Encoding.PEM).decode() for c in chain)
    (OUT / f"{name}.pem").write_text(text)


def key_usage():
    write("ku-none", leaf())
    write("ku-signature", leaf((usage("digital_signature"), True)))
    write("ku-non-repudiation", leaf((usage("content_commitment"), True)))
    write("ku-both-and-more", leaf((usage("digital_signature", "content_commitment", "key_encipherment"), True)))
    write("ku-encipherment", leaf((usage("key_encipherment"), True)))
    write("ku-agreement", leaf((usage("key_agreement", "encipher_only"), True)))
    write("ku-encipherment-not-critical", leaf((usage("key_encipherment", "data_encipherment"), False)))
    write("ku-authority-bits", leaf((usage("key_cert_sign", "crl_sign"), True)))
    write("ku-no-bit", leaf((raw("2.5.29.15", "03020700"), True)))
    for name, extensions in [
        ("none", (CA,)),
        ("cert-sign", (CA, (usage("key_cert_sign"), True))),
        ("crl-sign", (CA, (usage("crl_sign"), True))),
        ("signature-not-critical", (CA, (usage("digital_signature"), False))),
    ]:
        write(f"ca-ku-{name}", leaf(issuer="between"), authority("between", "profile CA", *extensions))


def basic_constraints():
    write("bc-none", leaf(issuer="between"), authority("between", "profile CA", SIGNS))
    no = (x509.BasicConstraints(False, None), True)
    write("bc-no-authority", leaf(issuer="between"), authority("between", "profile CA", no, SIGNS))
    last = (x509.BasicConstraints(True, 0), True)
    write("bc-length-kept", leaf(issuer="between"), authority("between", "profile CA", last, SIGNS))
    write("bc-length-exceeded", leaf(issuer="below"), authority("below", "between"),
          authority("between", "profile CA", last, SIGNS))
    write("bc-leaf-no-authority", leaf(no))
    write("root-length", authority("short CA", "short CA", last, SIGNS))
    write("bc-root-length-kept", leaf(issuer="short CA"))
    own = (names(), CA, (usage("digital_signature", "key_cert_sign"), True))
    write("bc-own", make("a.lab", "profile CA", own))
    write("bc-root-length-exceeded", leaf(issuer="between"), authority("between", "short CA"))


def extended_key_usage():
    intermediate = ObjectIdentifier("1.3.6.1.5.5.8.2.2")
    for name, critical, oids in [
        ("ike", True, [Eku.IPSEC_IKE]),
        ("any", False, [Eku.ANY_EXTENDED_KEY_USAGE]),
        ("ike-and-more", False, [Eku.CODE_SIGNING, Eku.IPSEC_IKE]),
        ("server", False, [Eku.SERVER_AUTH]),
        ("client", False, [Eku.CLIENT_AUTH]),
        ("end-system", False, [ObjectIdentifier("1.3.6.1.5.5.7.3.5")]),
        ("tunnel", False, [ObjectIdentifier("1.3.6.1.5.5.7.3.6")]),
        ("user", False, [ObjectIdentifier("1.3.6.1.5.5.7.3.7")]),
        ("ike-intermediate", False, [intermediate]),
        ("code-signing-critical", True, [Eku.CODE_SIGNING]),
    ]:
        write(f"eku-{name}", leaf((x509.ExtendedKeyUsage(oids), critical)))
    mail = (x509.ExtendedKeyUsage([Eku.EMAIL_PROTECTION]), False)
    write("ca-eku-mail", leaf(issuer="between"), authority("between", "profile CA", CA, SIGNS, mail))


def other_extensions():
    unknown = raw("1.3.6.1.4.1.32473.1", "0500")
    period = x509.PrivateKeyUsagePeriod(START, START + datetime.timedelta(1))
    policy = x509.CertificatePolicies([x509.PolicyInformation(ObjectIdentifier("1.3.6.1.4.1.32473.2"), None)])
    mapping = raw("2.5.29.33", "301c301a060b2b06010401" + "81fd590301" + "060b2b06010401" + "81fd590302")
    attributes = raw("2.5.29.9", "3010300e06082b0601050507090431023000")
    url = [x509.UniformResourceIdentifier("http://crl.lab/a")]
    points = [x509.DistributionPoint(url, None, None, None)]
    access = [x509.AccessDescription(x509.oid.AuthorityInformationAccessOID.OCSP, url[0])]
    information = [x509.AccessDescription(x509.oid.SubjectInformationAccessOID.CA_REPOSITORY, url[0])]
    alternative = x509.IssuerAlternativeName([x509.DNSName("ca.lab")])
    for name, value in [
        ("unknown", unknown), ("private-key-period", period), ("policies", policy), ("policy-mappings", mapping),
        ("directory-attributes", attributes), ("issuer-names", alternative),
        ("freshest-crl", x509.FreshestCRL(points)), ("authority-access", x509.AuthorityInformationAccess(access)),
        ("subject-access", x509.SubjectInformationAccess(information)),
    ]:
        write(f"ext-{name}", leaf((value, False)))
        write(f"ext-{name}-critical", leaf((value, True)))
    write("ext-policy-constraints-critical", leaf((x509.PolicyConstraints(0, None), True)))
    write("ext-inhibit-any-policy-critical", leaf((x509.InhibitAnyPolicy(0), True)))
    write("ca-ext-unknown-critical", leaf(issuer="between"),
          authority("between", "profile CA", CA, SIGNS, (unknown, True)))
    for name, lists in [("permitted", ([x509.DNSName("lab")], None)), ("excluded", (None, [x509.DNSName("lab")]))]:
        between = authority("between", "profile CA", CA, SIGNS, (x509.NameConstraints(*lists), True))
        write(f"names-{name}", leaf(issuer="between"), between)
    write("names-critical-without-subject",
          make(None, "profile CA", [(x509.SubjectAlternativeName([x509.DNSName("a.lab")]), True)]))
    write("names-network", make("a.lab", "profile CA", [(raw("2.5.29.17", "300a8708" + "0a000000" + "ff000000"), False)]))
    address = x509.IPAddress(ipaddress.ip_address("10.0.0.0"))
    write("names-address", make("a.lab", "profile CA", [(x509.SubjectAlternativeName([address]), False)]))


def revocation():
    def point(path):
        return x509.UniformResourceIdentifier(f"http://crl.lab/{path}")

    for path in "ab":
        points = x509.CRLDistributionPoints([x509.DistributionPoint([point(path)], None, None, None)])
        write(f"cdp-{path}", leaf((points, False)))
    only = x509.IssuingDistributionPoint([point("a")], None, False, False, None, False, False)
    crl = (x509.CertificateRevocationListBuilder().issuer_name(dn("profile CA")).last_update(START).next_update(END)
           .add_extension(x509.CRLNumber(1), False).add_extension(only, True).sign(key("profile CA"), None))
    (OUT / "point-a.crl").write_bytes(crl.public_bytes(serialization.Encoding.PEM))


def keys():
    for name, bits, exponent in [("short", 1024, 65537), ("long", 16384, 65537), ("exponent", 2048, 2**40 + 1)]:
        stream = b"".join(hashlib.sha256(f"{name} {i}".encode()).digest() for i in range(bits // 256))
        modulus = int.from_bytes(stream, "big") | 1 << bits - 1 | 1
        write(f"rsa-{name}", leaf(public=rsa.RSAPublicNumbers(exponent, modulus).public_key()))


def chains():
    three = [authority(f"step {n}", "profile CA" if n == 3 else f"step {n + 1}") for n in (1, 2, 3)]
    write("chain-three", leaf(issuer="step 1"), *three)
    write("chain-three-shuffled", leaf(issuer="step 1"), three[2], three[0], three[1])
    write("chain-three-and-root", leaf(issuer="step 1"), *three, ROOT)
    four = [authority(f"step {n}", "profile CA" if n == 4 else f"step {n + 1}") for n in (1, 2, 3, 4)]
    write("chain-four", leaf(issuer="step 1"), *four)
    write("chain-twice", leaf(issuer="step 1"), three[0], three[1], three[2], three[0])
    between = authority("between", "profile CA")
    write("chain-twice-of-two", leaf(issuer="between"), between, between)
    # Two authorities of one name, told apart by their key identifiers.
    old = make("turn", "profile CA", (CA, SIGNS, key_id("turn old")), public=key("turn old").public_key())
    new = make("turn", "profile CA", (CA, SIGNS, key_id("turn new")), public=key("turn new").public_key())
    below = leaf(issuer_id("turn new"), issuer="turn", signer="turn new")
    write("chain-turn", below, old, new)
    write("chain-turn-other-order", below, new, old)
    # The name of the authority all the way, none of it signed by the authority: each may have issued each.
    same = [make("profile CA", "profile CA", (CA, SIGNS), signer=f"same {n}", public=key(f"same {n}").public_key())
            for n in range(8)]
    write("same-name-eight", leaf(signer="same 0"), *same[:7])
    write("same-name-three", leaf(signer="same 0"), *same[:3])
    # Likewise, with key identifiers that lead on and on.
    same = [make("profile CA", "profile CA", (CA, SIGNS, key_id(f"same {n}"), issuer_id(f"same {n + 1}")),
                 signer=f"same {n + 1}", public=key(f"same {n}").public_key()) for n in range(3)]
    write("same-name-by-key-id", leaf(issuer_id("same 0"), signer="same 0"), *same)


OUT.mkdir(exist_ok=True)
ROOT = authority("profile CA", "profile CA", CA, SIGNS, key_id("profile CA"))
write("root", ROOT)
write("root-crl-sign", authority("profile CA", "profile CA", CA, (usage("crl_sign"), True)))
key_usage()
basic_constraints()
extended_key_usage()
other_extensions()
revocation()
keys()
chains()
