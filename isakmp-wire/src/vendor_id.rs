//! Vendor IDs of both versions (RFC 2408 §3.16, RFC 7296 §3.12): constants to send, names to log.

/// NAT traversal as standardised.
pub const RFC_3947: &[u8] = &[
    0x4a, 0x13, 0x1c, 0x81, 0x07, 0x03, 0x58, 0x45, 0x5c, 0x57, 0x28, 0xf2, 0x0e, 0x95, 0x45, 0x2f,
];
/// Draft 00 of NAT traversal.
pub const NAT_T_00: &[u8] = &[
    0x44, 0x85, 0x15, 0x2d, 0x18, 0xb6, 0xbb, 0xcd, 0x0b, 0xe8, 0xa8, 0x46, 0x95, 0x79, 0xdd, 0xcc,
];
/// Draft 01 of NAT traversal.
pub const NAT_T_01: &[u8] = &[
    0x16, 0xf6, 0xca, 0x16, 0xe4, 0xa4, 0x06, 0x6d, 0x83, 0x82, 0x1a, 0x0f, 0x0a, 0xea, 0xa8, 0x62,
];
/// Draft 02 of NAT traversal.
pub const NAT_T_02: &[u8] = &[
    0xcd, 0x60, 0x46, 0x43, 0x35, 0xdf, 0x21, 0xf8, 0x7c, 0xfd, 0xb2, 0xfc, 0x68, 0xb6, 0xa4, 0x48,
];
/// Draft 02 of NAT traversal, hashed with a line feed: the one that most peers send.
pub const NAT_T_02_N: &[u8] = &[
    0x90, 0xcb, 0x80, 0x91, 0x3e, 0xbb, 0x69, 0x6e, 0x08, 0x63, 0x81, 0xb5, 0xec, 0x42, 0x7b, 0x1f,
];
/// Draft 03 of NAT traversal.
pub const NAT_T_03: &[u8] = &[
    0x7d, 0x94, 0x19, 0xa6, 0x53, 0x10, 0xca, 0x6f, 0x2c, 0x17, 0x9d, 0x92, 0x15, 0x52, 0x9d, 0x56,
];
/// Draft 04 of NAT traversal.
pub const NAT_T_04: &[u8] = &[
    0x99, 0x09, 0xb6, 0x4e, 0xed, 0x93, 0x7c, 0x65, 0x73, 0xde, 0x52, 0xac, 0xe9, 0x52, 0xfa, 0x6b,
];
/// Draft 05 of NAT traversal.
pub const NAT_T_05: &[u8] = &[
    0x80, 0xd0, 0xbb, 0x3d, 0xef, 0x54, 0x56, 0x5e, 0xe8, 0x46, 0x45, 0xd4, 0xc8, 0x5c, 0xe3, 0xee,
];
/// Draft 06 of NAT traversal.
pub const NAT_T_06: &[u8] = &[
    0x4d, 0x1e, 0x0e, 0x13, 0x6d, 0xea, 0xfa, 0x34, 0xc4, 0xf3, 0xea, 0x9f, 0x02, 0xec, 0x72, 0x85,
];
/// Draft 07 of NAT traversal.
pub const NAT_T_07: &[u8] = &[
    0x43, 0x9b, 0x59, 0xf8, 0xba, 0x67, 0x6c, 0x4c, 0x77, 0x37, 0xae, 0x22, 0xea, 0xb8, 0xf5, 0x82,
];
/// Draft 08 of NAT traversal.
pub const NAT_T_08: &[u8] = &[
    0x8f, 0x8d, 0x83, 0x82, 0x6d, 0x24, 0x6b, 0x6f, 0xc7, 0xa8, 0xa6, 0xa4, 0x28, 0xc1, 0x1d, 0xe8,
];
/// Some draft of NAT traversal (macOS).
pub const NAT_T_DRAFT: &[u8] = &[
    0x4d, 0xf3, 0x79, 0x28, 0xe9, 0xfc, 0x4f, 0xd1, 0xb3, 0x26, 0x21, 0x70, 0xd5, 0x15, 0xc6, 0x62,
];
/// Extended authentication (draft-beaulieu-ike-xauth-02 §4).
pub const XAUTH: &[u8] = &[0x09, 0x00, 0x26, 0x89, 0xdf, 0xd6, 0xb7, 0x12];
/// Announces strongSwan, any version since 4.3.6.
pub const STRONGSWAN: &[u8] = &[
    0x88, 0x2f, 0xe5, 0x6d, 0x6f, 0xd2, 0x0d, 0xbc, 0x22, 0x51, 0x61, 0x3b, 0x2e, 0xbe, 0x5b, 0xeb,
];
/// Dead peer detection, version 1.0 (RFC 3706 §5.2).
pub const DPD: &[u8] = &[
    0xaf, 0xca, 0xd7, 0x13, 0x68, 0xa1, 0xf1, 0xc9, 0x6b, 0x86, 0x96, 0xfc, 0x77, 0x57, 1, 0,
];
/// Announces Cisco Unity, version 1.0.
pub const UNITY: &[u8] = &[
    0x12, 0xf5, 0xf2, 0x8c, 0x45, 0x71, 0x68, 0xa9, 0x70, 0x2d, 0x9f, 0xe2, 0x74, 0xcc, 1, 0,
];
/// Fragmentation of IKEv1 messages (MS-IKEE §1.7).
pub const FRAGMENTATION: &[u8] = &[
    0x40, 0x48, 0xb7, 0xd5, 0x6e, 0xbc, 0xe8, 0x85, 0x25, 0xe7, 0xde, 0x7f, 0x00, 0xd6, 0xc2, 0xd3,
];
/// The vendor ID [`FRAGMENTATION`] as Cisco and strongSwan send it in main mode: with a bit mask behind the MD5.
pub const FRAGMENTATION_MAIN_MODE: &[u8] = &[
    0x40, 0x48, 0xb7, 0xd5, 0x6e, 0xbc, 0xe8, 0x85, 0x25, 0xe7, 0xde, 0x7f, 0x00, 0xd6, 0xc2, 0xd3,
    0x80, 0x00, 0x00, 0x00,
];

/// A vendor ID that this crate can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VendorId {
    /// The octets, or the first of them when [`Self::suffix`] is set.
    pub octets: &'static [u8],
    /// The name that logs show.
    pub name: &'static str,
    /// Whether further octets may follow: a version, flags, options.
    pub suffix: bool,
    /// The text whose MD5 the octets are.
    pub hashed: Option<&'static str>,
}

impl VendorId {
    /// Every vendor ID of the table.
    pub const ALL: &'static [Self] = TABLE;

    /// The entry that matches most octets of a payload.
    #[must_use]
    pub fn find(body: &[u8]) -> Option<&'static Self> {
        TABLE
            .iter()
            .filter(|entry| entry.matches(body))
            .max_by_key(|entry| entry.octets.len())
    }

    fn matches(&self, body: &[u8]) -> bool {
        if self.suffix {
            body.starts_with(self.octets)
        } else {
            body == self.octets
        }
    }
}

/// The name of a vendor ID, when it is known; a version behind it is not looked at.
#[must_use]
pub fn name(body: &[u8]) -> Option<&'static str> {
    VendorId::find(body).map(|entry| entry.name)
}

/// Version of a dead peer detection vendor ID: major, minor (RFC 3706 §5.2: the first 14 octets
/// identify it).
#[must_use]
pub fn dpd_version(body: &[u8]) -> Option<(u8, u8)> {
    match DPD
        .split_last_chunk::<2>()
        .and_then(|(prefix, _)| body.strip_prefix(prefix))
    {
        Some(&[major, minor]) => Some((major, minor)),
        _ => None,
    }
}

/// NAT traversal of any draft, the nameless one included; not RFC 3947.
#[must_use]
pub fn is_nat_t_draft(body: &[u8]) -> bool {
    NAT_T_DRAFTS.contains(&body)
}

const NAT_T_DRAFTS: [&[u8]; 11] = [
    NAT_T_00,
    NAT_T_01,
    NAT_T_02,
    NAT_T_02_N,
    NAT_T_03,
    NAT_T_04,
    NAT_T_05,
    NAT_T_06,
    NAT_T_07,
    NAT_T_08,
    NAT_T_DRAFT,
];

const TABLE: &[VendorId] = &[
    VendorId {
        octets: RFC_3947,
        name: "RFC 3947 NAT-T",
        suffix: false,
        hashed: Some("RFC 3947"),
    },
    VendorId {
        octets: NAT_T_00,
        name: "draft-ietf-ipsec-nat-t-ike-00",
        suffix: false,
        hashed: Some("draft-ietf-ipsec-nat-t-ike-00"),
    },
    VendorId {
        octets: NAT_T_01,
        name: "draft-ietf-ipsec-nat-t-ike-01",
        suffix: false,
        hashed: Some("draft-ietf-ipsec-nat-t-ike-01"),
    },
    VendorId {
        octets: NAT_T_02,
        name: "draft-ietf-ipsec-nat-t-ike-02",
        suffix: false,
        hashed: Some("draft-ietf-ipsec-nat-t-ike-02"),
    },
    VendorId {
        octets: NAT_T_02_N,
        name: "draft-ietf-ipsec-nat-t-ike-02\n",
        suffix: false,
        hashed: Some("draft-ietf-ipsec-nat-t-ike-02\n"),
    },
    VendorId {
        octets: NAT_T_03,
        name: "draft-ietf-ipsec-nat-t-ike-03",
        suffix: false,
        hashed: Some("draft-ietf-ipsec-nat-t-ike-03"),
    },
    VendorId {
        octets: NAT_T_04,
        name: "draft-ietf-ipsec-nat-t-ike-04",
        suffix: false,
        hashed: Some("draft-ietf-ipsec-nat-t-ike-04"),
    },
    VendorId {
        octets: NAT_T_05,
        name: "draft-ietf-ipsec-nat-t-ike-05",
        suffix: false,
        hashed: Some("draft-ietf-ipsec-nat-t-ike-05"),
    },
    VendorId {
        octets: NAT_T_06,
        name: "draft-ietf-ipsec-nat-t-ike-06",
        suffix: false,
        hashed: Some("draft-ietf-ipsec-nat-t-ike-06"),
    },
    VendorId {
        octets: NAT_T_07,
        name: "draft-ietf-ipsec-nat-t-ike-07",
        suffix: false,
        hashed: Some("draft-ietf-ipsec-nat-t-ike-07"),
    },
    VendorId {
        octets: NAT_T_08,
        name: "draft-ietf-ipsec-nat-t-ike-08",
        suffix: false,
        hashed: Some("draft-ietf-ipsec-nat-t-ike-08"),
    },
    VendorId {
        octets: NAT_T_DRAFT,
        name: "draft-ietf-ipsec-nat-t-ike",
        suffix: false,
        hashed: Some("draft-ietf-ipsec-nat-t-ike"),
    },
    VendorId {
        octets: &[
            0xaf, 0xca, 0xd7, 0x13, 0x68, 0xa1, 0xf1, 0xc9, 0x6b, 0x86, 0x96, 0xfc, 0x77, 0x57,
        ],
        name: "DPD",
        suffix: true,
        hashed: None,
    },
    VendorId {
        octets: &[
            0x12, 0xf5, 0xf2, 0x8c, 0x45, 0x71, 0x68, 0xa9, 0x70, 0x2d, 0x9f, 0xe2, 0x74, 0xcc,
        ],
        name: "Cisco Unity",
        suffix: true,
        hashed: None,
    },
    VendorId {
        octets: XAUTH,
        name: "XAUTH",
        suffix: false,
        hashed: None,
    },
    VendorId {
        octets: &[
            0x40, 0x48, 0xb7, 0xd5, 0x6e, 0xbc, 0xe8, 0x85, 0x25, 0xe7, 0xde, 0x7f, 0x00, 0xd6,
            0xc2, 0xd3,
        ],
        name: "FRAGMENTATION",
        suffix: true,
        hashed: Some("FRAGMENTATION"),
    },
    VendorId {
        octets: &[
            0x1e, 0x2b, 0x51, 0x69, 0x05, 0x99, 0x1c, 0x7d, 0x7c, 0x96, 0xfc, 0xbf, 0xb5, 0x87,
            0xe4, 0x61,
        ],
        name: "MS NT5 ISAKMPOAKLEY",
        suffix: true,
        hashed: Some("MS NT5 ISAKMPOAKLEY"),
    },
    VendorId {
        octets: &[
            0x26, 0x24, 0x4d, 0x38, 0xed, 0xdb, 0x61, 0xb3, 0x17, 0x2a, 0x36, 0xe3, 0xd0, 0xcf,
            0xb8, 0x19,
        ],
        name: "Vid-Initial-Contact",
        suffix: false,
        hashed: Some("Vid-Initial-Contact"),
    },
    VendorId {
        octets: &[
            0x72, 0x87, 0x2b, 0x95, 0xfc, 0xda, 0x2e, 0xb7, 0x08, 0xef, 0xe3, 0x22, 0x11, 0x9b,
            0x49, 0x71,
        ],
        name: "NLBS_PRESENT",
        suffix: false,
        hashed: Some("NLBS_PRESENT"),
    },
    VendorId {
        octets: &[
            0xfb, 0x1d, 0xe3, 0xcd, 0xf3, 0x41, 0xb7, 0xea, 0x16, 0xb7, 0xe5, 0xbe, 0x08, 0x55,
            0xf1, 0x20,
        ],
        name: "MS-Negotiation Discovery Capable",
        suffix: false,
        hashed: Some("MS-Negotiation Discovery Capable"),
    },
    VendorId {
        octets: &[
            0x21, 0x4c, 0xa4, 0xfa, 0xff, 0xa7, 0xf3, 0x2d, 0x67, 0x48, 0xe5, 0x30, 0x33, 0x95,
            0xae, 0x83,
        ],
        name: "MS-MamieExists",
        suffix: false,
        hashed: Some("MS-MamieExists"),
    },
    VendorId {
        octets: &[
            0xe3, 0xa5, 0x96, 0x6a, 0x76, 0x37, 0x9f, 0xe7, 0x07, 0x22, 0x82, 0x31, 0xe5, 0xce,
            0x86, 0x52,
        ],
        name: "IKE CGA version 1",
        suffix: false,
        hashed: Some("IKE CGA version 1"),
    },
    VendorId {
        octets: &[
            0x8a, 0xa3, 0x94, 0xcf, 0x8a, 0x55, 0x77, 0xdc, 0x31, 0x10, 0xc1, 0x13, 0xb0, 0x27,
            0xa4, 0xf2,
        ],
        name: "Microsoft Xbox One 2013",
        suffix: false,
        hashed: Some("Microsoft Xbox One 2013"),
    },
    VendorId {
        octets: &[
            0xaa, 0x28, 0x1f, 0xcc, 0xd6, 0x8c, 0xf8, 0xa8, 0xdc, 0xb8, 0x5c, 0xc0, 0xa7, 0x10,
            0x40, 0x2a,
        ],
        name: "Xbox IKEv2 Negotiation",
        suffix: false,
        hashed: Some("Xbox IKEv2 Negotiation"),
    },
    VendorId {
        octets: &[
            0x68, 0x6a, 0x8c, 0xbd, 0xfe, 0x63, 0x4b, 0x40, 0x51, 0x46, 0xfb, 0x2b, 0xaf, 0x33,
            0xe9, 0xe8,
        ],
        name: "MSFT IPsec Security Realm Id",
        suffix: true,
        hashed: Some("MSFT IPsec Security Realm Id"),
    },
    VendorId {
        octets: &[
            0x62, 0x1b, 0x04, 0xbb, 0x09, 0x88, 0x2a, 0xc1, 0xe1, 0x59, 0x35, 0xfe, 0xfa, 0x24,
            0xae, 0xee,
        ],
        name: "GSSAPI",
        suffix: false,
        hashed: Some("GSSAPI"),
    },
    VendorId {
        octets: &[
            0xad, 0x2c, 0x0d, 0xd0, 0xb9, 0xc3, 0x20, 0x83, 0xcc, 0xba, 0x25, 0xb8, 0x86, 0x1e,
            0xc4, 0x55,
        ],
        name: "A GSS-API Authentication Method for IKE",
        suffix: false,
        hashed: Some("A GSS-API Authentication Method for IKE"),
    },
    VendorId {
        octets: &[
            0xb4, 0x6d, 0x89, 0x14, 0xf3, 0xaa, 0xa3, 0xf2, 0xfe, 0xde, 0xb7, 0xc7, 0xdb, 0x29,
            0x43, 0xca,
        ],
        name: "A GSS-API Authentication Method for IKE\n",
        suffix: false,
        hashed: Some("A GSS-API Authentication Method for IKE\n"),
    },
    VendorId {
        octets: STRONGSWAN,
        name: "strongSwan",
        suffix: false,
        hashed: Some("strongSwan"),
    },
    VendorId {
        octets: &[
            0x70, 0x03, 0xcb, 0xc1, 0x09, 0x7d, 0xbe, 0x9c, 0x26, 0x00, 0xba, 0x69, 0x83, 0xbc,
            0x8b, 0x35,
        ],
        name: "KAME/racoon",
        suffix: false,
        hashed: Some("KAME/racoon"),
    },
    VendorId {
        octets: &[
            0xf4, 0xed, 0x19, 0xe0, 0xc1, 0x14, 0xeb, 0x51, 0x6f, 0xaa, 0xac, 0x0e, 0xe3, 0x7d,
            0xaf, 0x28, 0x07, 0xb4, 0x38, 0x1f,
        ],
        name: "Check Point",
        suffix: true,
        hashed: None,
    },
    VendorId {
        octets: &[
            0x1d, 0x6e, 0x17, 0x8f, 0x6c, 0x2c, 0x0b, 0xe2, 0x84, 0x98, 0x54, 0x65, 0x45, 0x0f,
            0xe9, 0xd4,
        ],
        name: "Fortigate",
        suffix: false,
        hashed: None,
    },
    VendorId {
        octets: &[
            0x1f, 0x07, 0xf7, 0x0e, 0xaa, 0x65, 0x14, 0xd3, 0xb0, 0xfa, 0x96, 0x54, 0x2a,
        ],
        name: "Cisco VPN Concentrator",
        suffix: true,
        hashed: None,
    },
    VendorId {
        octets: &[
            0xf6, 0xf7, 0xef, 0xc7, 0xf5, 0xae, 0xb8, 0xcb, 0x15, 0x8c, 0xb9, 0xd0, 0x94, 0xba,
            0x69, 0xe7,
        ],
        name: "Cisco VPN 3000 client",
        suffix: false,
        hashed: None,
    },
    VendorId {
        octets: b"CISCO-DELETE-REASON",
        name: "CISCO-DELETE-REASON",
        suffix: false,
        hashed: None,
    },
    VendorId {
        octets: b"FLEXVPN-SUPPORTED",
        name: "FLEXVPN-SUPPORTED",
        suffix: false,
        hashed: None,
    },
    VendorId {
        octets: b"CISCO-DYNAMIC-ROUTE",
        name: "CISCO-DYNAMIC-ROUTE",
        suffix: false,
        hashed: None,
    },
    VendorId {
        octets: b"CISCO-GRE-MODE",
        name: "CISCO-GRE-MODE",
        suffix: false,
        hashed: None,
    },
    VendorId {
        octets: b"CISCO(COPYRIGHT)",
        name: "CISCO(COPYRIGHT)",
        suffix: true,
        hashed: None,
    },
    VendorId {
        octets: &[
            0x6a, 0x74, 0x34, 0xc1, 0x9d, 0x7e, 0x36, 0x34, 0x80, 0x90, 0xa0, 0x23, 0x34, 0xc9,
            0xc8, 0x05,
        ],
        name: "draft-huttunen-ipsec-esp-in-udp-00.txt",
        suffix: false,
        hashed: Some("draft-huttunen-ipsec-esp-in-udp-00.txt"),
    },
    VendorId {
        octets: &[
            0x27, 0xba, 0xb5, 0xdc, 0x01, 0xea, 0x07, 0x60, 0xea, 0x4e, 0x31, 0x90, 0xac, 0x27,
            0xc0, 0xd0,
        ],
        name: "draft-stenberg-ipsec-nat-traversal-01",
        suffix: false,
        hashed: Some("draft-stenberg-ipsec-nat-traversal-01"),
    },
    VendorId {
        octets: &[
            0x61, 0x05, 0xc4, 0x22, 0xe7, 0x68, 0x47, 0xe4, 0x3f, 0x96, 0x84, 0x80, 0x12, 0x92,
            0xae, 0xcd,
        ],
        name: "draft-stenberg-ipsec-nat-traversal-02",
        suffix: false,
        hashed: Some("draft-stenberg-ipsec-nat-traversal-02"),
    },
    VendorId {
        octets: &[
            0xba, 0x29, 0x04, 0x99, 0xc2, 0x4e, 0x84, 0xe5, 0x3a, 0x1d, 0x83, 0xa0, 0x5e, 0x5f,
            0x00, 0xc9,
        ],
        name: "IKE Challenge/Response for Authenticated Cryptographic Keys",
        suffix: false,
        hashed: Some("IKE Challenge/Response for Authenticated Cryptographic Keys"),
    },
    VendorId {
        octets: &[
            0xad, 0x32, 0x51, 0x04, 0x2c, 0xdc, 0x46, 0x52, 0xc9, 0xe0, 0x73, 0x4c, 0xe5, 0xde,
            0x4c, 0x7d,
        ],
        name: "IKE Challenge/Response for Authenticated Cryptographic Keys (Revised)",
        suffix: false,
        hashed: Some("IKE Challenge/Response for Authenticated Cryptographic Keys (Revised)"),
    },
    VendorId {
        octets: b"HeartBeat Notify",
        name: "HeartBeat Notify",
        suffix: false,
        hashed: None,
    },
    VendorId {
        octets: b"HeartBeat_Notify",
        name: "HeartBeat_Notify",
        suffix: true,
        hashed: None,
    },
    VendorId {
        octets: b"OpenPGP10171",
        name: "OpenPGP10171",
        suffix: false,
        hashed: None,
    },
    VendorId {
        octets: b"OE-Libreswan-",
        name: "Libreswan",
        suffix: true,
        hashed: None,
    },
    VendorId {
        octets: b"BNES",
        name: "Nortel Contivity",
        suffix: true,
        hashed: None,
    },
    VendorId {
        octets: b"TIMESTEP",
        name: "TimeStep",
        suffix: false,
        hashed: None,
    },
    VendorId {
        octets: &[
            0x47, 0xbb, 0xe7, 0xc9, 0x93, 0xf1, 0xfc, 0x13, 0xb4, 0xe6, 0xd0, 0xdb, 0x56, 0x5c,
            0x68, 0xe5,
        ],
        name: "SafeNet SoftRemote",
        suffix: true,
        hashed: None,
    },
    VendorId {
        octets: &[0x5b, 0x36, 0x2b, 0xc8, 0x20, 0xf6],
        name: "SonicWall",
        suffix: true,
        hashed: None,
    },
    VendorId {
        octets: &[0x40, 0x4b, 0xf4, 0x39, 0x52, 0x2c, 0xa3, 0xf6],
        name: "SonicWall",
        suffix: false,
        hashed: None,
    },
    VendorId {
        octets: &[0xda, 0x8e, 0x93, 0x78, 0x80, 0x01, 0x00, 0x00],
        name: "SonicWall",
        suffix: false,
        hashed: None,
    },
    VendorId {
        octets: &[
            0x50, 0x76, 0x0f, 0x62, 0x4c, 0x63, 0xe5, 0xc5, 0x3e, 0xea, 0x38, 0x6c, 0x68, 0x5c,
            0xa0, 0x83,
        ],
        name: "ESPThruNAT",
        suffix: false,
        hashed: None,
    },
    VendorId {
        octets: b"Mac OSX 10.",
        name: "macOS",
        suffix: true,
        hashed: None,
    },
];

#[cfg(test)]
mod tests;
