//! The registries against IANA's tables (`tests/data/iana.tsv`: file, table, value, name; of 2026-07-16
//! for IKEv2, closed for IKEv1).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod common;

use isakmp_wire::{ExchangeType, ProtocolId, v1, v2};

type Lookup = fn(u32) -> Option<(&'static str, &'static str)>;

/// How a table's number is named here; `None` for the tables of group keying and ROHC.
fn lookup(file: &str, table: &str) -> Option<Lookup> {
    macro_rules! of {
        ($type:ty) => {{
            let lookup: Lookup = |value| {
                let number = <$type>::ALL
                    .iter()
                    .find(|number| u32::from(number.0) == value)?;
                Some((number.name()?, number.reference()?))
            };
            Some(lookup)
        }};
    }
    match (file, table) {
        ("ikev2-parameters", "IKEv2 Exchange Types") => of!(ExchangeType),
        ("ikev2-parameters", "IKEv2 Payload Types") => of!(v2::PayloadType),
        ("ikev2-parameters", "Transform Type Values") => of!(v2::TransformType),
        ("ikev2-parameters", "IKEv2 Transform Attribute Types") => of!(v2::TransformAttribute),
        ("ikev2-parameters", table) if table.starts_with("Transform Type 13 ") => None,
        ("ikev2-parameters", table) if table.starts_with("Transform Type 14 ") => None,
        ("ikev2-parameters", table) if table.starts_with("Transform Type 1 ") => {
            of!(v2::EncryptionId)
        }
        ("ikev2-parameters", table) if table.starts_with("Transform Type 2 ") => of!(v2::PrfId),
        ("ikev2-parameters", table) if table.starts_with("Transform Type 3 ") => {
            of!(v2::IntegrityId)
        }
        ("ikev2-parameters", table) if table.starts_with("Transform Type 4 ") => {
            of!(v2::KeyExchangeMethod)
        }
        ("ikev2-parameters", table) if table.starts_with("Transform Type 5 ") => {
            of!(v2::SequenceNumbers)
        }
        ("ikev2-parameters", "IKEv2 Identification Payload ID Types") => of!(v2::IdType),
        ("ikev2-parameters", "IKEv2 Certificate Encodings") => of!(v2::CertEncoding),
        ("ikev2-parameters", "IKEv2 Authentication Method") => of!(v2::AuthMethod),
        ("ikev2-parameters", table) if table.starts_with("IKEv2 Notify Message") => {
            of!(v2::NotifyType)
        }
        ("ikev2-parameters", table) if table.starts_with("IKEv2 Notification IPCOMP") => {
            of!(v2::IpcompTransform)
        }
        ("ikev2-parameters", "IKEv2 Traffic Selector Types") => of!(v2::TsType),
        ("ikev2-parameters", "IKEv2 Configuration Payload CFG Types") => of!(v2::ConfigType),
        ("ikev2-parameters", "IKEv2 Configuration Payload Attribute Types") => {
            of!(v2::ConfigAttribute)
        }
        ("ikev2-parameters", "IKEv2 Gateway Identity Types") => of!(v2::GatewayIdType),
        ("ikev2-parameters", "IKEv2 Secure Password Methods") => of!(v2::SecurePasswordMethod),
        ("ikev2-parameters", "IKEv2 Hash Algorithms") => of!(v2::HashAlgorithm),
        ("ikev2-parameters", "IKEv2 Post-quantum Preshared Key ID Types") => of!(v2::PpkIdType),
        ("ipsec-registry", "Attribute Classes") => of!(v1::Phase1Class),
        ("ipsec-registry", "Encryption Algorithm Class Values (Value 1)") => {
            of!(v1::EncryptionAlgorithm)
        }
        ("ipsec-registry", "Hash Algorithm (Value 2)") => of!(v1::HashAlgorithm),
        ("ipsec-registry", "IPSEC Authentication Methods (Value 3)") => {
            of!(v1::AuthenticationMethod)
        }
        ("ipsec-registry", "Group Description (Value 4)") => of!(v1::GroupDescription),
        ("ipsec-registry", "Group Type (Value 5)") => of!(v1::GroupType),
        ("ipsec-registry", "Life Type (Value 11)") => of!(v1::LifeType),
        ("ipsec-registry", "Exchange Type" | "Additional Exchanges Defined-- XCHG values") => {
            of!(ExchangeType)
        }
        ("ipsec-registry", "ISAKMP Domain of Interpretation (DOI)") => of!(v1::Doi),
        ("ipsec-registry", "Next Payload Types") => of!(v1::PayloadType),
        (_, table) if table.starts_with("Notify Messages") => of!(v1::NotifyType),
        ("isakmp-registry", "IPSEC Security Protocol Identifiers") => of!(ProtocolId),
        ("isakmp-registry", "IPSEC ISAKMP Transform Identifiers") => of!(v1::IsakmpTransform),
        ("isakmp-registry", "IPSEC AH Transform Identifiers") => of!(v1::AhTransform),
        ("isakmp-registry", "IPSEC ESP Transform Identifiers") => of!(v1::EspTransform),
        ("isakmp-registry", "IPSEC IPCOMP Transform Identifiers") => of!(v1::IpcompTransform),
        ("isakmp-registry", "IPSEC Security Association Attributes") => of!(v1::Phase2Class),
        ("isakmp-registry", "SA Life Type Values (Value 1)") => of!(v1::LifeType),
        ("isakmp-registry", "Encapsulation Mode (Value 4)") => of!(v1::EncapsulationMode),
        ("isakmp-registry", "Authentication Algorithm (Value 5)") => {
            of!(v1::AuthenticationAlgorithm)
        }
        ("isakmp-registry", "ECN Tunnel (Value 10)") => of!(v1::EcnTunnel),
        ("isakmp-registry", "IPSEC Identification Type") => of!(v1::IdType),
        _ => None,
    }
}

/// Numbers of IANA that are left unnamed, each for its reason.
const UNNAMED: [(&str, &str); 8] = [
    // A radio's own protocol, and Fibre Channel's and group keying's of IKEv2, whose number 4 is
    // IPCOMP in IKEv1.
    (
        "IPSEC Security Protocol Identifiers",
        "PROTO_GIGABEAM_RADIO",
    ),
    // Curves that never left their draft: "new implementations should not use them".
    (
        "Group Description (Value 4)",
        "EC2N group over GF[2^163](see Note)",
    ),
    (
        "Group Description (Value 4)",
        "EC2N group over GF[2^283](see Note)",
    ),
    (
        "Group Description (Value 4)",
        "EC2N group over GF[2^409](see Note)",
    ),
    (
        "Group Description (Value 4)",
        "EC2N group over GF[2^571](see Note)",
    ),
    ("IPSEC AH Transform Identifiers", "RESERVED"),
    ("Group Description (Value 4)", "Reserved"),
    ("Group Type (Value 5)", "Reserved"),
];

#[test]
fn every_number_that_iana_registers_is_named() {
    let table = std::fs::read_to_string(common::data("iana.tsv")).unwrap();
    let mut named = 0;
    let mut missing = Vec::new();
    for line in table.lines() {
        let [file, table, value, name] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let Some(lookup) = lookup(file, table) else {
            continue;
        };
        match lookup(value.parse().unwrap()) {
            Some((ours, reference)) => {
                assert!(!ours.is_empty() && !reference.is_empty());
                named += 1;
            }
            None if UNNAMED.contains(&(table, name)) => {}
            None => missing.push(line),
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(named > 450, "{named}");
}

/// Letters and digits alone, in capitals.
fn bare(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_uppercase()
}

#[test]
fn names_that_go_on_the_screen_are_ianas() {
    let table = std::fs::read_to_string(common::data("iana.tsv")).unwrap();
    let mut compared = 0;
    for line in table.lines() {
        let [file, table, value, name] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        // Tables whose names are long descriptions there and short notations here.
        let verbatim = table.contains("Notify Message")
            || table.contains("Transform Identifiers")
            || table.contains("Identification Type")
            || table.contains("ID Types")
            || table.contains("Authentication Algorithm")
            || table.contains("Encryption Algorithm")
            || table.contains("Pseudorandom")
            || table.contains("Integrity")
            || table.contains("Configuration Payload")
            || table.contains("Attribute");
        if let (true, Some(lookup)) = (verbatim, lookup(file, table)) {
            let Some((ours, _)) = lookup(value.parse().unwrap()) else {
                continue;
            };
            let (ours, theirs) = (bare(ours), bare(name));
            assert!(theirs.starts_with(&ours), "{line}: {ours}");
            compared += 1;
        }
    }
    assert!(compared > 300, "{compared}");
}
