//! What the file says of IKEv2 alone: policies whose values are lists, several networks in one tunnel, and what peers need
//! that are not quite as the RFC has it.

use super::model::{Config, Fault, Peer, Tunnel};
use super::words::*;
use serde::Deserialize;
use std::collections::BTreeSet;
use toml::Spanned;

/// One acceptable way, or several, to protect an IKE SA (RFC 7296 §3.3): one value of each list is agreed on.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Ikev2Policy {
    /// 1 is the most wanted.
    pub priority: Spanned<u16>,
    /// Ciphers: all with integrity of their own, or all without.
    pub encryption: Spanned<Several<Encryption>>,
    /// Hashes of the integrity algorithms; none beside AEADs.
    #[serde(default)]
    pub integrity: Several<Hash>,
    /// Hashes of the pseudo-random functions; absent, those of `integrity`, or SHA-256.
    #[serde(default)]
    pub prf: Several<Hash>,
    /// Groups of the key exchange. The first one is tried first.
    pub group: Spanned<Several<Group>>,
    /// Key exchanges besides (RFC 9370), in order. Children with PFS have them too where the peer does.
    #[serde(default)]
    pub additional: Several<Group>,
    /// The SA may come up without the additional ones.
    #[serde(default)]
    pub additional_optional: bool,
    /// Lifetime of the IKE SA, at our end.
    #[serde(default = "one_day")]
    pub lifetime: Seconds,
}

fn one_day() -> Seconds {
    Seconds::new(86_400)
}

/// When a peer is sent to another gateway.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RedirectWhen {
    /// With the first message, whoever asks.
    #[default]
    FirstMessage,
    /// Once it has proved who it is.
    Authenticated,
}

/// What a peer needs that is not quite as the RFC has it. All off is the RFC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Quirks {
    /// It takes one selector of each side per child SA: a tunnel of several networks becomes one of each pair.
    pub one_ts_per_child: bool,
    /// It cannot take messages in fragments (RFC 7383).
    pub no_fragmentation: bool,
    /// It must not be told of MOBIKE (RFC 4555).
    pub no_mobike: bool,
    /// Its rekeys offer another group than its first negotiation, or none: whatever it offers is taken.
    pub rekey_pfs_as_offered: bool,
}

impl Quirks {
    /// What is known of devices in the field, by the words of the file.
    pub const PROFILES: [(&'static str, Self); 4] = [
        ("rfc", Self::RFC),
        // Crypto maps: one line of the access list, one pair of SAs.
        (
            "cisco-asa",
            Self {
                one_ts_per_child: true,
                ..Self::RFC
            },
        ),
        (
            "ios",
            Self {
                rekey_pfs_as_offered: true,
                ..Self::RFC
            },
        ),
        (
            "windows",
            Self {
                rekey_pfs_as_offered: true,
                no_fragmentation: false,
                ..Self::RFC
            },
        ),
    ];
    const RFC: Self = Self {
        one_ts_per_child: false,
        no_fragmentation: false,
        no_mobike: false,
        rekey_pfs_as_offered: false,
    };

    /// A profile's name, or a table of its own.
    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Profile(String),
            Table(Quirks),
        }
        match Written::deserialize(d)? {
            Written::Table(quirks) => Ok(quirks),
            Written::Profile(name) => {
                let known = Self::PROFILES.iter().find(|(known, _)| *known == name);
                known.map(|(_, quirks)| *quirks).ok_or_else(|| {
                    let all = Self::PROFILES.map(|(name, _)| name).join(", ");
                    serde::de::Error::custom(format!("no profile is named `{name}`; one of: {all}"))
                })
            }
        }
    }
}

impl Ikev2Policy {
    fn check(&self) -> Result<(), Fault> {
        let encryption = &self.encryption.get_ref().0;
        let fault = |what: &str| Err((self.encryption.span(), what.to_owned()));
        if encryption.contains(&Encryption::Null) {
            return fault("IKE cannot go without encryption");
        }
        let aead = encryption.iter().filter(|e| e.is_aead()).count();
        if encryption.is_empty() || (aead != 0 && aead != encryption.len()) {
            return fault("one policy has ciphers with integrity of their own, or ciphers without");
        }
        if (aead == 0) == self.integrity.0.is_empty() {
            return fault(
                "`integrity` goes with ciphers that have none of their own, and only with them",
            );
        }
        if self.group.get_ref().0.is_empty() {
            return Err((self.group.span(), "no group".into()));
        }
        Ok(())
    }
}

impl Config {
    /// The IKEv2 policies that apply to `peer`, the most wanted first; none is the defaults of the library.
    pub fn ikev2_policies<'a>(&'a self, peer: &'a Peer) -> impl Iterator<Item = &'a Ikev2Policy> {
        let wanted = &peer.policy.get_ref().0;
        self.ikev2_policy
            .iter()
            .filter(move |p| wanted.is_empty() || wanted.contains(p.priority.get_ref()))
    }

    pub(super) fn check_ikev2_policies(&self) -> Result<(), Fault> {
        let mut seen = BTreeSet::new();
        for policy in &self.ikev2_policy {
            let priority = *policy.priority.get_ref();
            if !seen.insert(priority) {
                let what = format!("priority {priority} is taken");
                return Err((policy.priority.span(), what));
            }
            policy.check()?;
        }
        Ok(())
    }

    /// Tunnels of several networks become one of each pair where the peer cannot have them together.
    pub(super) fn split_tunnels(&mut self) {
        for peer in &mut self.peer {
            // RFC 2409 §5.5: a quick mode has one identity of each side.
            if peer.version == Version::Ikev1 || peer.quirks.one_ts_per_child {
                let whole = std::mem::take(&mut peer.tunnel);
                peer.tunnel = whole.into_iter().flat_map(split).collect();
            }
        }
    }
}

fn split(whole: Tunnel) -> Vec<Tunnel> {
    let (local, remote) = (&whole.local, &whole.remote);
    if local.get_ref().0.len() * remote.get_ref().0.len() <= 1 {
        return vec![whole];
    }
    let pairs = local.get_ref().0.iter();
    let pairs = pairs.flat_map(|l| remote.get_ref().0.iter().map(move |r| (*l, *r)));
    let one = |side: &Spanned<Several<Network>>, network| {
        Spanned::new(side.span(), Several(vec![network]))
    };
    let each = pairs.enumerate().map(|(n, (l, r))| Tunnel {
        name: Spanned::new(
            whole.name.span(),
            format!("{}-{}", whole.name.get_ref(), n + 1),
        ),
        of: Some(whole.name.get_ref().clone()),
        local: one(local, l),
        remote: one(remote, r),
        ..whole.clone()
    });
    each.collect()
}
