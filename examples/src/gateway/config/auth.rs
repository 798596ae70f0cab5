//! What the file says of authentication in IKEv2: certificates, EAP users, address pools, post-quantum keys.

use super::model::{Config, Fault, IsakmpPolicy, Peer, Tunnel, none};
use super::words::*;
use ipnet::IpNet;
use serde::Deserialize;
use std::{net::IpAddr, path::PathBuf};
use toml::Spanned;

/// How both ends of the IKE SA with a peer prove themselves.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Auth {
    /// What we prove ourselves with.
    #[serde(default = "pre_share")]
    pub local: Spanned<Proof>,
    /// What the peer has to prove itself with.
    #[serde(default = "pre_share")]
    pub remote: Spanned<Proof>,
    /// PEM file of our certificate, and of what leads to the authority.
    pub certificate: Option<Spanned<PathBuf>>,
    /// PEM file of the private key.
    pub private_key: Option<Spanned<PathBuf>>,
    /// When the certificate, or the raw key, is sent.
    #[serde(default = "always")]
    pub send_certificate: SendCertificate,
    /// PEM file of the peer's public key, with `raw-key`.
    pub public_key: Option<Spanned<PathBuf>>,
    /// How an RSA key signs; absent, with PSS.
    pub scheme: Option<Scheme>,
    /// PEM files of authorities that the peer's certificate may lead to.
    #[serde(default = "none")]
    pub authority: Spanned<Several<PathBuf>>,
    /// Files of certificate revocation lists, PEM or DER. They are read again when they change, and never fetched.
    #[serde(default = "none")]
    pub crl: Spanned<Several<PathBuf>>,
    /// With `crl`: what to think of certificates that none speaks of.
    #[serde(default)]
    pub unknown_status: UnknownStatus,
    /// Purposes that the extended key usage of the peer's certificate may have besides ipsecIKE and any (RFC 4945
    /// §5.1.3.12). A certificate without extended key usages is for all.
    #[serde(default)]
    pub key_purposes: Several<KeyPurpose>,
    /// Our user name towards an EAP server.
    pub user: Option<String>,
    /// EAP alone proves both ends (RFC 5998).
    #[serde(default)]
    pub eap_only: bool,
    /// A post-quantum key (RFC 8784).
    pub ppk: Option<Ppk>,
    /// Ask for an address inside the tunnel.
    #[serde(default)]
    pub request_address: bool,
    /// The pool that a peer gets its address from.
    pub pool: Option<Spanned<String>>,
}

/// A post-quantum key (RFC 8784).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Ppk {
    /// Its identifier.
    pub id: String,
    /// The key.
    pub secret: Psk,
    /// No IKE SA without it.
    #[serde(default)]
    pub required: bool,
}

/// A user of EAP-MSCHAPv2: one of ours as server, or we as client.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EapUser {
    /// The name.
    pub name: Spanned<String>,
    /// The password.
    pub password: Psk,
    /// Names of the peers that the user may be, whatever it calls itself; absent, those whose `remote-id` is its name,
    /// and those that have none.
    pub peer: Option<Spanned<Several<String>>>,
    /// Names of the tunnels that the user may have; absent, all of its peer.
    pub tunnel: Option<Spanned<Several<String>>>,
    /// The address inside the tunnel that nobody else gets, out of a pool.
    pub address: Option<Spanned<IpAddr>>,
}

impl EapUser {
    /// Whether it may be this peer: what a peer calls itself is not proved by EAP (RFC 7296 §2.16).
    #[must_use]
    pub fn may_be(&self, peer: &Peer) -> bool {
        match (&self.peer, &peer.remote_id) {
            (Some(peers), _) => peers.get_ref().0.contains(peer.name.get_ref()),
            (None, Some(id)) => crate::gateway::glue::identity(id).names_user(self.name.get_ref()),
            (None, None) => true,
        }
    }

    /// Whether it may have this tunnel of its peer.
    #[must_use]
    pub fn may_have(&self, tunnel: &Tunnel) -> bool {
        let named = |all: &Spanned<Several<String>>| {
            let mut names = all.get_ref().0.iter();
            names.any(|name| name == tunnel.name.get_ref() || tunnel.of.as_ref() == Some(name))
        };
        self.tunnel.as_ref().is_none_or(named)
    }
}

/// Addresses for peers that ask for one.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Pool {
    /// Its name.
    pub name: Spanned<String>,
    /// Where the addresses are from.
    pub network: IpNet,
    /// DNS servers inside.
    #[serde(default)]
    pub dns: Several<IpAddr>,
    /// Domains to resolve there (RFC 8598).
    #[serde(default)]
    pub domain: Several<String>,
}

fn always() -> SendCertificate {
    SendCertificate::Always
}

fn pre_share() -> Spanned<Proof> {
    Spanned::new(0..0, Proof::PreShare)
}

impl Config {
    pub(super) fn check_auth(&self, peer: &Peer) -> Result<(), Fault> {
        if peer.version == Version::Ikev1 {
            self.check_ikev1_auth(peer)?;
        }
        let Some(auth) = &peer.auth else {
            return Ok(());
        };
        let (local, remote) = (auth.local.get_ref(), auth.remote.get_ref());
        let wrong = match (local, remote) {
            (Proof::Eap, Proof::Eap) => Some("one end only can be the EAP client"),
            // RFC 7296 §2.16: in conjunction with a signature of the responder.
            (Proof::PreShare, Proof::Eap) => Some(
                "an EAP server proves itself by a signature (RFC 7296 §2.16): whoever knows the pre-shared key, and that \
                 is each user, could take its place",
            ),
            (Proof::RawKey, _) if auth.private_key.is_none() => {
                Some("a raw key needs `private-key`")
            }
            (Proof::RawKey, _) if auth.certificate.is_some() => {
                Some("a raw key goes without `certificate`")
            }
            (Proof::Signature, _) if auth.certificate.is_none() || auth.private_key.is_none() => {
                Some("a signature needs `certificate` and `private-key`")
            }
            (Proof::Eap, _) if auth.user.is_none() => Some("EAP needs a `user`"),
            _ => None,
        };
        if let Some(what) = wrong {
            return Err((auth.local.span(), what.into()));
        }
        let authorities = !auth.authority.get_ref().0.is_empty();
        let wrong = match remote {
            Proof::Signature if !authorities => {
                Some("a certificate is accepted from an `authority` only")
            }
            Proof::RawKey if auth.public_key.is_none() => {
                Some("a raw key of the peer is known by its `public-key`")
            }
            _ if auth.public_key.is_some() && *remote != Proof::RawKey => {
                Some("`public-key` goes with remote = \"raw-key\"")
            }
            _ if !auth.crl.get_ref().0.is_empty() && *remote != Proof::Signature => {
                Some("`crl` goes with remote = \"signature\"")
            }
            _ if !auth.key_purposes.0.is_empty() && *remote != Proof::Signature => {
                Some("`key-purposes` goes with remote = \"signature\"")
            }
            _ => None,
        };
        if let Some(what) = wrong {
            return Err((auth.remote.span(), what.into()));
        }
        if let Some(pool) = &auth.pool
            && !self.pool.iter().any(|p| p.name.get_ref() == pool.get_ref())
        {
            return Err((
                pool.span(),
                format!("no pool is named `{}`", pool.get_ref()),
            ));
        }
        if *remote == Proof::Eap && !self.eap_user.iter().any(|user| user.may_be(peer)) {
            let what = "nobody can be this peer: an [[eap-user]] has its `remote-id` for a name, or names it with `peer`";
            return Err((peer.name.span(), what.into()));
        }
        Ok(())
    }

    pub(super) fn check_users(&self) -> Result<(), Fault> {
        let mut names = std::collections::BTreeSet::new();
        let mut addresses = std::collections::BTreeSet::new();
        for user in &self.eap_user {
            if !names.insert(user.name.get_ref()) {
                let what = format!("a second eap-user `{}`", user.name.get_ref());
                return Err((user.name.span(), what));
            }
            for (peers, name) in user
                .peer
                .iter()
                .flat_map(|p| p.get_ref().0.iter().map(move |n| (p, n)))
            {
                let found = self.peer.iter().find(|p| p.name.get_ref() == name);
                let eap = |p: &Peer| {
                    p.auth
                        .as_ref()
                        .is_some_and(|a| *a.remote.get_ref() == Proof::Eap)
                };
                let what = match found {
                    None => format!("no peer is named `{name}`"),
                    Some(peer) if !eap(peer) => {
                        format!("peer `{name}` does not prove itself by EAP")
                    }
                    Some(_) => continue,
                };
                return Err((peers.span(), what));
            }
            for (tunnels, name) in user
                .tunnel
                .iter()
                .flat_map(|t| t.get_ref().0.iter().map(move |n| (t, n)))
            {
                let is = |t: &Tunnel| t.name.get_ref() == name || t.of.as_ref() == Some(name);
                if !self
                    .peer
                    .iter()
                    .any(|p| user.may_be(p) && p.tunnel.iter().any(is))
                {
                    return Err((
                        tunnels.span(),
                        format!("no peer that the user may be has a tunnel `{name}`"),
                    ));
                }
            }
            let Some(address) = &user.address else {
                continue;
            };
            if !self
                .pool
                .iter()
                .any(|pool| pool.network.contains(address.get_ref()))
            {
                return Err((
                    address.span(),
                    format!("{} is in no pool", address.get_ref()),
                ));
            }
            if !addresses.insert(*address.get_ref()) {
                return Err((
                    address.span(),
                    format!("a second user with {}", address.get_ref()),
                ));
            }
        }
        Ok(())
    }

    /// RFC 2409 §5: one method proves both ends, and the policies name it.
    fn check_ikev1_auth(&self, peer: &Peer) -> Result<(), Fault> {
        if let Some(auth) = &peer.auth {
            let (local, remote) = (auth.local.get_ref(), auth.remote.get_ref());
            let shared = (*local == Proof::PreShare, *remote == Proof::PreShare);
            let eap = *local == Proof::Eap || *remote == Proof::Eap;
            if eap || shared.0 != shared.1 {
                let what =
                    "both ends of an IKEv1 SA prove themselves in one way, and EAP is of IKEv2";
                return Err((auth.local.span(), what.into()));
            }
            if auth.ppk.is_some() || auth.request_address || auth.pool.is_some() {
                let what = "`ppk`, `pool` and `request-address` are of IKEv2";
                return Err((auth.local.span(), what.into()));
            }
            if peer.signs() && peer.mode == Phase1Mode::Aggressive {
                let what = "with signatures IKEv1 is built for main mode alone";
                return Err((peer.name.span(), what.into()));
            }
        }
        let mut policies = self.policies(peer).peekable();
        if policies.peek().is_none() && !self.isakmp_policy.is_empty() {
            let what = "no isakmp-policy has an `authentication` that goes with this peer's `auth`";
            return Err((peer.name.span(), what.into()));
        }
        let other =
            |p: &&IsakmpPolicy| (p.authentication != Authentication::PreShare) != peer.signs();
        if let Some(policy) = policies.find(other) {
            let what = format!(
                "isakmp-policy {} has another `authentication` than this peer's `auth`",
                policy.priority.get_ref()
            );
            return Err((peer.policy.span(), what));
        }
        Ok(())
    }

    pub(super) fn check_pools(&self) -> Result<(), Fault> {
        let mut seen = std::collections::BTreeSet::new();
        for pool in &self.pool {
            if !seen.insert(pool.name.get_ref()) {
                let what = format!("a second pool `{}`", pool.name.get_ref());
                return Err((pool.name.span(), what));
            }
        }
        Ok(())
    }
}
