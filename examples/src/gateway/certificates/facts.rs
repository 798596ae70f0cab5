//! What a certificate says: names, times, and whether it is an authority's.

use super::{Refusal, sha1};
use ike_sm::config::Identity;
use rustls_pki_types::UnixTime;
use std::net::IpAddr;
use x509_cert::{
    Certificate,
    der::{Decode, Encode},
    ext::pkix::{BasicConstraints, SubjectAltName, SubjectKeyIdentifier, name::GeneralName},
};

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
        let mut names = Vec::new();
        if !body.subject().is_empty() {
            let subject = body.subject().to_der().map_err(malformed)?;
            names.push(Identity::DistinguishedName(subject));
        }
        let alternative = body.get_extension::<SubjectAltName>().map_err(malformed)?;
        if let Some((_, SubjectAltName(all))) = alternative {
            names.extend(all.iter().filter_map(identity).take(MAX_NAMES));
        }
        let spki = body.subject_public_key_info().to_der().map_err(malformed)?;
        let mut key_ids: Vec<Vec<u8>> = sha1(&spki).into_iter().map(Vec::from).collect();
        let key_id = body
            .get_extension::<SubjectKeyIdentifier>()
            .map_err(malformed)?;
        key_ids.extend(key_id.map(|(_, id)| id.0.as_bytes().to_vec()));
        let constraints = body
            .get_extension::<BasicConstraints>()
            .map_err(malformed)?;
        let validity = body.validity();
        Ok(Self {
            names,
            key_ids,
            not_before: validity.not_before.to_unix_duration().as_secs(),
            not_after: validity.not_after.to_unix_duration().as_secs(),
            is_authority: constraints.is_some_and(|(_, c)| c.ca),
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
