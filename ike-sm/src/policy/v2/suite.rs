//! What a choice means.

use crypto_suite::{GroupId, PrfId, ProtectionId};
use isakmp_wire::registry::ProtocolId;
use isakmp_wire::registry::v2 as wire;
use wire::{EncryptionId, SequenceNumbers, TransformType};

use super::choose::Choice;
use crate::alg::v2 as alg;
use crate::config::v2::{Encryption, IkeProposal};
use crate::model::ChildSuite;

/// The algorithms of an IKE SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IkeSuite {
    /// What protects its messages.
    pub protection: ProtectionId,
    /// Pseudo-random function.
    pub prf: PrfId,
    /// First key exchange.
    pub group: GroupId,
    /// Additional key exchanges, ADDKE1 to ADDKE7; `None` where none takes place (RFC 9370).
    pub additional: [Option<GroupId>; 7],
}

impl IkeSuite {
    /// Whether one of these proposals is for these algorithms.
    #[must_use]
    pub fn is_of(&self, proposals: &[IkeProposal]) -> bool {
        proposals.iter().any(|proposal| {
            let protects = |encryption: &Encryption| {
                let with = |integrity| encryption.with(integrity) == Some(self.protection);
                with(None) || proposal.integrity.iter().any(|i| with(Some(*i)))
            };
            let mut additional = self.additional.iter().enumerate();
            proposal.encryption.iter().any(protects)
                && proposal.prf.contains(&self.prf)
                && proposal.groups.contains(&self.group)
                && additional.all(|(n, chosen)| match (proposal.additional.get(n), chosen) {
                    (None, chosen) => chosen.is_none(),
                    (Some(allowed), None) => allowed.optional,
                    (Some(allowed), Some(group)) => allowed.methods.contains(group),
                })
        })
    }
}

/// The algorithms of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildTransforms {
    /// What protects its packets.
    pub suite: ChildSuite,
    /// The key exchange of its own.
    pub group: Option<GroupId>,
    /// Additional key exchanges after it, as of an [`IkeSuite`].
    pub additional: [Option<GroupId>; 7],
    /// Extended sequence numbers.
    pub esn: bool,
    /// The peer's SPI.
    pub peer_spi: u32,
}

impl Choice {
    /// The algorithms of an IKE SA; `None` for a choice that is about something else.
    #[must_use]
    pub fn ike_suite(&self) -> Option<IkeSuite> {
        let prf = self.of_type(TransformType::PRF)?;
        Some(IkeSuite {
            protection: self.protection()?,
            prf: alg::prf_from_wire(wire::PrfId(prf.id))?,
            group: self.group()?,
            additional: self.additional()?,
        })
    }

    /// The algorithms of a child; `None` for a choice that is about something else.
    #[must_use]
    pub fn child(&self) -> Option<ChildTransforms> {
        let suite = match self.protocol {
            ProtocolId::ESP => ChildSuite::Esp(self.protection()?),
            ProtocolId::AH => ChildSuite::Ah(self.integrity()?),
            _ => return None,
        };
        let numbers = self.of_type(TransformType::SEQUENCE_NUMBERS)?;
        let spi = <[u8; 4]>::try_from(self.peer_spi.as_slice()).ok()?;
        Some(ChildTransforms {
            suite,
            group: self.group(),
            additional: self.additional()?,
            esn: numbers.id == SequenceNumbers::ESN.0,
            peer_spi: u32::from_be_bytes(spi),
        })
    }

    fn group(&self) -> Option<GroupId> {
        let t = self.of_type(TransformType::KEY_EXCHANGE)?;
        alg::group_from_wire(wire::KeyExchangeMethod(t.id))
    }

    /// `None` when one of the methods is not known here.
    fn additional(&self) -> Option<[Option<GroupId>; 7]> {
        let mut additional = [None; 7];
        for (slot, number) in additional.iter_mut().zip(6u8..) {
            if let Some(t) = self.of_type(TransformType(number)) {
                *slot = Some(alg::group_from_wire(wire::KeyExchangeMethod(t.id))?);
            }
        }
        Some(additional)
    }

    fn integrity(&self) -> Option<crypto_suite::IntegrityId> {
        let t = self.of_type(TransformType::INTEGRITY)?;
        alg::integrity_from_wire(wire::IntegrityId(t.id))
    }

    fn protection(&self) -> Option<ProtectionId> {
        let encryption = self.of_type(TransformType::ENCRYPTION)?;
        let (id, bits) = (EncryptionId(encryption.id), encryption.key_length);
        match self.integrity() {
            None => alg::aead_from_wire(id, bits).map(ProtectionId::Aead),
            Some(mac) if id == EncryptionId::NULL => Some(ProtectionId::NullHmac(mac)),
            Some(mac) => {
                let cipher = alg::cipher_from_wire(id, bits)?;
                Some(ProtectionId::CbcHmac(cipher, mac))
            }
        }
    }
}
