//! X.509: PEM files, and whether a chain proves an identity. Paths are built and checked by `rustls-webpki`; the
//! signatures in them by `crypto-suite`, like all others.

use crypto_suite::{EcdsaCurve, EcdsaForm, HashId, SignatureId};
use ike_sm::config::Identity;
use rustls_pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, PrivateKeyDer, ServerName,
    SignatureVerificationAlgorithm, TrustAnchor, UnixTime, alg_id, pem::PemObject,
};
use std::{fmt, path::Path};
use webpki::{
    EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage,
    RequiredEkuNotFoundContext,
};

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

/// The public key of a certificate, a DER `SubjectPublicKeyInfo`.
///
/// # Errors
/// It is no X.509 certificate of version 3.
pub fn public_key(certificate: &[u8]) -> Result<Vec<u8>, String> {
    let certificate = CertificateDer::from(certificate);
    let parsed = EndEntityCert::try_from(&certificate).map_err(|e| e.to_string())?;
    Ok(parsed.subject_public_key_info().to_vec())
}

/// Whom we trust to vouch for a peer.
#[derive(Default)]
pub struct Authorities {
    anchors: Vec<TrustAnchor<'static>>,
    /// SHA-1 of each public key, for certificate requests (RFC 7296 §3.7).
    pub key_hashes: Vec<[u8; 20]>,
}

impl Authorities {
    /// Adds the certificates of a PEM file.
    ///
    /// # Errors
    /// The file cannot be read, or holds something that cannot be an authority.
    pub fn load(&mut self, path: &Path) -> Result<(), String> {
        for certificate in load_chain(path)? {
            self.add(certificate)
                .map_err(|e| format!("{}: {e}", path.display()))?;
        }
        Ok(())
    }

    /// Adds a certificate in DER.
    ///
    /// # Errors
    /// It cannot be an authority.
    pub fn add(&mut self, certificate: Vec<u8>) -> Result<(), String> {
        let certificate = CertificateDer::from(certificate);
        let anchor = webpki::anchor_from_trusted_cert(&certificate).map_err(|e| e.to_string())?;
        let spki = der(0x30, &[&anchor.subject_public_key_info]);
        let sha1 = crypto_suite::DEFAULT.hash(HashId::Sha1);
        let digest = sha1.map(|hash| hash.digest(&[&spki]));
        let hash: Option<[u8; 20]> = digest.and_then(|d| d.as_ref().try_into().ok());
        self.key_hashes.extend(hash);
        self.anchors.push(anchor.to_owned());
        Ok(())
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
    ) -> Result<Vec<u8>, String> {
        let mut chain = chain.iter().map(|der| CertificateDer::from(der.as_slice()));
        let first = chain.next().ok_or("no certificate came")?;
        let intermediates: Vec<CertificateDer<'_>> = chain.collect();
        let certificate = EndEntityCert::try_from(&first).map_err(|e| e.to_string())?;
        let path = certificate.verify_for_usage(
            &ALGORITHMS
                .each_ref()
                .map(|a| a as &dyn SignatureVerificationAlgorithm),
            &self.anchors,
            &intermediates,
            now,
            IpsecUsage,
            None,
            None,
        );
        path.map_err(|e| e.to_string())?;
        belongs(&certificate, identity)?;
        Ok(certificate.subject_public_key_info().to_vec())
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.anchors.len())
    }
}

/// RFC 4945 §3.1, §5.1.3: a name or address is among the subjectAltNames, a distinguished name is the subject.
fn belongs(certificate: &EndEntityCert<'_>, identity: &Identity) -> Result<(), String> {
    let name = match identity {
        Identity::Address(address) => ServerName::IpAddress((*address).into()),
        Identity::Fqdn(name) => {
            ServerName::try_from(name.as_str()).map_err(|e| format!("{name}: {e}"))?
        }
        Identity::DistinguishedName(dn) => {
            let subject = der(0x30, &[certificate.subject()]);
            return if *dn == subject {
                Ok(())
            } else {
                Err("the subject is another one".into())
            };
        }
        other => {
            let kind = other.type_name();
            return Err(format!("a certificate is not checked against {kind}"));
        }
    };
    certificate
        .verify_is_valid_for_subject_name(&name)
        .map_err(|e| e.to_string())
}

/// RFC 4945 §5.1.3.12: IKE itself, any use, or what certificates of servers and clients have. None at all is any.
struct IpsecUsage;

impl ExtendedKeyUsageValidator for IpsecUsage {
    fn validate(&self, iter: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        const ID_KP: [usize; 8] = [1, 3, 6, 1, 5, 5, 7, 3];
        /// serverAuth, clientAuth, ipsecEndSystem, ipsecTunnel, ipsecUser, ipsecIKE.
        const USES: [usize; 6] = [1, 2, 5, 6, 7, 17];
        const ANY: [usize; 5] = [2, 5, 29, 37, 0];
        let mut present = Vec::new();
        for purpose in iter {
            let oid = purpose?.to_decoded_oid();
            let suits = match oid.strip_prefix(&ID_KP[..]) {
                Some([last]) => USES.contains(last),
                // 1.3.6.1.5.5.8.2.2 is iKEIntermediate, which older devices ask for.
                _ => oid == ANY || oid == [1, 3, 6, 1, 5, 5, 8, 2, 2],
            };
            if suits {
                return Ok(());
            }
            present.push(oid);
        }
        if present.is_empty() {
            return Ok(());
        }
        /// id-kp-ipsecIKE.
        const IPSEC_IKE: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 17];
        let context = RequiredEkuNotFoundContext {
            required: KeyUsage::required(IPSEC_IKE),
            present,
        };
        Err(webpki::Error::RequiredEkuNotFoundContext(context))
    }
}

/// A scheme of `crypto-suite` as `webpki` wants it.
#[derive(Debug)]
struct Algorithm {
    scheme: SignatureId,
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
}

const fn algorithm(
    scheme: SignatureId,
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
) -> Algorithm {
    Algorithm {
        scheme,
        key,
        signature,
    }
}

const fn ecdsa(curve: EcdsaCurve, hash: HashId) -> SignatureId {
    SignatureId::Ecdsa(curve, hash, EcdsaForm::Der)
}

use EcdsaCurve::{P256, P384, P521};
use HashId::{Sha256, Sha384, Sha512};
use alg_id::{
    ECDSA_P256, ECDSA_P384, ECDSA_P521, ECDSA_SHA256, ECDSA_SHA384, ECDSA_SHA512, ED25519,
    RSA_ENCRYPTION, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RSA_PSS_SHA512,
};

/// Signatures over SHA-1 are none of them (RFC 8247 §3.2).
static ALGORITHMS: [Algorithm; 12] = [
    algorithm(ecdsa(P256, Sha256), ECDSA_P256, ECDSA_SHA256),
    algorithm(ecdsa(P256, Sha384), ECDSA_P256, ECDSA_SHA384),
    algorithm(ecdsa(P384, Sha256), ECDSA_P384, ECDSA_SHA256),
    algorithm(ecdsa(P384, Sha384), ECDSA_P384, ECDSA_SHA384),
    algorithm(ecdsa(P521, Sha512), ECDSA_P521, ECDSA_SHA512),
    algorithm(SignatureId::Ed25519, ED25519, ED25519),
    algorithm(
        SignatureId::RsaPkcs1(Sha256),
        RSA_ENCRYPTION,
        RSA_PKCS1_SHA256,
    ),
    algorithm(
        SignatureId::RsaPkcs1(Sha384),
        RSA_ENCRYPTION,
        RSA_PKCS1_SHA384,
    ),
    algorithm(
        SignatureId::RsaPkcs1(Sha512),
        RSA_ENCRYPTION,
        RSA_PKCS1_SHA512,
    ),
    algorithm(SignatureId::RsaPss(Sha256), RSA_ENCRYPTION, RSA_PSS_SHA256),
    algorithm(SignatureId::RsaPss(Sha384), RSA_ENCRYPTION, RSA_PSS_SHA384),
    algorithm(SignatureId::RsaPss(Sha512), RSA_ENCRYPTION, RSA_PSS_SHA512),
];

impl SignatureVerificationAlgorithm for Algorithm {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        // SubjectPublicKeyInfo ::= SEQUENCE { algorithm, subjectPublicKey BIT STRING }
        let algorithm = der(0x30, &[&self.key]);
        let spki = der(0x30, &[&algorithm, &der(3, &[&[0], public_key])]);
        let scheme = crypto_suite::DEFAULT
            .signature(self.scheme)
            .ok_or(InvalidSignature)?;
        scheme
            .verify(&spki, &[message], signature)
            .map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
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
