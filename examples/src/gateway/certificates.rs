//! X.509: PEM files, and whether a chain proves an identity. Paths are built and checked by `rustls-webpki`; the
//! signatures in them by `crypto-suite`, like all others.

mod crl;
mod facts;
mod path;
mod refusal;
mod signatures;

use crl::Crls;
pub use facts::Facts;
pub use path::MAX_INTERMEDIATES;
pub use refusal::Refusal;

use super::config::{KeyPurpose, UnknownStatus};
use crypto_suite::HashId;
use ike_sm::config::Identity;
use path::{Anchor, Path as CertificationPath};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer,
    UnixTime, pem::PemObject,
};
use signatures::{ALGORITHMS, Checks, Counted, JudgedBefore};
use std::{fmt, path::Path};
use webpki::{EndEntityCert, RevocationOptions};

/// The certificates of a PEM file, in DER.
///
/// # Errors
/// The file cannot be read or has no certificate.
pub fn load_chain(path: &Path) -> Result<Vec<Vec<u8>>, String> {
    let fault = |e| format!("{}: {e}", path.display());
    let chain: Vec<Vec<u8>> = CertificateDer::pem_file_iter(path)
        .map_err(fault)?
        .map(|certificate| certificate.map(|c| c.to_vec()))
        .collect::<Result<_, _>>()
        .map_err(fault)?;
    if chain.is_empty() {
        return Err(format!("{}: no certificate", path.display()));
    }
    Ok(chain)
}

/// The private key of a PEM file: PKCS#8, PKCS#1 or SEC 1.
///
/// # Errors
/// The file cannot be read or has no private key.
pub fn load_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// The public key of a PEM file, a DER `SubjectPublicKeyInfo`: of `PUBLIC KEY`, or of a certificate.
///
/// # Errors
/// The file cannot be read or has no public key.
pub fn load_public_key(path: &Path) -> Result<Vec<u8>, String> {
    match SubjectPublicKeyInfoDer::from_pem_file(path) {
        Ok(key) => Ok(key.to_vec()),
        Err(error) => match load_chain(path) {
            Ok(chain) => chain.first().map_or_else(
                || Err(format!("{}: no certificate", path.display())),
                |first| public_key(first).map_err(|e| format!("{}: {e}", path.display())),
            ),
            Err(_) => Err(format!("{}: {error}", path.display())),
        },
    }
}

/// The public key of a certificate, a DER `SubjectPublicKeyInfo`.
///
/// # Errors
/// It is no X.509 certificate of version 3.
pub fn public_key(certificate: &[u8]) -> Result<Vec<u8>, Refusal> {
    let certificate = CertificateDer::from(certificate);
    let parsed = EndEntityCert::try_from(&certificate)?;
    Ok(parsed.subject_public_key_info().to_vec())
}

/// SHA-1, which names keys (RFC 7296 §3.7; RFC 5280 §4.2.1.2).
fn sha1(octets: &[u8]) -> Option<[u8; 20]> {
    let sha1 = crypto_suite::DEFAULT.hash(HashId::Sha1)?;
    sha1.digest(&[octets]).as_ref().try_into().ok()
}

/// Whom we trust to vouch for a peer.
#[derive(Default)]
pub struct Authorities {
    anchors: Vec<Anchor>,
    crls: Crls,
    /// Purposes of a peer's key that are accepted besides those of RFC 4945.
    purposes: Vec<KeyPurpose>,
    /// SHA-1 of each public key, for certificate requests (RFC 7296 §3.7).
    pub key_hashes: Vec<[u8; 20]>,
    /// Subject of each, in DER, for those of IKEv1 (RFC 2408 §3.10).
    pub names: Vec<Vec<u8>>,
}

impl Authorities {
    /// Adds the certificates of a PEM file; what is odd about them.
    ///
    /// # Errors
    /// The file cannot be read, or holds something that cannot be an authority.
    pub fn load(&mut self, path: &Path, now: UnixTime) -> Result<Vec<String>, String> {
        let mut odd = Vec::new();
        for certificate in load_chain(path)? {
            let told = |what: &dyn fmt::Display| format!("{}: {what}", path.display());
            let facts = Facts::read(&certificate).map_err(|e| told(&e))?;
            facts.must_issue(0).map_err(|e| told(&e))?;
            odd.extend(facts.outside_its_time(now).map(|refusal| told(&refusal)));
            self.add(certificate).map_err(|e| told(&e))?;
        }
        Ok(odd)
    }

    /// Adds a certificate in DER.
    ///
    /// # Errors
    /// It cannot be an authority.
    pub fn add(&mut self, certificate: Vec<u8>) -> Result<(), Refusal> {
        let facts = Facts::read(&certificate)?;
        let der_of = CertificateDer::from(certificate.as_slice());
        let trust = webpki::anchor_from_trusted_cert(&der_of)?.to_owned();
        let spki = der(0x30, &[&trust.subject_public_key_info]);
        self.key_hashes.extend(sha1(&spki));
        self.names.push(der(0x30, &[&trust.subject]));
        self.anchors.push(Anchor {
            certificate,
            facts,
            trust,
        });
        Ok(())
    }

    /// Which purposes a peer's key may have besides ipsecIKE and any.
    pub fn accept_purposes(&mut self, purposes: &[KeyPurpose]) {
        self.purposes = purposes.to_vec();
    }

    /// Adds the CRLs of a file; what is odd about them. The file is read again when it changes.
    ///
    /// # Errors
    /// The file cannot be read, or holds something else.
    pub fn load_crl(&mut self, path: &Path, now: UnixTime) -> Result<Vec<String>, String> {
        self.crls.load(path, now)
    }

    /// What to think of certificates that no CRL speaks of.
    pub fn unknown_status(&mut self, verdict: UnknownStatus) {
        self.crls.unknown = verdict;
    }

    /// Reads the files of CRLs again that have changed.
    pub fn refresh(&mut self) {
        self.crls.refresh();
    }

    /// Whether the first certificate of `chain` leads to one of the authorities and belongs to `identity`; its public
    /// key, if so.
    ///
    /// # Errors
    /// Why not, for our own log.
    pub fn verify(
        &self,
        chain: &[Vec<u8>],
        identity: &Identity,
        now: UnixTime,
    ) -> Result<Vec<u8>, Refusal> {
        self.lead(chain, now)?;
        let first = chain.first().ok_or(Refusal::Nothing)?;
        Facts::read(first)?.must_name(identity)?;
        public_key(first)
    }

    /// Whether the first certificate of `chain` leads to one of the authorities.
    ///
    /// # Errors
    /// Why not.
    pub fn lead(&self, chain: &[Vec<u8>], now: UnixTime) -> Result<(), Refusal> {
        self.lead_counting(chain, now).0
    }

    /// The verdict, and how many checks of signatures it took.
    fn lead_counting(&self, chain: &[Vec<u8>], now: UnixTime) -> (Result<(), Refusal>, usize) {
        let path = CertificationPath::choose(chain, self).and_then(|mut path| {
            path.judge(now, &self.purposes)?;
            Ok(path)
        });
        let path = match path {
            Ok(path) => path,
            Err(refusal) => return (Err(refusal), 0),
        };
        let checks = path.checks();
        let verdict = self.check_signatures(&path, now, &checks);
        if verdict.is_err() && checks.are_exhausted() {
            return (Err(Refusal::TooMuchWork), checks.made());
        }
        (verdict, checks.made())
    }

    fn check_signatures(
        &self,
        path: &CertificationPath<'_>,
        now: UnixTime,
        checks: &Checks,
    ) -> Result<(), Refusal> {
        let counted = ALGORITHMS.each_ref();
        let counted = counted.map(|algorithm| Counted { algorithm, checks });
        let algorithms = counted.each_ref();
        let algorithms = algorithms.map(|a| a as &dyn SignatureVerificationAlgorithm);
        let lists = self.crls.lists();
        let revocation: Option<RevocationOptions<'_>> = self.crls.options(&lists);
        let (leaf, above, anchors) = (path.leaf(), path.above(), path.anchors());
        EndEntityCert::try_from(&leaf)?.verify_for_usage(
            &algorithms,
            &anchors,
            &above,
            now,
            JudgedBefore,
            revocation,
            None,
        )?;
        Ok(())
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.anchors.len())
    }
}

/// Tag, length and value.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    let length = value.len().to_be_bytes();
    let zeros = length.iter().take_while(|b| **b == 0).count();
    let significant = length.get(zeros..).unwrap_or(&[]);
    let mut out = vec![tag];
    match u8::try_from(value.len()) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            out.push(0x80 | u8::try_from(significant.len()).unwrap_or(8));
            out.extend_from_slice(significant);
        }
    }
    out.extend(value);
    out
}

#[cfg(test)]
mod tests;
