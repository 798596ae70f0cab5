//! AlgorithmIdentifier of a digital signature in DER (RFC 7427 §3, App. A; RFC 4055, RFC 5758,
//! RFC 8410).
//!
//! The RFC means them to be compared as blobs. That is what happens here, once for each encoding
//! that its specification obliges a reader to accept.

use alloc::vec::Vec;

use crypto_suite::{EcdsaCurve, EcdsaForm, HashId, SignatureId};

const RSA: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
const RSA_MGF1: u8 = 8;
const RSA_PSS: u8 = 10;
const ECDSA_SHA2: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
const SHA2: [u8; 8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
const ED25519: [u8; 3] = [0x2b, 0x65, 0x70];
const NULL: [u8; 2] = [5, 0];

/// Hashes with their last arc under sha*WithRSAEncryption, ecdsa-with-SHA2 and nistAlgorithms
/// hashAlgs, and the length of their output (the salt of PSS).
const SHA2_HASHES: [(HashId, u8, u8, u8, u8); 3] = [
    (HashId::Sha256, 11, 2, 1, 32),
    (HashId::Sha384, 12, 3, 2, 48),
    (HashId::Sha512, 13, 4, 3, 64),
];

/// sha1WithRSAEncryption.
const RSA_SHA1: u8 = 5;

/// The curves that ECDSA may be over: the identifier names the hash only, the key the curve.
const CURVES: [EcdsaCurve; 3] = [EcdsaCurve::P256, EcdsaCurve::P384, EcdsaCurve::P521];

/// The AlgorithmIdentifier of `scheme` as RFC 7427 App. A writes it, that of RSASSA-PSS without the
/// trailer field; `None` for a scheme that has none (an ECDSA signature that is not in DER, an
/// unknown hash).
#[must_use]
pub fn algorithm_identifier(scheme: SignatureId) -> Option<Vec<u8>> {
    match scheme {
        SignatureId::RsaPkcs1(HashId::Sha1) => Some(rsa(RSA_SHA1, &NULL)),
        SignatureId::RsaPkcs1(hash) => {
            let (_, arc, ..) = sha2(hash)?;
            Some(rsa(*arc, &NULL))
        }
        SignatureId::RsaPss(hash) => {
            let (_, _, _, arc, salt) = sha2(hash)?;
            Some(pss(*arc, *salt, &PssEncoding::WRITTEN))
        }
        SignatureId::Ecdsa(_, hash, EcdsaForm::Der) => {
            let (_, _, arc, ..) = sha2(hash)?;
            Some(ecdsa(*arc))
        }
        SignatureId::Ed25519 => Some(sequence(&[&tlv(6, &[&ED25519])])),
        _ => None,
    }
}

/// The schemes that an AlgorithmIdentifier may mean: one, or for ECDSA one per curve. The public
/// key decides which.
#[must_use]
pub fn scheme_of(identifier: &[u8]) -> Vec<SignatureId> {
    if identifier == sequence(&[&tlv(6, &[&ED25519])]) {
        return alloc::vec![SignatureId::Ed25519];
    }
    // RFC 4055 §5: NULL parameters are written, absent ones accepted as well.
    let is_rsa = |arc| identifier == rsa(arc, &NULL) || identifier == rsa(arc, &[]);
    if is_rsa(RSA_SHA1) {
        return alloc::vec![SignatureId::RsaPkcs1(HashId::Sha1)];
    }
    for (hash, rsa_arc, ecdsa_arc, hash_arc, salt) in SHA2_HASHES {
        if is_rsa(rsa_arc) {
            return alloc::vec![SignatureId::RsaPkcs1(hash)];
        }
        if identifier == ecdsa(ecdsa_arc) {
            let over = |curve| SignatureId::Ecdsa(curve, hash, EcdsaForm::Der);
            return CURVES.into_iter().map(over).collect();
        }
        let is_pss = |encoding| identifier == pss(hash_arc, salt, encoding);
        if PssEncoding::ALL.iter().any(is_pss) {
            return alloc::vec![SignatureId::RsaPss(hash)];
        }
    }
    Vec::new()
}

/// The name of a scheme that an AlgorithmIdentifier means and that nobody verifies here, for the
/// records.
pub(super) fn unsupported(identifier: &[u8]) -> Option<&'static str> {
    const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
    let [0x30, _, 6, len, rest @ ..] = identifier else {
        return None;
    };
    let (oid, parameters) = rest.split_at_checked(usize::from(*len))?;
    let has_sha1 = || parameters.windows(SHA1.len()).any(|part| part == SHA1);
    match oid {
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, arc] => match *arc {
            4 => Some("RSA_PKCS1_MD5"),
            14 => Some("RSA_PKCS1_SHA224"),
            // RFC 7427 App. A.4.1, A.4.2: the defaults are those of SHA-1.
            RSA_PSS if parameters == [0x30, 0] || has_sha1() => Some("RSA_PSS_SHA1"),
            RSA_PSS => Some("RSA_PSS with parameters of other lengths or hashes"),
            _ => None,
        },
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01] => Some("ECDSA_SHA1"),
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 1] => Some("ECDSA_SHA224"),
        [0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x03] => Some("DSA_SHA1"),
        [0x2b, 0x65, 0x71] => Some("ED448"),
        _ => None,
    }
}

fn sha2(hash: HashId) -> Option<&'static (HashId, u8, u8, u8, u8)> {
    SHA2_HASHES.iter().find(|row| row.0 == hash)
}

fn rsa(arc: u8, parameters: &[u8]) -> Vec<u8> {
    sequence(&[&tlv(6, &[&RSA, &[arc]]), parameters])
}

fn ecdsa(arc: u8) -> Vec<u8> {
    // RFC 5758 §3.2: the parameters are absent.
    sequence(&[&tlv(6, &[&ECDSA_SHA2, &[arc]])])
}

/// What writers of RSASSA-PSS parameters do differently.
struct PssEncoding {
    /// NULL parameters beside the hash and beside the hash of the mask generation: RFC 4055 §2.1
    /// obliges readers to accept both.
    hash_null: bool,
    mask_null: bool,
    /// The trailer field 1. DER leaves a default out; RFC 7427 App. A.4.3 has it. RFC 4055 §3.1:
    /// whoever verifies "MUST recognize both".
    trailer: bool,
}

impl PssEncoding {
    const fn new(hash_null: bool, mask_null: bool, trailer: bool) -> Self {
        Self {
            hash_null,
            mask_null,
            trailer,
        }
    }

    /// RFC 4055 §3.1: "Implementations that perform signature generation MUST omit the trailerField
    /// field". Peers that compare octets refuse it.
    const WRITTEN: Self = Self::new(true, true, false);

    const ALL: [Self; 8] = [
        Self::WRITTEN,
        Self::new(true, true, true),
        Self::new(false, false, true),
        Self::new(false, false, false),
        Self::new(true, false, true),
        Self::new(true, false, false),
        Self::new(false, true, true),
        Self::new(false, true, false),
    ];
}

/// RSASSA-PSS with one hash for message and mask, and a salt as long as its output.
fn pss(arc: u8, salt: u8, encoding: &PssEncoding) -> Vec<u8> {
    let hash = |null: bool| {
        let null: &[u8] = if null { &NULL } else { &[] };
        sequence(&[&tlv(6, &[&SHA2, &[arc]]), null])
    };
    let mask = sequence(&[&tlv(6, &[&RSA, &[RSA_MGF1]]), &hash(encoding.mask_null)]);
    let trailer = tlv(0xa3, &[&tlv(2, &[&[1]])]);
    let parameters = sequence(&[
        &tlv(0xa0, &[&hash(encoding.hash_null)]),
        &tlv(0xa1, &[&mask]),
        &tlv(0xa2, &[&tlv(2, &[&[salt]])]),
        if encoding.trailer { &trailer } else { &[] },
    ]);
    rsa(RSA_PSS, &parameters)
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, parts)
}

/// Tag, length, value. All values here are far shorter than 128 octets.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    let length = u8::try_from(value.len()).unwrap_or(0x7f);
    [&[tag, length][..], &value].concat()
}
