//! NAT-traversal vendor IDs and what each version of the specification puts on the wire.
//!
//! RFC 3947 §3.1 announces the capability with a vendor ID in the first two messages of Phase 1.
//! Its drafts have vendor IDs, payload numbers and encapsulation modes of their own.

/// A version of NAT traversal, ordered by preference: a later one is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// draft-ietf-ipsec-nat-t-ike-00: stays on port 500.
    Draft00,
    /// draft-ietf-ipsec-nat-t-ike-01: stays on port 500.
    Draft01,
    /// draft-ietf-ipsec-nat-t-ike-02, the MD5 of its name without the line feed.
    Draft02,
    /// draft-ietf-ipsec-nat-t-ike-02 as the draft itself prints it (the MD5 includes `\n`).
    Draft02Newline,
    /// draft-ietf-ipsec-nat-t-ike-03: moves to port 4500, private-use numbers.
    Draft03,
    /// draft-ietf-ipsec-nat-t-ike-04: moves to port 4500, the draft's own payload types.
    Draft04,
    /// draft-ietf-ipsec-nat-t-ike-05: as the version 04 before it.
    Draft05,
    /// draft-ietf-ipsec-nat-t-ike-06: as the version 04 before it.
    Draft06,
    /// draft-ietf-ipsec-nat-t-ike-07: as the version 04 before it.
    Draft07,
    /// draft-ietf-ipsec-nat-t-ike-08: as the version 04 before it.
    Draft08,
    /// RFC 3947, with the numbers that IANA has registered.
    Rfc3947,
}

/// The numbers a [`Version`] uses: IKEv1 payload types and ESP encapsulation modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// The payload type of NAT-D (RFC 3947 §3.2).
    pub nat_d: u8,
    /// The payload type of NAT-OA (RFC 3947 §5.2).
    pub nat_oa: u8,
    /// Value of the attribute Encapsulation Mode for UDP-Encapsulated-Tunnel.
    pub udp_tunnel: u16,
    /// Value of the attribute Encapsulation Mode for UDP-Encapsulated-Transport.
    pub udp_transport: u16,
}

/// The registered numbers (RFC 3947 §3.2, §5.1, §5.2).
const RFC: Numbers = Numbers {
    nat_d: 20,
    nat_oa: 21,
    udp_tunnel: 3,
    udp_transport: 4,
};
/// draft-ietf-ipsec-nat-t-ike-00 to -03, §3.2, §5.1, §5.2 (private-use numbers).
const PRIVATE: Numbers = Numbers {
    nat_d: 130,
    nat_oa: 131,
    udp_tunnel: 61443,
    udp_transport: 61444,
};
/// draft-ietf-ipsec-nat-t-ike-04 to -08, §3.2, §5.1, §5.2.
const LATE_DRAFT: Numbers = Numbers {
    nat_d: 15,
    nat_oa: 16,
    udp_tunnel: 3,
    udp_transport: 4,
};

impl Version {
    /// Every version, best first: the order in which to announce them.
    pub const ALL: [Self; 11] = [
        Self::Rfc3947,
        Self::Draft08,
        Self::Draft07,
        Self::Draft06,
        Self::Draft05,
        Self::Draft04,
        Self::Draft03,
        Self::Draft02Newline,
        Self::Draft02,
        Self::Draft01,
        Self::Draft00,
    ];

    /// What a sender without special wishes announces: the RFC and the two drafts in real use.
    pub const USUAL: [Self; 4] = [
        Self::Rfc3947,
        Self::Draft03,
        Self::Draft02Newline,
        Self::Draft02,
    ];

    /// The body of the vendor ID payload: the MD5 of the document's name.
    #[must_use]
    pub const fn vendor_id(self) -> [u8; 16] {
        let id: u128 = match self {
            Self::Rfc3947 => 0x4a13_1c81_0703_5845_5c57_28f2_0e95_452f,
            Self::Draft08 => 0x8f8d_8382_6d24_6b6f_c7a8_a6a4_28c1_1de8,
            Self::Draft07 => 0x439b_59f8_ba67_6c4c_7737_ae22_eab8_f582,
            Self::Draft06 => 0x4d1e_0e13_6dea_fa34_c4f3_ea9f_02ec_7285,
            Self::Draft05 => 0x80d0_bb3d_ef54_565e_e846_45d4_c85c_e3ee,
            Self::Draft04 => 0x9909_b64e_ed93_7c65_73de_52ac_e952_fa6b,
            Self::Draft03 => 0x7d94_19a6_5310_ca6f_2c17_9d92_1552_9d56,
            Self::Draft02Newline => 0x90cb_8091_3ebb_696e_0863_81b5_ec42_7b1f,
            Self::Draft02 => 0xcd60_4643_35df_21f8_7cfd_b2fc_68b6_a448,
            Self::Draft01 => 0x16f6_ca16_e4a4_066d_8382_1a0f_0aea_a862,
            Self::Draft00 => 0x4485_152d_18b6_bbcd_0be8_a846_9579_ddcc,
        };
        id.to_be_bytes()
    }

    /// The version that a vendor ID payload's body announces.
    #[must_use]
    pub fn from_vendor_id(body: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|version| version.vendor_id() == body)
    }

    /// The payload and attribute numbers of this version.
    #[must_use]
    pub const fn numbers(self) -> Numbers {
        match self {
            Self::Rfc3947 => RFC,
            Self::Draft04 | Self::Draft05 | Self::Draft06 | Self::Draft07 | Self::Draft08 => {
                LATE_DRAFT
            }
            Self::Draft00
            | Self::Draft01
            | Self::Draft02
            | Self::Draft02Newline
            | Self::Draft03 => PRIVATE,
        }
    }

    /// Whether IKE moves to port 4500. The first two drafts stay on 500 behind an eight-octet
    /// marker, which this crate recognises but does not speak.
    #[must_use]
    pub const fn floats(self) -> bool {
        !matches!(self, Self::Draft00 | Self::Draft01)
    }

    /// The name of the document, for logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rfc3947 => "RFC 3947",
            Self::Draft08 => "draft-ietf-ipsec-nat-t-ike-08",
            Self::Draft07 => "draft-ietf-ipsec-nat-t-ike-07",
            Self::Draft06 => "draft-ietf-ipsec-nat-t-ike-06",
            Self::Draft05 => "draft-ietf-ipsec-nat-t-ike-05",
            Self::Draft04 => "draft-ietf-ipsec-nat-t-ike-04",
            Self::Draft03 => "draft-ietf-ipsec-nat-t-ike-03",
            Self::Draft02Newline => "draft-ietf-ipsec-nat-t-ike-02\\n",
            Self::Draft02 => "draft-ietf-ipsec-nat-t-ike-02",
            Self::Draft01 => "draft-ietf-ipsec-nat-t-ike-01",
            Self::Draft00 => "draft-ietf-ipsec-nat-t-ike-00",
        }
    }
}

/// The set of versions one side announced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions(u16);

impl Versions {
    /// The set without any version: no NAT traversal.
    pub const NONE: Self = Self(0);

    /// Adds one version to the set.
    pub fn insert(&mut self, version: Version) {
        self.0 |= 1u16.checked_shl(version as u32).unwrap_or(0);
    }

    /// Adds the version announced by a vendor ID payload's body, if it is one of ours.
    pub fn see(&mut self, vendor_id: &[u8]) -> Option<Version> {
        let version = Version::from_vendor_id(vendor_id)?;
        self.insert(version);
        Some(version)
    }

    /// Whether `version` is in the set.
    #[must_use]
    pub fn contains(self, version: Version) -> bool {
        self.0 & 1u16.checked_shl(version as u32).unwrap_or(0) != 0
    }

    /// The best version both sides announced and that moves to port 4500.
    #[must_use]
    pub fn best_common(self, other: Self) -> Option<Version> {
        Version::ALL
            .into_iter()
            .find(|&version| version.floats() && self.contains(version) && other.contains(version))
    }

    /// Whether an IKEv1 payload type is a NAT-D here.
    ///
    /// 20 always is. The drafts' 130, 15 and 17 are only if a draft was announced: 130 is
    /// private use, 15 and 17 mean other things elsewhere. 17 is in no document, but routers that
    /// announce draft-03 have been seen to send it.
    #[must_use]
    pub fn is_nat_d(self, payload_type: u8) -> bool {
        match payload_type {
            20 => true,
            130 => self.any(|version| version.numbers() == PRIVATE),
            15 | 17 => self.any(|version| version != Version::Rfc3947),
            _ => false,
        }
    }

    /// Whether an IKEv1 payload type is a NAT-OA here; see [`Self::is_nat_d`].
    #[must_use]
    pub fn is_nat_oa(self, payload_type: u8) -> bool {
        match payload_type {
            21 => true,
            131 => self.any(|version| version.numbers() == PRIVATE),
            16 => self.any(|version| version != Version::Rfc3947),
            _ => false,
        }
    }

    fn any(self, matches: impl Fn(Version) -> bool) -> bool {
        Version::ALL
            .into_iter()
            .any(|version| self.contains(version) && matches(version))
    }
}

impl FromIterator<Version> for Versions {
    fn from_iter<T: IntoIterator<Item = Version>>(versions: T) -> Self {
        let mut set = Self::NONE;
        versions.into_iter().for_each(|version| set.insert(version));
        set
    }
}

/// What an encapsulation-mode attribute value means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encapsulation {
    /// Whether the mode is tunnel mode rather than transport mode.
    pub tunnel: bool,
    /// Whether ESP goes inside UDP.
    pub udp: bool,
}

impl Encapsulation {
    /// Reads the IPsec DOI attribute "Encapsulation Mode": 1 and 2 (RFC 2407 §4.5), 3 and 4
    /// (RFC 3947 §5.1), 61443 and 61444 (drafts 00 to 03).
    #[must_use]
    pub const fn from_value(value: u16) -> Option<Self> {
        match value {
            1 => Some(Self {
                tunnel: true,
                udp: false,
            }),
            2 => Some(Self {
                tunnel: false,
                udp: false,
            }),
            3 | 61443 => Some(Self {
                tunnel: true,
                udp: true,
            }),
            4 | 61444 => Some(Self {
                tunnel: false,
                udp: true,
            }),
            _ => None,
        }
    }

    /// The value of the attribute for this mode under `version`.
    #[must_use]
    pub const fn value(self, version: Version) -> u16 {
        let numbers = version.numbers();
        match (self.tunnel, self.udp) {
            (true, false) => 1,
            (false, false) => 2,
            (true, true) => numbers.udp_tunnel,
            (false, true) => numbers.udp_transport,
        }
    }
}

#[cfg(test)]
mod tests;
