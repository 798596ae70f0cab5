//! What the renderers call things.

use alloc::string::String;
use core::fmt::{self, Write};

use crypto_suite::{CipherId, HashId, IntegrityId, ProtectionId};
use isakmp_wire::registry::v1::{
    AhTransform, AuthenticationAlgorithm, EncapsulationMode, EspTransform, NotifyType, PayloadType,
    Phase1Class, Phase2Class,
};

use crate::config::Lifetime;
use crate::event::Notice;
use crate::model::{Authentication, ChildSuite, CloseReason, IkeVersion, PayloadName, Selector};
use crate::policy::words::{Shown, basic, phase1_value};
use crate::policy::{Attribute, AttributeValue};

pub(crate) fn payload(p: PayloadName) -> &'static str {
    let p = match p {
        PayloadName::V1(p) => p,
        PayloadName::V2(p) => return p.name().unwrap_or("UNKNOWN"),
    };
    match p {
        PayloadType::NOTIFICATION => "NOTIFY",
        PayloadType::DELETE => "DELETE",
        PayloadType::NAT_D | PayloadType::NAT_D_DRAFT => "NAT-D",
        PayloadType::NAT_OA | PayloadType::NAT_OA_DRAFT => "NAT-OA",
        other => other.name().unwrap_or("UNKNOWN"),
    }
}

pub(super) fn cipher(id: CipherId) -> &'static str {
    match id {
        CipherId::DesCbc => "DES",
        CipherId::TripleDesCbc => "3DES",
        CipherId::Aes128Cbc => "AES-128",
        CipherId::Aes192Cbc => "AES-192",
        CipherId::Aes256Cbc => "AES-256",
        _ => id.name(),
    }
}

pub(super) fn hash(id: HashId) -> &'static str {
    match id {
        HashId::Sha1 => "SHA",
        _ => id.name(),
    }
}

pub(super) fn authentication(id: Authentication) -> &'static str {
    match id {
        Authentication::PreSharedKey => "PreShared",
        Authentication::RsaSignature => "RSA-Sig",
        Authentication::EcdsaP256 => "ECDSA-256",
        Authentication::EcdsaP384 => "ECDSA-384",
        Authentication::EcdsaP521 => "ECDSA-521",
    }
}

/// `esp-3des esp-sha-hmac`: a protection as a transform set names it.
pub(crate) fn set(suite: ChildSuite) -> String {
    let mut out = String::new();
    let (front, mac) = match suite {
        ChildSuite::Esp(ProtectionId::CbcHmac(cipher, mac)) => {
            out.push_str(match cipher {
                CipherId::DesCbc => "esp-des",
                CipherId::TripleDesCbc => "esp-3des",
                CipherId::Aes128Cbc => "esp-aes",
                CipherId::Aes192Cbc => "esp-192-aes",
                CipherId::Aes256Cbc => "esp-256-aes",
                other => other.name(),
            });
            ("esp", Some(mac))
        }
        ChildSuite::Esp(ProtectionId::NullHmac(mac)) => {
            out.push_str("esp-null");
            ("esp", Some(mac))
        }
        ChildSuite::Esp(ProtectionId::Aead(aead)) => {
            out.push_str("esp-");
            out.extend(aead.name().chars().map(|c| match c {
                '_' => '-',
                c => c.to_ascii_lowercase(),
            }));
            ("esp", None)
        }
        ChildSuite::Esp(_) => ("esp", None),
        ChildSuite::Ah(mac) => ("ah", Some(mac)),
    };
    if let Some(mac) = mac {
        if !out.is_empty() {
            out.push(' ');
        }
        let name = match mac {
            IntegrityId::HmacMd5_96 => "md5-hmac",
            IntegrityId::HmacSha1_96 => "sha-hmac",
            IntegrityId::HmacSha256_128 => "sha256-hmac",
            IntegrityId::HmacSha384_192 => "sha384-hmac",
            IntegrityId::HmacSha512_256 => "sha512-hmac",
            other => other.name(),
        };
        // Writing to a String cannot fail.
        let _ = write!(out, "{front}-{name}");
    }
    out
}

pub(super) fn transform(protocol: u8, id: u8) -> &'static str {
    let name = match protocol {
        2 => AhTransform(id).name(),
        3 => EspTransform(id).name(),
        _ => None,
    };
    name.unwrap_or("UNKNOWN")
}

pub(crate) fn notify(version: IkeVersion, value: u16) -> &'static str {
    let name = match version {
        IkeVersion::V1 => NotifyType(value).name(),
        IkeVersion::V2 => isakmp_wire::registry::v2::NotifyType(value).name(),
    };
    name.unwrap_or("UNKNOWN")
}

/// One attribute of phase 1, as IOS prints it.
pub(super) fn phase1_attribute(f: &mut fmt::Formatter<'_>, a: &Attribute) -> fmt::Result {
    let value = Shown(a);
    match Phase1Class(a.class) {
        Phase1Class::ENCRYPTION_ALGORITHM => write!(f, "encryption {}", phase1_value(a)),
        Phase1Class::HASH_ALGORITHM => write!(f, "hash {}", phase1_value(a)),
        Phase1Class::AUTHENTICATION_METHOD => write!(f, "auth {}", phase1_value(a)),
        Phase1Class::GROUP_DESCRIPTION => write!(f, "default group {value}"),
        Phase1Class::LIFE_TYPE => write!(f, "life type in {}", unit(a)),
        Phase1Class::LIFE_DURATION => write!(f, "life duration {}", Duration(a)),
        Phase1Class::KEY_LENGTH => write!(f, "keylength of {value}"),
        other => write!(f, "attribute {} {value}", other.0),
    }
}

/// One attribute of phase 2, as IOS prints it.
pub(super) fn phase2_attribute(f: &mut fmt::Formatter<'_>, a: &Attribute) -> fmt::Result {
    let value = Shown(a);
    match Phase2Class(a.class) {
        Phase2Class::SA_LIFE_TYPE => write!(f, "SA life type in {}", unit(a)),
        Phase2Class::SA_LIFE_DURATION => write!(f, "SA life duration {}", Duration(a)),
        Phase2Class::GROUP_DESCRIPTION => write!(f, "group is {value}"),
        Phase2Class::ENCAPSULATION_MODE => {
            write!(f, "encaps is {value} ({})", mode(basic(a).unwrap_or(0)))
        }
        Phase2Class::AUTHENTICATION_ALGORITHM => {
            let name = basic(a).and_then(|v| AuthenticationAlgorithm(v).name());
            write!(f, "authenticator is {}", name.unwrap_or("UNKNOWN"))
        }
        Phase2Class::KEY_LENGTH => write!(f, "key length is {value}"),
        other => write!(f, "attribute {} is {value}", other.0),
    }
}

fn mode(value: u16) -> &'static str {
    match EncapsulationMode(value) {
        EncapsulationMode::UDP_TUNNEL | EncapsulationMode::UDP_TUNNEL_DRAFT => "Tunnel-UDP",
        EncapsulationMode::UDP_TRANSPORT | EncapsulationMode::UDP_TRANSPORT_DRAFT => {
            "Transport-UDP"
        }
        other => other.name().unwrap_or("UNKNOWN"),
    }
}

fn unit(a: &Attribute) -> &'static str {
    match a.number() {
        Some(1) => "seconds",
        Some(2) => "kilobytes",
        _ => "unknown units",
    }
}

/// `(VPI) of  0x0 0x1 0x51 0x80` or `(basic) of 3600`.
struct Duration<'a>(&'a Attribute);

impl fmt::Display for Duration<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.value {
            AttributeValue::Basic(v) => write!(f, "(basic) of {v}"),
            AttributeValue::Variable(bytes) => {
                f.write_str("(VPI) of ")?;
                bytes.iter().try_for_each(|b| write!(f, " 0x{b:X}"))
            }
        }
    }
}

/// `192.168.100.0/255.255.255.0/0/0`: address, mask, protocol, port.
pub(crate) fn ident(f: &mut dyn Write, s: &Selector) -> fmt::Result {
    match (s.prefix_len(), s.start()) {
        (Some(len), core::net::IpAddr::V4(a)) => {
            let bits = u32::MAX
                .checked_shl(32u32.saturating_sub(u32::from(len)))
                .unwrap_or(0);
            write!(f, "{a}/{}", core::net::Ipv4Addr::from_bits(bits))?;
        }
        (Some(len), core::net::IpAddr::V6(a)) => write!(f, "{a}/{len}")?,
        (None, _) => write!(f, "{}-{}", s.start(), s.end())?,
    }
    write!(
        f,
        "/{}/{}",
        s.protocol,
        if s.ports.0 == s.ports.1 { s.ports.0 } else { 0 }
    )
}

pub(crate) fn close(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Requested => "by command",
        CloseReason::DeletedByPeer => "delete from the peer",
        CloseReason::Expired => "lifetime is over",
        CloseReason::Replaced => "replaced by a newer one",
        CloseReason::Idle => "idle",
        CloseReason::PeerDead => "peer is dead",
        CloseReason::PeerRestarted => "peer has started anew",
        CloseReason::Timeout => "death by retransmission",
        CloseReason::RefusedUnproven(_) => "no answer but an error that nothing authenticates",
        CloseReason::NoPsk => "no pre-shared key for the peer",
        CloseReason::SelectorsChanged => {
            "the peer answered with other selectors than were asked for, which IKEv1 does not allow"
        }
        CloseReason::Refused => "refused on our side",
        CloseReason::RefusedByPeer(_) => "refused by the peer",
        CloseReason::ParentClosed => "its IKE SA has ended",
        CloseReason::Redirected => "redirected to another gateway",
        CloseReason::Evicted => "a bound was reached",
        CloseReason::AuthenticationFailed => "authentication has failed",
        CloseReason::Crypto => "cryptographic failure",
    }
}

/// Why an IKE SA has ended, with the peer's notification by its name.
pub(super) struct Closed(pub(super) CloseReason, pub(super) IkeVersion);

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(close(self.0))?;
        match self.0 {
            CloseReason::RefusedByPeer(n) | CloseReason::RefusedUnproven(n) => {
                write!(f, ": {}", notify(self.1, n))
            }
            _ => Ok(()),
        }
    }
}

/// What an IKE SA of a version is called.
pub(super) const fn ike_sa(version: IkeVersion) -> &'static str {
    match version {
        IkeVersion::V1 => "ISAKMP SA",
        IkeVersion::V2 => "IKE SA",
    }
}

pub(super) fn notice(f: &mut dyn Write, n: &Notice) -> fmt::Result {
    match n {
        Notice::PfsOfferedUnasked { group } => {
            write!(
                f,
                "PFS is used, with {group}, although it is not configured here"
            )
        }
        Notice::DuplicateTransform { transform, of } => {
            write!(f, "transform {transform} offers the same as transform {of}")
        }
        Notice::PskMayDiffer => f.write_str("the pre-shared keys may differ"),
        Notice::ProofNotTaken { answered, shared } => {
            f.write_str(if *answered {
                "the peer refuses our proof: "
            } else {
                "the peer does not answer our proof: "
            })?;
            f.write_str(if *shared {
                "the pre-shared keys may differ"
            } else {
                "it may not trust our key or certificate"
            })?;
            f.write_str(", or it does not accept our identity")
        }
        Notice::WildcardPsk => {
            f.write_str("the pre-shared key is for any address: who knows it can pose as any peer")
        }
        Notice::AggressivePsk => f.write_str(
            "aggressive mode with a pre-shared key: whoever sees this can guess the key offline",
        ),
        Notice::LifetimeCut { offered, granted } => {
            f.write_str("lifetime cut from ")?;
            lifetime(f, *offered)?;
            f.write_str(" to ")?;
            lifetime(f, *granted)
        }
        Notice::Weak(algorithm) => write!(f, "{algorithm} is weak; the configuration permits it"),
        Notice::IdentityInUse => f.write_str(
            "another device with this identity is here already, and the first one is kept",
        ),
        Notice::CommitBit => f.write_str("the peer set the commit bit, which is not acted on"),
        Notice::MessageIdsGoOn { ours, theirs } => {
            write!(
                f,
                "after a takeover our requests go on with message ID {ours}, the peer's with {theirs}"
            )
        }
        Notice::NearestMiss(miss) => write!(f, "{miss}"),
    }
}

fn lifetime(f: &mut dyn Write, l: Lifetime) -> fmt::Result {
    write!(f, "{} s", l.time.as_secs())?;
    match l.kilobytes {
        Some(kb) => write!(f, " and {kb} kB"),
        None => Ok(()),
    }
}
