//! Which payload numbers a peer means by NAT-D and NAT-OA.

use super::{PayloadChain, PayloadType};
use crate::vendor_id;

/// What a peer's vendor IDs have taught about its payload numbers.
///
/// RFC 3947 has 20 and 21. Drafts 00–03 of NAT-T used the private numbers 130 and 131, drafts
/// 04–08 used 15 and 16, and some Cisco releases send NAT-D as 17: numbers that belong to GDOI
/// otherwise. They are read as NAT-D and NAT-OA only once the peer has shown the vendor ID of a
/// draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Dialect {
    /// The peer has shown the vendor ID of a NAT-T draft.
    pub nat_t_draft: bool,
}

impl Dialect {
    /// Registered numbers alone: no draft of NAT traversal was announced.
    pub const STANDARD: Self = Self { nat_t_draft: false };

    /// Takes in one vendor ID.
    pub fn learn(&mut self, vendor_id: &[u8]) {
        self.nat_t_draft |= vendor_id::is_nat_t_draft(vendor_id);
    }

    /// Takes in every vendor ID of a chain.
    pub fn learn_from(&mut self, chain: &PayloadChain<'_>) {
        for payload in chain {
            if payload.payload_type == PayloadType::VENDOR_ID {
                self.learn(payload.body);
            }
        }
    }

    /// The registered number for what this peer means by a payload number.
    #[must_use]
    pub const fn canonical(self, payload_type: PayloadType) -> PayloadType {
        if !self.nat_t_draft {
            return payload_type;
        }
        match payload_type {
            PayloadType::NAT_D_DRAFT | PayloadType::SA_KEK | PayloadType::KEY_DOWNLOAD => {
                PayloadType::NAT_D
            }
            PayloadType::NAT_OA_DRAFT | PayloadType::SA_TEK => PayloadType::NAT_OA,
            other => other,
        }
    }
}
