//! `[[gre]]` and `[[ipsec-profile]]`: GRE tunnels, alone or protected.

use super::model::{Config, Fault, Tunnel, accept, one_hour, three};
use super::words::*;
use crate::gre::tunnel::{Settings, Times};
use gre::{mtu::DfPolicy, traffic_class::DscpPolicy};
use ipnet::IpNet;
use serde::Deserialize;
use std::{collections::BTreeSet, net::IpAddr};
use toml::Spanned;

/// How a GRE tunnel is protected: what a [`Tunnel`] says, without the networks, which are the tunnel's ends.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct IpsecProfile {
    /// Its name.
    pub name: Spanned<String>,
    /// Names of transform sets, the most wanted first.
    pub transform_set: Spanned<Several<String>>,
    /// Perfect forward secrecy.
    #[serde(default = "accept")]
    pub pfs: Pfs,
    /// Lifetime of the SAs.
    #[serde(default = "one_hour")]
    pub lifetime: Seconds,
    /// Lifetime in kilobytes; absent is no limit.
    pub lifetime_kilobytes: Option<u64>,
    /// Extended sequence numbers.
    #[serde(default)]
    pub esn: bool,
    /// Time without traffic after which the SAs are deleted.
    pub idle_time: Option<Seconds>,
    /// When to negotiate; absent, on demand where the peer has an address to call.
    pub start: Option<Start>,
}

/// A GRE tunnel between a device of its own and the network.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GreTunnel {
    /// Its name, which is its device's too.
    pub name: Spanned<String>,
    /// Addresses of the device, with their prefix lengths.
    #[serde(default)]
    pub address: Several<IpNet>,
    /// Our tunnel end.
    pub source: Spanned<IpAddr>,
    /// The peer's tunnel end.
    pub destination: Spanned<IpAddr>,
    /// Key.
    pub key: Option<u32>,
    /// Send checksums.
    #[serde(default)]
    pub checksum: bool,
    /// Send sequence numbers, and drop what is out of order.
    #[serde(default)]
    pub sequence: bool,
    /// Keepalives; absent, only the peer's are answered.
    pub keepalive: Option<Spanned<GreKeepalive>>,
    /// MTU of the device; absent, what fits the path with all that goes around it.
    pub mtu: Option<Spanned<u16>>,
    /// Clamp the MSS of TCP connections that cross it.
    #[serde(default = "yes")]
    pub adjust_mss: bool,
    /// TTL of the delivery header.
    #[serde(default = "longest")]
    pub ttl: u8,
    /// DSCP of the delivery header; absent, that of the packet inside.
    pub dscp: Option<Spanned<u8>>,
    /// DF of the delivery header.
    #[serde(default = "copy")]
    pub df_bit: DfBit,
    /// Name of the profile that protects it; absent, it goes bare unless a `[[peer.tunnel]]` covers it.
    pub protection: Option<Spanned<String>>,
}

/// Keepalives of a GRE tunnel.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GreKeepalive {
    /// Time between them.
    pub period: Seconds,
    /// Unanswered ones until the line protocol is down.
    #[serde(default = "retries")]
    pub retries: u8,
    /// TOS octet.
    #[serde(default = "precedence_6")]
    pub tos: u8,
    /// Carry a nonce, so that nobody off the path can forge an answer.
    #[serde(default)]
    pub nonce: bool,
}

fn yes() -> bool {
    true
}
fn longest() -> u8 {
    255
}
fn copy() -> DfBit {
    DfBit::Copy
}
fn retries() -> u8 {
    // The same number as everywhere.
    u8::try_from(three()).unwrap_or(3)
}
fn precedence_6() -> u8 {
    Times::default().tos
}

impl GreTunnel {
    /// The tunnel over a path that carries `fitting` octets of delivery packets.
    #[must_use]
    pub fn settings(&self, fitting: usize) -> Settings {
        let (local, remote) = (*self.source.get_ref(), *self.destination.get_ref());
        let mut settings = Settings::new(self.name.get_ref().clone(), local, remote, fitting);
        settings.addresses.clone_from(&self.address.0);
        settings.key = self.key;
        settings.checksum = self.checksum;
        settings.sequence = self.sequence;
        settings.ttl = self.ttl;
        settings.dscp = self
            .dscp
            .as_ref()
            .map_or(DscpPolicy::Copy, |dscp| DscpPolicy::Set(*dscp.get_ref()));
        settings.df = match self.df_bit {
            DfBit::Copy => DfPolicy::Copy,
            DfBit::Set => DfPolicy::Set,
            DfBit::Clear => DfPolicy::Clear,
        };
        settings.adjust_mss = self.adjust_mss;
        settings.keepalive = self.keepalive.as_ref().map(|k| k.get_ref()).map(|k| Times {
            period: k.period.0,
            retries: k.retries,
            tos: k.tos,
            nonce: k.nonce,
        });
        settings.mtu = match &self.mtu {
            Some(mtu) => usize::from(*mtu.get_ref()),
            None => fitting.saturating_sub(settings.overhead()),
        };
        settings
    }

    /// The `[[peer.tunnel]]` that `profile` makes of it: its ends, protocol 47 (G3, G5).
    fn policy(&self, profile: &IpsecProfile) -> Tunnel {
        let host = |end: &Spanned<IpAddr>| {
            let network = Network((*end.get_ref()).into());
            Spanned::new(end.span(), Several(vec![network]))
        };
        Tunnel {
            name: self.name.clone(),
            of: None,
            local: host(&self.source),
            remote: host(&self.destination),
            protocol: gre::ip::PROTOCOL_GRE,
            shared: false,
            transform_set: profile.transform_set.clone(),
            pfs: profile.pfs,
            lifetime: profile.lifetime,
            lifetime_kilobytes: profile.lifetime_kilobytes,
            esn: profile.esn,
            idle_time: profile.idle_time,
            start: profile.start,
            // The delivery packets are made here: the kernel never sees them.
            selectors: None,
            reverse_route: Rri::Off,
            remote_peer: None,
        }
    }
}

impl Config {
    /// Gives each protected GRE tunnel its `[[peer.tunnel]]`.
    pub(super) fn protect_gre(&mut self) -> Result<(), Fault> {
        let mut names = BTreeSet::new();
        for profile in &self.ipsec_profile {
            if !names.insert(profile.name.get_ref()) {
                let what = format!("a second profile `{}`", profile.name.get_ref());
                return Err((profile.name.span(), what));
            }
        }
        for tunnel in &self.gre {
            let Some(protection) = &tunnel.protection else {
                continue;
            };
            let name = protection.get_ref();
            let profile = self.ipsec_profile.iter().find(|p| p.name.get_ref() == name);
            let Some(profile) = profile else {
                let what = format!("no ipsec-profile is named `{name}`");
                return Err((protection.span(), what));
            };
            let end = *tunnel.destination.get_ref();
            let covers = |peer: &&mut super::Peer| {
                let mut addresses = peer.address.get_ref().0.iter();
                addresses.any(|address| match address {
                    PeerAddress::Host(host) => *host == end,
                    PeerAddress::Within(net) => net.contains(&end),
                    PeerAddress::Any => true,
                })
            };
            let Some(peer) = self.peer.iter_mut().find(covers) else {
                let what = format!("no peer has the address {end}");
                return Err((tunnel.destination.span(), what));
            };
            peer.tunnel.push(tunnel.policy(profile));
        }
        Ok(())
    }

    pub(super) fn check_gre(&self) -> Result<(), Fault> {
        let mut names = BTreeSet::from([self.gateway.tun.as_str()]);
        let mut ends = BTreeSet::new();
        for tunnel in &self.gre {
            let name = tunnel.name.get_ref();
            // The kernel's limit.
            if name.is_empty() || name.len() > 15 || name.contains(['/', ' ']) {
                return Err((
                    tunnel.name.span(),
                    "a device name has 1 to 15 characters".into(),
                ));
            }
            if !names.insert(name) {
                return Err((tunnel.name.span(), format!("a second device `{name}`")));
            }
            let (local, remote) = (tunnel.source.get_ref(), tunnel.destination.get_ref());
            if remote.is_unspecified() || remote.is_multicast() {
                return Err((
                    tunnel.destination.span(),
                    format!("{remote} is nobody's address"),
                ));
            }
            if !ends.insert((local, remote, tunnel.key)) {
                let what = format!("a second tunnel from {local} to {remote} needs another key");
                return Err((tunnel.destination.span(), what));
            }
            if let Some(dscp) = &tunnel.dscp
                && *dscp.get_ref() > 63
            {
                return Err((dscp.span(), "a DSCP has six bits".into()));
            }
            if let Some(mtu) = &tunnel.mtu
                && *mtu.get_ref() < 68
            {
                return Err((mtu.span(), "RFC 791 wants 68 octets at least".into()));
            }
            self.check_keepalive(tunnel)?;
        }
        if self.gre.len() > MAX_GRE {
            let what = format!("more than {MAX_GRE} GRE tunnels");
            return Err((self.gre.last().map_or(0..0, |t| t.name.span()), what));
        }
        Ok(())
    }

    /// What the machine says of it.
    fn check_keepalive(&self, tunnel: &GreTunnel) -> Result<(), Fault> {
        use gre::keepalive::{ConfigError as E, Keepalive};
        let config = tunnel.settings(1500).keepalive();
        let Err(error) = Keepalive::new(config, std::time::Duration::ZERO) else {
            return Ok(());
        };
        let keepalive = tunnel.keepalive.as_ref().map(Spanned::span);
        let span = match error {
            E::MixedFamilies | E::SameEnds => tunnel.destination.span(),
            E::PeriodZero | E::RetriesZero => keepalive.unwrap_or_else(|| tunnel.name.span()),
            _ => tunnel.name.span(),
        };
        Err((span, error.to_string()))
    }
}

/// GRE tunnels of one gateway, at most.
pub const MAX_GRE: usize = 256;
