//! Single values of the file: algorithm names, identities, networks, durations.

use ipnet::IpNet;
use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor, value::SeqAccessDeserializer},
};
use std::{fmt, net::IpAddr, str::FromStr, time::Duration};
use zeroize::Zeroizing;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $($word:literal)|+),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// The word of the configuration file.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => words!(@first $($word)|+)),+ }
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(s: &str) -> Result<Self, String> {
                match s.to_ascii_lowercase().as_str() {
                    $($($word)|+ => Ok(Self::$variant),)+
                    _ => Err(format!(
                        concat!("unknown ", $what, " `{}`; one of: {}"),
                        s, [$(words!(@first $($word)|+)),+].join(", ")
                    )),
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let word = String::deserialize(d)?;
                word.parse().map_err(de::Error::custom)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.word()) }
        }
    };
    (@first $first:literal $(| $rest:literal)*) => { $first };
}

mod certificate;

pub use certificate::{KeyPurpose, SendCertificate, UnknownStatus};

words! {
    /// A cipher, for IKE and for ESP.
    Encryption, "encryption" {
        /// DES-CBC: only because the field's old devices know nothing else.
        Des = "des",
        /// 3DES-CBC.
        TripleDes = "3des",
        /// AES-CBC, 128-bit key.
        Aes128 = "aes-128" | "aes128" | "aes",
        /// AES-CBC, 192-bit key.
        Aes192 = "aes-192" | "aes192",
        /// AES-CBC, 256-bit key.
        Aes256 = "aes-256" | "aes256",
        /// AES-GCM with a 16-octet ICV, 128-bit key.
        Aes128Gcm = "aes-128-gcm" | "aes128gcm16",
        /// AES-GCM with a 16-octet ICV, 256-bit key.
        Aes256Gcm = "aes-256-gcm" | "aes256gcm16",
        /// ChaCha20-Poly1305.
        ChaCha20Poly1305 = "chacha20-poly1305" | "chacha20poly1305",
        /// No encryption; ESP only, and only with integrity.
        Null = "null",
    }
}

words! {
    /// A hash: of IKE (as PRF too), or of ESP as HMAC.
    Hash, "hash" {
        /// MD5.
        Md5 = "md5",
        /// SHA-1.
        Sha1 = "sha1" | "sha",
        /// SHA-256.
        Sha256 = "sha256",
        /// SHA-384.
        Sha384 = "sha384",
        /// SHA-512.
        Sha512 = "sha512",
    }
}

words! {
    /// How a peer proves who it is.
    Authentication, "authentication" {
        /// A pre-shared key.
        PreShare = "pre-share" | "psk",
        /// RSA signatures.
        RsaSig = "rsa-sig",
        /// ECDSA on P-256 with SHA-256.
        EcdsaSig256 = "ecdsa-256-sig",
        /// ECDSA on P-384 with SHA-384.
        EcdsaSig384 = "ecdsa-384-sig",
        /// ECDSA on P-521 with SHA-512.
        EcdsaSig521 = "ecdsa-521-sig",
    }
}

words! {
    /// How one end of an IKE SA proves itself.
    Proof, "proof" {
        /// A pre-shared key.
        PreShare = "pre-share" | "psk",
        /// A signature, with a certificate.
        Signature = "signature" | "certificate",
        /// A signature with a key that the other end knows from elsewhere (RFC 7670).
        RawKey = "raw-key",
        /// A user name and a password: EAP-MSCHAPv2, of the initiator.
        Eap = "eap-mschapv2" | "eap",
    }
}

words! {
    /// A signature scheme of RFC 7427.
    Scheme, "signature scheme" {
        /// RSASSA-PSS with SHA-256.
        RsaPss = "rsa-pss",
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        RsaPkcs1 = "rsa-pkcs1",
    }
}

words! {
    /// The version of IKE spoken with a peer.
    Version, "version" {
        /// RFC 2409.
        Ikev1 = "ikev1",
        /// RFC 7296.
        Ikev2 = "ikev2",
    }
}

words! {
    /// How a Phase 1 of IKEv1 goes.
    Phase1Mode, "mode of a peer" {
        /// Six messages; identities are hidden.
        Main = "main",
        /// Three messages; whoever sees them can try out keys offline.
        Aggressive = "aggressive-exposing-psk-hash",
    }
}

words! {
    /// ESP's mode.
    Mode, "mode" {
        /// A whole IP packet inside.
        Tunnel = "tunnel",
        /// The payload of one IP packet inside.
        Transport = "transport",
    }
}

words! {
    /// Don't Fragment of the outer packets.
    DfBit, "df-bit" {
        /// As the inner packet has it: sources find out what fits.
        Copy = "copy",
        /// Always.
        Set = "set",
        /// Never: routers fragment what does not fit.
        Clear = "clear",
    }
}

impl From<DfBit> for esp::DontFragment {
    fn from(bit: DfBit) -> Self {
        match bit {
            DfBit::Copy => Self::Copy,
            DfBit::Set => Self::Set,
            DfBit::Clear => Self::Clear,
        }
    }
}

words! {
    /// How the networks that a peer asks for compare to the configured ones.
    Selectors, "selectors" {
        /// They are the same, or the peer is refused.
        Exact = "exact",
        /// They lie within, for peers whose networks are known only from their negotiation. IKEv2 grants
        /// what the peer's and the configured ones have in common.
        Within = "within",
    }
}

words! {
    /// When a tunnel is negotiated.
    Start, "start" {
        /// When the first packet wants to cross it; that packet waits.
        OnDemand = "on-demand",
        /// When the gateway starts.
        Now = "now",
        /// When the peer asks.
        Passive = "passive",
    }
}

words! {
    /// Reverse route injection: when the route to the remote network exists.
    Rri, "reverse-route" {
        /// While an SA exists.
        OnSa = "on-sa",
        /// As long as the gateway runs.
        Static = "static",
        /// Never: routes are somebody else's business.
        Off = "off",
    }
}

words! {
    /// What follows when a peer is found dead.
    DpdAction, "dpd action" {
        /// Its SAs go; nothing more.
        Clear = "clear",
        /// Its SAs go; the next packet negotiates anew.
        Hold = "hold",
        /// Its SAs go and are negotiated anew at once.
        Restart = "restart",
    }
}

words! {
    /// When R-U-THERE is sent.
    DpdMode, "dpd mode" {
        /// Only when there is something to send and nothing comes back.
        OnDemand = "on-demand",
        /// At each interval.
        Periodic = "periodic",
    }
}

words! {
    /// How many devices may prove one identity at a time.
    Unique, "unique" {
        /// Several, until one of them says INITIAL-CONTACT.
        No = "no",
        /// Several, whatever they say.
        Never = "never",
        /// The first one; others are refused while it is alive.
        Keep = "keep",
        /// The newest one; it ends what the others have.
        Replace = "replace",
    }
}

words! {
    /// What to do about NAT.
    NatTraversal, "nat-traversal" {
        /// Detect, and encapsulate where a NAT is found.
        Auto = "auto",
        /// Encapsulate always.
        Force = "force",
        /// Encapsulate always, and begin IKE on the same port (RFC 7296 §2.23): IKEv2.
        FromStart = "from-start",
        /// Neither announce nor detect.
        Off = "off",
    }
}

words! {
    /// How the explained negotiation is printed.
    LogStyle, "log style" {
        /// As the routers print it.
        Cisco = "cisco",
        /// One short line per message.
        Compact = "compact",
        /// One JSON object per record.
        Json = "json",
    }
}

/// Perfect forward secrecy of Phase 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pfs {
    /// A group offered by the peer is refused, none is offered.
    Off,
    /// None is offered; a group offered by the peer is accepted.
    Accept,
    /// This group is offered and demanded.
    Group(Group),
}

impl<'de> Deserialize<'de> for Pfs {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = Pfs;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a group, \"accept\" or false")
            }
            fn visit_bool<E: de::Error>(self, on: bool) -> Result<Pfs, E> {
                if on {
                    Err(E::custom("pfs needs a group: write its number"))
                } else {
                    Ok(Pfs::Off)
                }
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Pfs, E> {
                Group::new(n).map(Pfs::Group).map_err(E::custom)
            }
            fn visit_str<E: de::Error>(self, s: &str) -> Result<Pfs, E> {
                match s {
                    "off" => Ok(Pfs::Off),
                    "accept" => Ok(Pfs::Accept),
                    _ => s.parse().map(Pfs::Group).map_err(E::custom),
                }
            }
        }
        d.deserialize_any(V)
    }
}

/// A Diffie-Hellman group by its number in the IANA registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group(pub u16);

impl Group {
    /// Groups this gateway can use at all.
    pub const KNOWN: [u16; 15] = [1, 2, 5, 14, 15, 16, 17, 18, 19, 20, 21, 31, 35, 36, 37];

    fn new(n: i64) -> Result<Self, String> {
        u16::try_from(n)
            .ok()
            .filter(|n| Self::KNOWN.contains(n))
            .map(Self)
            .ok_or_else(|| format!("unknown group {n}; one of {:?}", Self::KNOWN))
    }
}

impl FromStr for Group {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let number = match s {
            "x25519" | "curve25519" => "31",
            "ml-kem-512" => "35",
            "ml-kem-768" => "36",
            "ml-kem-1024" => "37",
            _ => s.strip_prefix("group").unwrap_or(s),
        };
        Self::new(
            number
                .parse()
                .map_err(|_| format!("`{s}` is no group; write 14 or \"group14\""))?,
        )
    }
}

impl<'de> Deserialize<'de> for Group {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = Group;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a group number such as 14")
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Group, E> {
                Group::new(n).map_err(E::custom)
            }
            fn visit_str<E: de::Error>(self, s: &str) -> Result<Group, E> {
                s.parse().map_err(E::custom)
            }
        }
        d.deserialize_any(V)
    }
}

/// A duration written in seconds, whole or with a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub Duration);

impl Seconds {
    /// `n` whole seconds.
    #[must_use]
    pub const fn new(n: u64) -> Self {
        Self(Duration::from_secs(n))
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = Seconds;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of seconds")
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Seconds, E> {
                let n = u64::try_from(n).map_err(|_| E::custom("a duration cannot be negative"))?;
                // RFC 2407 §4.5: lifetimes are seconds in 32 bits for every peer seen.
                if n > u64::from(u32::MAX) {
                    return Err(E::custom("more than 2^32 seconds"));
                }
                Ok(Seconds::new(n))
            }
            fn visit_f64<E: de::Error>(self, n: f64) -> Result<Seconds, E> {
                if n > f64::from(u32::MAX) {
                    return Err(E::custom("more than 2^32 seconds"));
                }
                Duration::try_from_secs_f64(n)
                    .map(Seconds)
                    .map_err(E::custom)
            }
        }
        d.deserialize_any(V)
    }
}

/// Who somebody is: an address, `host.name`, `user@host.name`, a distinguished name such as `O=lab, CN=a.lab` in the
/// order of the certificate, or `#` and the hex octets of a key ID.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Identity {
    /// ID_IPV4_ADDR or ID_IPV6_ADDR.
    Address(IpAddr),
    /// ID_FQDN.
    Fqdn(String),
    /// ID_USER_FQDN.
    UserFqdn(String),
    /// ID_DER_ASN1_DN: the text, and the name in DER.
    DistinguishedName(String, Vec<u8>),
    /// ID_KEY_ID.
    KeyId(Vec<u8>),
}

impl FromStr for Identity {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        if s.is_empty() {
            return Err("an identity cannot be empty".into());
        }
        if let Some(octets) = s.strip_prefix('#') {
            return hex::decode(octets)
                .map(Self::KeyId)
                .map_err(|e| format!("`{s}` is no key ID: {e}"));
        }
        if let Ok(address) = s.parse() {
            return Ok(Self::Address(address));
        }
        if s.contains('=') {
            let name = ike_sm::config::Identity::distinguished_name(s);
            let name = name.map_err(|e| format!("`{s}`: {e}"))?;
            return Ok(Self::DistinguishedName(s.into(), name.to_wire()));
        }
        Ok(if s.contains('@') {
            Self::UserFqdn(s.into())
        } else {
            Self::Fqdn(s.into())
        })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(a) => a.fmt(f),
            Self::Fqdn(s) | Self::UserFqdn(s) | Self::DistinguishedName(s, _) => f.write_str(s),
            Self::KeyId(octets) => write!(f, "#{}", hex::encode(octets)),
        }
    }
}

impl<'de> Deserialize<'de> for Identity {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}

/// A network such as `10.10.1.0/24`, or a single address; host bits must be zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(pub IpNet);

impl FromStr for Network {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let net = match s.parse::<IpNet>() {
            Ok(net) => net,
            Err(_) => s.parse::<IpAddr>().map(IpNet::from).map_err(|_| {
                format!("`{s}` is neither a network such as 10.0.0.0/8 nor an address")
            })?,
        };
        if net.trunc() != net {
            return Err(format!(
                "`{s}` has host bits set; the network is {}",
                net.trunc()
            ));
        }
        Ok(Self(net))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}

/// Where a peer may be: an address to call, or a network (`any` is all of them) to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeerAddress {
    /// This address; we may call it.
    Host(IpAddr),
    /// Anywhere in this network; it calls us.
    Within(IpNet),
    /// Anywhere; it calls us.
    Any,
}

impl FromStr for PeerAddress {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        if s == "any" {
            return Ok(Self::Any);
        }
        if let Ok(address) = s.parse() {
            return Ok(Self::Host(address));
        }
        let Network(net) = s.parse().map_err(|_| {
            format!("`{s}` is neither an address, a network nor \"any\"; names are not resolved")
        })?;
        Ok(Self::Within(net))
    }
}

impl<'de> Deserialize<'de> for PeerAddress {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}

/// A secret: text, or `0x` and hex octets.
#[derive(Clone, PartialEq, Eq)]
pub struct Psk(Zeroizing<Vec<u8>>);

impl Psk {
    /// Text, or `0x` and hex octets. The error names no octet of the key.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let octets = match text.strip_prefix("0x") {
            Some(octets) => hex::decode(octets).map_err(|_| "not hex octets after 0x")?,
            None => text.as_bytes().to_vec(),
        };
        if octets.is_empty() {
            return Err("an empty key protects nothing");
        }
        Ok(Self(Zeroizing::new(octets)))
    }

    /// The octets of the key.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Psk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Psk(..)")
    }
}

impl<'de> Deserialize<'de> for Psk {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(d)?);
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// One value, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Several<T>(pub Vec<T>);

impl<T> Default for Several<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: fmt::Display> fmt::Display for Several<T> {
    /// The values with commas between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.0.iter().map(T::to_string).collect();
        f.write_str(&words.join(", "))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Several<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for V<T> {
            type Value = Several<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or a list")
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Self::Value, E> {
                T::deserialize(de::value::I64Deserializer::new(n)).map(|v| Several(vec![v]))
            }
            fn visit_str<E: de::Error>(self, s: &str) -> Result<Self::Value, E> {
                T::deserialize(de::value::StrDeserializer::new(s)).map(|v| Several(vec![v]))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Several)
            }
        }
        d.deserialize_any(V(std::marker::PhantomData))
    }
}
