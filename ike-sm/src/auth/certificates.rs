//! Certificates of a peer, in both versions of IKE: what it shows, and the embedder's word on it.

use alloc::string::String;
use alloc::vec::Vec;

use crate::config::PeerConfig;
use crate::config::v2::MAX_CHAIN;
use crate::event::job::SignatureJob;
use crate::event::{AuthRecord, Question};
use crate::model::Identity;

/// Longest chain of certificates that is looked at, octets.
const MAX_OCTETS: usize = 32 * 1024;
/// Longest reason of the embedder that is kept, characters.
const MAX_REASON: usize = 200;

/// What a peer shows of its key: X.509 certificates, a raw key, both or nothing.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    chain: Vec<Vec<u8>>,
    raw_key: Option<Vec<u8>>,
    octets: usize,
}

/// More than is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Shown {
    /// Takes an X.509 certificate.
    pub(crate) fn x509(&mut self, der: &[u8]) -> Result<(), TooLong> {
        self.count_in(der)?;
        if self.chain.len() >= MAX_CHAIN {
            return Err(TooLong);
        }
        self.chain.push(der.to_vec());
        Ok(())
    }

    /// Takes a raw public key (RFC 7670).
    pub(crate) fn raw_key(&mut self, spki: &[u8]) -> Result<(), TooLong> {
        self.count_in(spki)?;
        match self.raw_key.replace(spki.to_vec()) {
            None => Ok(()),
            Some(_) => Err(TooLong),
        }
    }

    fn count_in(&mut self, octets: &[u8]) -> Result<(), TooLong> {
        self.octets = self.octets.saturating_add(octets.len());
        if self.octets > MAX_OCTETS {
            Err(TooLong)
        } else {
            Ok(())
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.chain
            .len()
            .saturating_add(usize::from(self.raw_key.is_some()))
    }

    /// Asks whether it belongs to the identity; `signature` is what was signed with it.
    pub(crate) fn vouch(
        &self,
        peer: &PeerConfig,
        identity: &Identity,
        signature: SignatureJob,
    ) -> Question {
        Question::VerifyCertificate {
            peer: peer.name.clone(),
            chain: self.chain.clone(),
            raw_key: self.raw_key.clone(),
            identity: identity.clone(),
            signature,
        }
    }

    /// The record of what came of it.
    pub(crate) fn record<K>(&self, answer: &Result<K, String>) -> AuthRecord {
        let refused = answer.as_ref().err();
        AuthRecord::Certificate {
            count: self.count(),
            refused: refused.map(|why| why.chars().take(MAX_REASON).collect()),
        }
    }
}
