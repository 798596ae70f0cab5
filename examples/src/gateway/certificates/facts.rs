//! What a certificate says: names, times, what its key is for, and whose issuer it may be.

use super::{Refusal, sha1};
use crate::gateway::config::KeyPurpose;
use ike_sm::config::Identity;
use rustls_pki_types::UnixTime;
use std::net::IpAddr;
use x509_cert::{
    Certificate,
    certificate::TbsCertificate,
    der::{Decode, Encode, Reader, SliceReader, asn1::ObjectIdentifier, asn1::UintRef},
    ext::pkix::{
        AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName,
        SubjectKeyIdentifier, name::GeneralName,
    },
};

/// Extensions that are worked on, so that they may be critical: keyUsage, subjectAltName, basicConstraints,
/// nameConstraints, cRLDistributionPoints, extKeyUsage. RFC 4945 §5.1.3 asks for the first three.
const UNDERSTOOD: [&str; 6] = [
    "2.5.29.15",
    "2.5.29.17",
    "2.5.29.19",
    "2.5.29.30",
    "2.5.29.31",
    "2.5.29.37",
];
/// anyExtendedKeyUsage, and id-kp-ipsecIKE.
const ANY_PURPOSE: &str = "2.5.29.37.0";
const IPSEC_IKE: &str = "1.3.6.1.5.5.7.3.17";
/// rsaEncryption.
const RSA: &str = "1.2.840.113549.1.1.1";
/// Bits of an RSA modulus and, at most, of its public exponent: what `crypto-suite` verifies with.
const RSA_MODULUS: std::ops::RangeInclusive<usize> = 2048..=8192;
const RSA_EXPONENT: usize = 33;

/// Names of one certificate that are looked at.
const MAX_NAMES: usize = 64;

/// What a certificate says.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The subject, if it has one, then the subjectAltNames.
    names: Vec<Identity>,
    /// Octets that an ID_KEY_ID may have: the subjectKeyIdentifier, and SHA-1 of the public key.
    key_ids: Vec<Vec<u8>>,
    /// Seconds since 1970.
    not_before: u64,
    not_after: u64,
    /// It may vouch for others (RFC 5280 §4.2.1.9).
    pub is_authority: bool,
    /// How many authorities may stand between it and a peer's certificate.
    path_length: Option<u8>,
    key_usage: Option<KeyUsage>,
    purposes: Option<Vec<ObjectIdentifier>>,
    /// Bits of the modulus and of the public exponent of an RSA key.
    rsa: Option<(usize, usize)>,
    /// A critical extension that is not understood here.
    critical: Option<ObjectIdentifier>,
    /// Distinguished names in DER.
    subject_name: Vec<u8>,
    issuer_name: Vec<u8>,
    /// What tells keys of authorities of one name apart (RFC 5280 §4.2.1.1, §4.2.1.2).
    subject_key_id: Option<Vec<u8>>,
    issuer_key_id: Option<Vec<u8>>,
}

/// How well a certificate suits as the issuer of another one with its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// The key identifiers are the same.
    KeyId,
    /// One of the two has none. RFC 4945 §5.1.3.1: "Implementations SHOULD NOT assume support".
    Name,
    /// The key identifiers differ.
    OtherKeyId,
}

impl Facts {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// It is none.
    pub fn read(der: &[u8]) -> Result<Self, Refusal> {
        let malformed = |e: x509_cert::der::Error| Refusal::Malformed(e.to_string());
        let certificate = Certificate::from_der(der).map_err(malformed)?;
        let body = certificate.tbs_certificate();
        let extension = Extensions(body);
        let subject_name = body.subject().to_der().map_err(malformed)?;
        let mut names = Vec::new();
        if !body.subject().is_empty() {
            names.push(Identity::DistinguishedName(subject_name.clone()));
        }
        if let Some(SubjectAltName(all)) = extension.get()? {
            names.extend(all.iter().filter_map(identity).take(MAX_NAMES));
        }
        let spki = body.subject_public_key_info();
        let subject_key_id = extension.get::<SubjectKeyIdentifier>()?;
        let subject_key_id = subject_key_id.map(|id| id.0.as_bytes().to_vec());
        let key_hash = sha1(&spki.to_der().map_err(malformed)?);
        let key_ids = key_hash.into_iter().map(Vec::from);
        let constraints = extension.get::<BasicConstraints>()?;
        let validity = body.validity();
        // A malformed authorityKeyIdentifier only orders candidates worse.
        let issuer_key_id = extension.get::<AuthorityKeyIdentifier>().ok().flatten();
        let issuer_key_id = issuer_key_id.and_then(|id| id.key_identifier);
        let is_rsa = spki.algorithm.oid.to_string() == RSA;
        let purposes = extension.get::<ExtendedKeyUsage>()?;
        Ok(Self {
            names,
            key_ids: key_ids.chain(subject_key_id.clone()).collect(),
            not_before: validity.not_before.to_unix_duration().as_secs(),
            not_after: validity.not_after.to_unix_duration().as_secs(),
            is_authority: constraints.as_ref().is_some_and(|c| c.ca),
            path_length: constraints.and_then(|c| c.path_len_constraint),
            key_usage: extension.get()?,
            purposes: purposes.map(|ExtendedKeyUsage(all)| all),
            rsa: is_rsa.then(|| rsa_size(spki.subject_public_key.raw_bytes())),
            critical: extension.critical(),
            subject_name,
            issuer_name: body.issuer().to_der().map_err(malformed)?,
            subject_key_id,
            issuer_key_id: issuer_key_id.map(|id| id.as_bytes().to_vec()),
        })
    }

    /// Whose it is, for a message.
    #[must_use]
    pub fn subject(&self) -> String {
        self.names.first().map_or_else(
            || "a certificate without a name".into(),
            |n| format!("`{n}`"),
        )
    }

    /// Whether it is used before its time or after it.
    #[must_use]
    pub fn outside_its_time(&self, now: UnixTime) -> Option<Refusal> {
        let subject = self.subject();
        if now.as_secs() > self.not_after {
            let not_after = self.not_after;
            return Some(Refusal::Ended { subject, not_after });
        }
        (now.as_secs() < self.not_before).then_some(Refusal::NotBegun {
            subject,
            not_before: self.not_before,
        })
    }

    /// Whether it may be the issuer of `other`, as far as names and key identifiers tell.
    pub(super) fn may_have_issued(&self, other: &Self) -> Option<Fit> {
        if self.subject_name != other.issuer_name {
            return None;
        }
        Some(match (&self.subject_key_id, &other.issuer_key_id) {
            (Some(ours), Some(named)) if ours == named => Fit::KeyId,
            (Some(_), Some(_)) => Fit::OtherKeyId,
            _ => Fit::Name,
        })
    }

    /// RFC 5280 §6.1: "A certificate is self-issued if the same DN appears in the subject and issuer fields".
    pub(super) fn is_self_issued(&self) -> bool {
        self.subject_name == self.issuer_name
    }

    /// What is asked of every certificate of a path before any signature is checked.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn must_be_usable(
        &self,
        now: UnixTime,
        accepted: &[KeyPurpose],
    ) -> Result<(), Refusal> {
        if let Some(refusal) = self.outside_its_time(now) {
            return Err(refusal);
        }
        // RFC 4945 §5.1.3: what is critical and not implemented is rejected.
        if let Some(oid) = self.critical {
            let (subject, oid) = (self.subject(), oid.to_string());
            return Err(Refusal::CriticalExtension { subject, oid });
        }
        if let Some((modulus, exponent)) = self.rsa
            && (!RSA_MODULUS.contains(&modulus) || exponent > RSA_EXPONENT)
        {
            return Err(Refusal::KeySize {
                subject: self.subject(),
                modulus,
                exponent,
            });
        }
        self.must_serve_ike(accepted)
    }

    /// RFC 4945 §5.1.3.12: "If EKU present AND contains either id-kp-ipsecIKE or anyExtendedKeyUsage, continue",
    /// or one of the purposes that the configuration accepts besides.
    fn must_serve_ike(&self, accepted: &[KeyPurpose]) -> Result<(), Refusal> {
        let Some(purposes) = &self.purposes else {
            return Ok(());
        };
        let suits = |oid: &ObjectIdentifier| {
            let oid = oid.to_string();
            oid == ANY_PURPOSE || oid == IPSEC_IKE || accepted.iter().any(|p| p.oid() == oid)
        };
        if purposes.iter().any(suits) {
            return Ok(());
        }
        let named = |oid: &ObjectIdentifier| {
            let oid = oid.to_string();
            let known = KeyPurpose::ALL.iter().find(|p| p.oid() == oid);
            known.map_or(oid, ToString::to_string)
        };
        let purposes: Vec<String> = purposes.iter().take(MAX_NAMES).map(named).collect();
        Err(Refusal::Purpose {
            subject: self.subject(),
            purposes: purposes.join(", "),
        })
    }

    /// RFC 4945 §5.1.3.2: "if the KeyUsage extension is present, then at least one of the digitalSignature or the
    /// nonRepudiation bits in the KeyUsage extension MUST be set".
    ///
    /// # Errors
    /// Neither is.
    pub fn must_sign(&self) -> Result<(), Refusal> {
        let signs = |usage: KeyUsage| usage.digital_signature() || usage.non_repudiation();
        self.must_allow(signs, "digitalSignature or nonRepudiation")
    }

    /// Whether it may vouch for certificates, with so many authorities between it and the peer's certificate.
    ///
    /// # Errors
    /// It may not.
    pub fn must_issue(&self, between: usize) -> Result<(), Refusal> {
        // RFC 5280 §6.1.4 (k): "verify that the basicConstraints extension is present and that cA is set to TRUE".
        if !self.is_authority {
            return Err(Refusal::NoAuthority(self.subject()));
        }
        // RFC 5280 §6.1.4 (n): "If a key usage extension is present, verify that the keyCertSign bit is set".
        self.must_allow(|usage| usage.key_cert_sign(), "keyCertSign")?;
        // RFC 5280 §6.1.4 (l), (m).
        match self.path_length {
            Some(allowed) if between > usize::from(allowed) => Err(Refusal::PathLength {
                subject: self.subject(),
                allowed,
            }),
            _ => Ok(()),
        }
    }

    fn must_allow(
        &self,
        allows: impl Fn(KeyUsage) -> bool,
        missing: &'static str,
    ) -> Result<(), Refusal> {
        match self.key_usage {
            Some(usage) if !allows(usage) => Err(Refusal::KeyUsage {
                subject: self.subject(),
                missing,
            }),
            _ => Ok(()),
        }
    }

    /// RFC 4945 §3.1: a name or an address is among the subjectAltNames, without wildcards; a distinguished name is
    /// the subject. An ID_KEY_ID, which RFC 4945 §3.1.7 leaves open, names the key as strongSwan has it.
    ///
    /// # Errors
    /// It is not; which names there are.
    pub fn must_name(&self, identity: &Identity) -> Result<(), Refusal> {
        let named = match identity {
            Identity::KeyId(id) => self.key_ids.contains(id),
            _ => self.names.iter().any(|name| name.is(identity)),
        };
        if named {
            return Ok(());
        }
        let show = |name: &Identity| format!("{} {name}", name.type_name());
        let names: Vec<String> = self.names.iter().map(show).collect();
        Err(Refusal::OtherName {
            identity: show(identity),
            names: if names.is_empty() {
                "it has none".into()
            } else {
                names.join("; ")
            },
        })
    }
}

/// A subjectAltName as an identity, if it can be one. Directory names beside the subject are none (RFC 4945 §3.1.5).
fn identity(name: &GeneralName) -> Option<Identity> {
    match name {
        GeneralName::DnsName(name) => Identity::from_wire(2, name.as_bytes()),
        GeneralName::Rfc822Name(name) => Identity::from_wire(3, name.as_bytes()),
        GeneralName::IpAddress(octets) => {
            let octets = octets.as_bytes();
            let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from));
            address.ok().map(Identity::Address)
        }
        _ => None,
    }
}

/// The extensions of a certificate.
struct Extensions<'c>(&'c TbsCertificate);

impl<'c> Extensions<'c> {
    fn get<T: Decode<'c, Error = x509_cert::der::Error> + x509_cert::der::oid::AssociatedOid>(
        &self,
    ) -> Result<Option<T>, Refusal> {
        let found = self.0.get_extension::<T>();
        let found = found.map_err(|e| Refusal::Malformed(e.to_string()))?;
        Ok(found.map(|(_, value)| value))
    }

    /// The first that is critical and not understood.
    fn critical(&self) -> Option<ObjectIdentifier> {
        let mut all = self.0.extensions().into_iter().flatten();
        let strange = all.find(|e| e.critical && !UNDERSTOOD.contains(&&*e.extn_id.to_string()));
        strange.map(|extension| extension.extn_id)
    }
}

/// Bits of the modulus and of the public exponent of an `RSAPublicKey`; none where it is malformed.
fn rsa_size(key: &[u8]) -> (usize, usize) {
    let bits = |number: UintRef<'_>| {
        let octets = number.as_bytes();
        let zeros = octets.first().map_or(0, |first| first.leading_zeros());
        let zeros = usize::try_from(zeros).unwrap_or(0);
        octets.len().saturating_mul(8).saturating_sub(zeros)
    };
    let numbers = SliceReader::new(key).and_then(|mut reader| {
        reader.sequence(|r| Ok::<_, x509_cert::der::Error>((bits(r.decode()?), bits(r.decode()?))))
    });
    numbers.unwrap_or((0, 0))
}
