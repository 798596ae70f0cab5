//! Phase 1 identities (RFC 2407 §4.6.2).

mod dn;

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use dn::DnError;

/// Who an end claims to be: the body of an Identification payload without protocol and port.
///
/// Equal and ordered as names are compared: host names and e-mail addresses regardless of case
/// (RFC 4945 §3.1.2, §3.1.3), so that one peer is not two for the spellings it may choose. All else
/// octet by octet; [`Self::is`] knows of the string types of distinguished names too.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Identity {
    /// ID_IPV4_ADDR (1) or ID_IPV6_ADDR (5).
    Address(IpAddr),
    /// ID_FQDN (2): a host name, never looked up.
    Fqdn(String),
    /// ID_USER_FQDN (3): `user@host`.
    UserFqdn(String),
    /// ID_DER_ASN1_DN (9): a distinguished name in DER.
    DistinguishedName(Vec<u8>),
    /// ID_KEY_ID (11): bytes that mean something to the peer.
    KeyId(Vec<u8>),
    /// A user that EAP has authenticated, in the spelling of the account (RFC 7296 §2.16). It stands
    /// for what a peer has proved, never in an Identification payload.
    User(String),
    /// Another type with its bytes: kept and shown, equal only to itself.
    Other {
        /// The ID type.
        id_type: u8,
        /// The identification data.
        data: Vec<u8>,
    },
}

/// Longest identity accepted, in bytes.
pub const MAX_IDENTITY: usize = 2048;

impl Identity {
    /// The identity in an Identification payload; `None` when the data cannot be of that type or is
    /// longer than [`MAX_IDENTITY`].
    ///
    /// Names must be text without control characters, so that no prefix of a name passes for it.
    pub fn from_wire(id_type: u8, data: &[u8]) -> Option<Self> {
        if data.len() > MAX_IDENTITY {
            return None;
        }
        Some(match id_type {
            1 => Self::Address(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?))),
            5 => Self::Address(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?))),
            2 => Self::Fqdn(name(data)?),
            3 => Self::UserFqdn(name(data)?),
            9 => Self::DistinguishedName(data.into()),
            11 => Self::KeyId(data.into()),
            _ => Self::Other {
                id_type,
                data: data.into(),
            },
        })
    }

    /// The ID type (RFC 2407 §4.6.2.1).
    pub fn id_type(&self) -> u8 {
        match self {
            Self::Address(IpAddr::V4(_)) => 1,
            Self::Address(IpAddr::V6(_)) => 5,
            Self::Fqdn(_) => 2,
            Self::UserFqdn(_) => 3,
            Self::DistinguishedName(_) => 9,
            Self::KeyId(_) => 11,
            // RFC 7296 §3.5: a number that no Identification payload has.
            Self::User(_) => 0,
            Self::Other { id_type, .. } => *id_type,
        }
    }

    /// The identification data as the wire carries it.
    pub fn to_wire(&self) -> Vec<u8> {
        match self {
            Self::Address(IpAddr::V4(a)) => a.octets().into(),
            Self::Address(IpAddr::V6(a)) => a.octets().into(),
            Self::Fqdn(s) | Self::UserFqdn(s) | Self::User(s) => s.as_bytes().into(),
            Self::DistinguishedName(b) | Self::KeyId(b) => b.clone(),
            Self::Other { data, .. } => data.clone(),
        }
    }

    /// The distinguished name that a text such as `C=CH, O=lab, CN=a.lab` stands for, in the order
    /// of the certificate. A comma within a value has a backslash before it.
    ///
    /// # Errors
    /// The text is no distinguished name.
    pub fn distinguished_name(text: &str) -> Result<Self, DnError> {
        dn::from_text(text).map(Self::DistinguishedName)
    }

    /// Whether both name the same: host names and e-mail addresses regardless of case (RFC 4945
    /// §3.1.2, §3.1.3), distinguished names regardless of their string types and, in a
    /// PrintableString, of case (RFC 5280 §7.1).
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::DistinguishedName(a), Self::DistinguishedName(b)) => dn::same(a, b),
            (a, b) => a == b,
        }
    }

    /// Whether this is the name of a user that EAP has authenticated, octet by octet: the names of
    /// two accounts may differ in case alone.
    #[must_use]
    pub fn names_user(&self, user: &str) -> bool {
        match self {
            Self::Fqdn(name) | Self::UserFqdn(name) | Self::User(name) => name == user,
            Self::KeyId(octets) => octets == user.as_bytes(),
            Self::Address(_) | Self::DistinguishedName(_) | Self::Other { .. } => false,
        }
    }

    /// The type's name in the registry.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::User(_) => "EAP user",
            _ => id_type_name(self.id_type()),
        }
    }
}

impl Identity {
    /// The place of the kind in the order.
    const fn rank(&self) -> u8 {
        match self {
            Self::Address(_) => 0,
            Self::Fqdn(_) => 1,
            Self::UserFqdn(_) => 2,
            Self::DistinguishedName(_) => 3,
            Self::KeyId(_) => 4,
            Self::User(_) => 5,
            Self::Other { .. } => 6,
        }
    }
}

/// A name where case does not count.
fn folded(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().map(|octet| octet.to_ascii_lowercase())
}

impl Ord for Identity {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Address(a), Self::Address(b)) => a.cmp(b),
            (Self::Fqdn(a), Self::Fqdn(b)) | (Self::UserFqdn(a), Self::UserFqdn(b)) => {
                folded(a).cmp(folded(b))
            }
            (Self::DistinguishedName(a), Self::DistinguishedName(b))
            | (Self::KeyId(a), Self::KeyId(b)) => a.cmp(b),
            (Self::User(a), Self::User(b)) => a.cmp(b),
            (
                Self::Other { id_type, data },
                Self::Other {
                    id_type: other,
                    data: octets,
                },
            ) => (id_type, data).cmp(&(other, octets)),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }
}

impl PartialOrd for Identity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Identity {}

impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rank().hash(state);
        match self {
            Self::Address(address) => address.hash(state),
            Self::Fqdn(name) | Self::UserFqdn(name) => folded(name).for_each(|o| o.hash(state)),
            Self::DistinguishedName(octets) | Self::KeyId(octets) => octets.hash(state),
            Self::User(name) => name.hash(state),
            Self::Other { id_type, data } => (id_type, data).hash(state),
        }
    }
}

/// The registry's name of an ID type (RFC 2407 §4.6.2.1).
fn id_type_name(id_type: u8) -> &'static str {
    match id_type {
        1 => "ID_IPV4_ADDR",
        2 => "ID_FQDN",
        3 => "ID_USER_FQDN",
        4 => "ID_IPV4_ADDR_SUBNET",
        5 => "ID_IPV6_ADDR",
        6 => "ID_IPV6_ADDR_SUBNET",
        7 => "ID_IPV4_ADDR_RANGE",
        8 => "ID_IPV6_ADDR_RANGE",
        9 => "ID_DER_ASN1_DN",
        10 => "ID_DER_ASN1_GN",
        11 => "ID_KEY_ID",
        _ => "ID_UNKNOWN",
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(a) => write!(f, "{a}"),
            Self::Fqdn(s) | Self::UserFqdn(s) | Self::User(s) => f.write_str(s),
            Self::DistinguishedName(b) => match dn::text(b) {
                Some(text) => f.write_str(&text),
                None => octets(f, b),
            },
            Self::KeyId(b) | Self::Other { data: b, .. } => octets(f, b),
        }
    }
}

fn octets(f: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
}

fn name(data: &[u8]) -> Option<String> {
    let text = core::str::from_utf8(data).ok()?;
    (!text.is_empty() && !text.chars().any(char::is_control)).then(|| text.into())
}

/// Whom a peer may claim to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemoteIdentity {
    /// The address that the packet came from, or any of the peer's configured addresses: a peer
    /// behind NAT shows its private address here and needs another choice.
    #[default]
    Address,
    /// Exactly this identity.
    Is(Identity),
    /// Whatever it claims. With a key that several peers know, each of them may then take the
    /// name of any other.
    Any,
}

impl RemoteIdentity {
    /// The one identity that the peer must have, where there is one.
    #[must_use]
    pub const fn named(&self) -> Option<&Identity> {
        match self {
            Self::Is(identity) => Some(identity),
            _ => None,
        }
    }
}

/// Protocol and port fields of the Identification payload that is sent (RFC 2407 §4.6.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdPort {
    /// 17 and 500. After the float to UDP 4500 still 500 (RFC 3947 §4).
    #[default]
    Udp500,
    /// 0 and 0.
    Zero,
}

impl IdPort {
    /// Protocol and port to send.
    pub fn fields(self) -> (u8, u16) {
        match self {
            Self::Udp500 => (17, 500),
            Self::Zero => (0, 0),
        }
    }

    /// May a phase 1 identity carry these fields?
    ///
    /// RFC 2407 §4.6.2: both zero, or UDP port 500; RFC 3947 §4 adds 0 and 4500 for NAT traversal.
    pub fn accepts(protocol: u8, port: u16) -> bool {
        matches!((protocol, port), (0, 0) | (17, 0 | 500 | 4500))
    }
}

#[cfg(test)]
mod tests {
    use crate::model::*;

    #[test]
    fn wire_form_round_trips_for_every_type() {
        for (id_type, data) in [
            (1u8, &[200u8, 56, 4, 1][..]),
            (2, b"b.lab"),
            (3, b"user@b.lab"),
            (5, &[0x20; 16]),
            (9, b"\x30\x00"),
            (11, b"\0key"),
            (200, b"?"),
        ] {
            let id = Identity::from_wire(id_type, data).unwrap();
            assert_eq!((id.id_type(), &id.to_wire()[..]), (id_type, data));
        }
    }

    #[test]
    fn rfc4945_s3_1_names_are_the_same_regardless_of_case() {
        let fqdn = |s: &str| Identity::Fqdn(s.into());
        let user = |s: &str| Identity::UserFqdn(s.into());
        assert!(fqdn("A.lab").is(&fqdn("a.LAB")) && user("x@A.lab").is(&user("X@a.lab")));
        assert!(!fqdn("a.lab").is(&fqdn("b.lab")) && !fqdn("a.lab").is(&user("a.lab")));
        assert!(!Identity::KeyId(b"a".to_vec()).is(&Identity::KeyId(b"A".to_vec())));
        let dn = Identity::distinguished_name("O=lab, CN=a").unwrap();
        assert!(dn.is(&Identity::distinguished_name("O=LAB,CN=A").unwrap()));
        assert_eq!(alloc::format!("{dn}"), "O=lab, CN=a");
    }

    #[test]
    fn a6_names_with_nul_or_wrong_lengths_are_refused() {
        assert_eq!(Identity::from_wire(2, b"good.example\0.evil"), None);
        assert_eq!(Identity::from_wire(2, b""), None);
        assert_eq!(Identity::from_wire(1, &[1, 2, 3]), None);
        assert_eq!(Identity::from_wire(5, &[1; 15]), None);
        assert_eq!(Identity::from_wire(11, &[0; MAX_IDENTITY + 1]), None);
    }

    #[test]
    fn rfc2407_s4_6_2_and_rfc3947_s4_name_the_allowed_ports() {
        assert!(IdPort::accepts(0, 0) && IdPort::accepts(17, 500) && IdPort::accepts(17, 4500));
        assert!(IdPort::accepts(17, 0) && !IdPort::accepts(6, 500) && !IdPort::accepts(0, 500));
    }
}
