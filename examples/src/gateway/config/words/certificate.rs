//! Values about certificates.

use super::{Deserialize, Deserializer, FromStr, de, fmt};

words! {
    /// When our certificate, or our raw key, is sent.
    SendCertificate, "choice of when to send certificates" {
        /// Never: the peer has it.
        Never = "never",
        /// When the peer asks for one.
        IfAsked = "if-asked" | "ifasked",
        /// Always.
        Always = "always",
    }
}

words! {
    /// What to think of a certificate that no CRL speaks of, or an old one.
    #[derive(Default)]
    UnknownStatus, "verdict on an unknown status" {
        /// It is refused.
        #[default]
        Refuse = "refuse" | "strict",
        /// It is good as long as no CRL lists it.
        Accept = "accept" | "relaxed",
    }
}

words! {
    /// A purpose of a key, of an extended key usage.
    KeyPurpose, "key purpose" {
        /// id-kp-serverAuth, of web servers.
        ServerAuth = "server-auth",
        /// id-kp-clientAuth.
        ClientAuth = "client-auth",
        /// id-kp-ipsecEndSystem, obsolete.
        IpsecEndSystem = "ipsec-end-system",
        /// id-kp-ipsecTunnel, obsolete.
        IpsecTunnel = "ipsec-tunnel",
        /// id-kp-ipsecUser, obsolete.
        IpsecUser = "ipsec-user",
        /// iKEIntermediate, which older devices have.
        IkeIntermediate = "ike-intermediate",
    }
}

impl KeyPurpose {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::ServerAuth,
        Self::ClientAuth,
        Self::IpsecEndSystem,
        Self::IpsecTunnel,
        Self::IpsecUser,
        Self::IkeIntermediate,
    ];

    /// Its object identifier.
    #[must_use]
    pub const fn oid(self) -> &'static str {
        match self {
            Self::ServerAuth => "1.3.6.1.5.5.7.3.1",
            Self::ClientAuth => "1.3.6.1.5.5.7.3.2",
            Self::IpsecEndSystem => "1.3.6.1.5.5.7.3.5",
            Self::IpsecTunnel => "1.3.6.1.5.5.7.3.6",
            Self::IpsecUser => "1.3.6.1.5.5.7.3.7",
            Self::IkeIntermediate => "1.3.6.1.5.5.8.2.2",
        }
    }
}
