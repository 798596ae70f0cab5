//! MOBIKE: the IKE SA moves to other addresses, and its children with it (RFC 4555).
//!
//! The original initiator decides. With both ends speaking it, the other one follows nothing but
//! UPDATE_SA_ADDRESSES (§3.8), and a NAT that has made a new mapping is noticed by the answer to a
//! sign of life. Each end knows the other addresses of its peer; the initiator goes on to one of
//! them, or from one of its own, when nothing comes back on the path in use.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use isakmp_wire::BuildError;
use isakmp_wire::v2::{NotifyType, Writer};

use super::nat;
use super::payloads::Payloads;
use super::protect::Inner;
use crate::config::PeerConfig;
use crate::config::v2::MAX_ADDRESSES;
use crate::context::Context;
use crate::model::{DropReason, Path};
use crate::v2::frame::Frame;

/// Octets of our COOKIE2 (RFC 4555 §4.2.5: 8 to 64).
pub(super) const COOKIE_LEN: usize = 16;
/// Paths that are tried when the one in use is dead.
pub(super) const MAX_PATHS: usize = 32;
/// How often an update is repeated that has met a NAT where none may be (RFC 4555 §3.9).
pub(super) const MAX_NATS: u8 = 5;

/// Where both ends may be, and what is known of the paths between them.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    /// Our other addresses.
    pub(super) ours: Vec<IpAddr>,
    /// The peer's other addresses.
    pub(super) theirs: Vec<IpAddr>,
    /// The message ID of the peer's newest UPDATE_SA_ADDRESSES.
    pub(super) moved_by: Option<u32>,
    /// The message ID of the peer's newest list of addresses.
    pub(super) listed_by: Option<u32>,
    /// Paths on which nothing came back since something did.
    pub(super) dead: Vec<(IpAddr, IpAddr)>,
    /// The path before the one that the peer has not accepted yet.
    pub(super) before: Option<Path>,
    /// How often the peer has found a NAT where none may be.
    pub(super) nats: u8,
}

impl Paths {
    pub(super) fn new(peer: &PeerConfig, theirs: Vec<IpAddr>) -> Self {
        Self {
            ours: peer.v2.additional_addresses.clone(),
            theirs,
            ..Self::default()
        }
    }

    /// The same for the SA that takes the place of this one: its message IDs begin anew.
    pub(super) fn inherit(&self) -> Self {
        Self {
            ours: self.ours.clone(),
            theirs: self.theirs.clone(),
            ..Self::default()
        }
    }
}

/// `HDR, SK {N(NAT_DETECTION_*)} -->`: a sign of life that shows a new mapping (RFC 4555 §3.8).
pub(super) fn probe(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Result<Inner, DropReason> {
    let hashes = nat::hashes(ctx, frame, &frame.spis);
    build(|w| nat::write(w, &hashes))
}

/// Writes addresses of ours, without the one in use.
pub(super) fn write_addresses(
    w: &mut Writer<'_>,
    frame: &Frame<'_>,
    ours: &[IpAddr],
) -> Result<(), BuildError> {
    for ip in ours.iter().filter(|ip| **ip != frame.path.local.ip()) {
        match ip {
            IpAddr::V4(ip) => w.notify(NotifyType::ADDITIONAL_IP4_ADDRESS, &ip.octets())?,
            IpAddr::V6(ip) => w.notify(NotifyType::ADDITIONAL_IP6_ADDRESS, &ip.octets())?,
        };
    }
    Ok(())
}

/// The peer's other addresses, if a message lists them. Those beyond a bound are left out.
pub(super) fn listed(payloads: &Payloads<'_>) -> Option<Vec<IpAddr>> {
    let listed = payloads.notifies.iter().filter_map(|n| {
        let address = n.address()?;
        let kind = match address {
            IpAddr::V4(_) => NotifyType::ADDITIONAL_IP4_ADDRESS,
            IpAddr::V6(_) => NotifyType::ADDITIONAL_IP6_ADDRESS,
        };
        (n.notify_type == kind).then_some(address)
    });
    let listed: Vec<IpAddr> = listed.take(MAX_ADDRESSES).collect();
    let none = payloads.has(NotifyType::NO_ADDITIONAL_ADDRESSES);
    (none || !listed.is_empty()).then_some(listed)
}

/// Where a message is from and where it goes: addresses, then ports (RFC 4555 §4.2.6).
pub(super) fn ends(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let mut octets = Vec::with_capacity(36);
    for end in [source, destination] {
        match end.ip() {
            IpAddr::V4(ip) => octets.extend(ip.octets()),
            IpAddr::V6(ip) => octets.extend(ip.octets()),
        }
    }
    octets.extend(source.port().to_be_bytes());
    octets.extend(destination.port().to_be_bytes());
    octets
}

/// Writes NO_NATS_ALLOWED where NAT traversal is off (RFC 4555 §3.9).
pub(super) fn write_no_nats(w: &mut Writer<'_>, frame: &Frame<'_>) -> Result<(), BuildError> {
    if !frame.peer.nat_traversal.enabled {
        let ends = ends(frame.path.local, frame.path.remote);
        w.notify(NotifyType::NO_NATS_ALLOWED, &ends)?;
    }
    Ok(())
}

/// Whether no NAT is on the path of a peer that wants none there.
pub(super) fn no_nats(frame: &Frame<'_>, payloads: &Payloads<'_>) -> bool {
    let wants = payloads.notify(NotifyType::NO_NATS_ALLOWED);
    wants.is_none_or(|n| n.data == ends(frame.path.remote, frame.path.local))
}

pub(super) fn build(
    fill: impl FnOnce(&mut Writer<'_>) -> Result<(), BuildError>,
) -> Result<Inner, DropReason> {
    Inner::build(fill).map_err(|_| DropReason::Limit("message size"))
}

/// What a response to a request with NAT detection needs: the hashes of this path.
pub(super) fn echo(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    payloads: &Payloads<'_>,
) -> nat::Hashes {
    if !payloads.has(NotifyType::NAT_DETECTION_SOURCE_IP) {
        return None;
    }
    nat::hashes(ctx, frame, &frame.spis)
}

/// How the peer sees us, in a response.
pub(super) fn seen_as(payloads: &Payloads<'_>) -> Option<Vec<u8>> {
    let notify = payloads.notify(NotifyType::NAT_DETECTION_DESTINATION_IP)?;
    (notify.data.len() == 20).then(|| notify.data.to_vec())
}
