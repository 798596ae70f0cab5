//! What the phase 1 modes have in common: the agreed suite, vendor IDs, NAT detection, keys,
//! identities.

mod keyed;
mod suite;

use alloc::sync::Arc;
use alloc::vec::Vec;

use crypto_suite::Secret;
use isakmp_wire::BuildError;
use isakmp_wire::registry::ProtocolId;
use isakmp_wire::v1::{Dialect, Identification, NotifyType, PayloadType, Writer};
use nat_t::{Verdict, Version, Versions};

use crate::config::PeerConfig;
use crate::context::Context;
use crate::event::{IdentityShown, NatCheck, Notice, PskFound, What};
use crate::model::{Authentication, DropReason, IdPort, Identity, IkeId, Path, Role};
use crate::v1::keys::Cookies;

pub(crate) use keyed::{Exchanged, Keyed, Proof, verified};
pub(crate) use suite::{Offered, Suite, choose, limit_lifetime, select, write_choice};

/// RFC 3706 §5.1: the DPD vendor ID without its version, and the version spoken here.
pub(crate) const DPD_VENDOR: [u8; 14] = [
    0xaf, 0xca, 0xd7, 0x13, 0x68, 0xa1, 0xf1, 0xc9, 0x6b, 0x86, 0x96, 0xfc, 0x77, 0x57,
];
const DPD_VERSION: [u8; 2] = [1, 0];

/// Vendor IDs of one message that are reported.
const MOST_NAMES: usize = 32;

/// Bytes of our nonces: as many as the longest prf gives.
const NONCE_LEN: usize = 32;

/// The ISAKMP SA that a phase 1 message belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) ike: IkeId,
    pub(crate) role: Role,
    /// The peer's place in the configuration.
    pub(crate) index: usize,
    pub(crate) peer: &'a PeerConfig,
    /// Where the message at hand came from, or where ours goes.
    pub(crate) path: Path,
    /// Where the SA is known to run.
    pub(crate) home: Path,
    pub(crate) cookies: Cookies,
}

/// What the peer has announced about itself.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Vendor {
    pub(crate) dpd: bool,
    pub(crate) nat_t: Versions,
    pub(crate) dialect: Dialect,
}

impl Vendor {
    /// Reads the vendor IDs of one message; those of earlier ones stay.
    pub(crate) fn learn(&mut self, vendor_ids: &[&[u8]]) {
        for id in vendor_ids {
            // RFC 3706 §5.1: the last two bytes are the version.
            self.dpd |= id.len() == 16 && id.starts_with(&DPD_VENDOR);
            self.nat_t.see(id);
            self.dialect.learn(id);
        }
    }

    /// The version of NAT traversal that both ends speak.
    pub(crate) fn nat_t_version(&self, peer: &PeerConfig) -> Option<Version> {
        ours(peer).best_common(self.nat_t)
    }
}

/// The versions of NAT traversal that we announce to this peer.
pub(crate) fn ours(peer: &PeerConfig) -> Versions {
    let nat = peer.nat_traversal;
    if !nat.enabled {
        Versions::NONE
    } else if nat.drafts {
        Version::USUAL.into_iter().collect()
    } else {
        core::iter::once(Version::Rfc3947).collect()
    }
}

/// The versions of NAT traversal that we announce, as they go out.
pub(crate) fn announced(peer: &PeerConfig) -> impl Iterator<Item = Version> + use<> {
    let ours = ours(peer);
    Version::USUAL
        .into_iter()
        .filter(move |version| ours.contains(*version))
}

/// Announces DPD and these versions of NAT traversal.
pub(crate) fn write_vendor_ids(
    writer: &mut Writer<'_>,
    nat_t: impl IntoIterator<Item = Version>,
) -> Result<(), BuildError> {
    for version in nat_t {
        writer.payload(PayloadType::VENDOR_ID, &version.vendor_id())?;
    }
    let dpd: Vec<u8> = DPD_VENDOR.iter().chain(&DPD_VERSION).copied().collect();
    writer.payload(PayloadType::VENDOR_ID, &dpd)?;
    Ok(())
}

/// Reports the vendor IDs that have a name.
pub(crate) fn report_vendor_ids(ctx: &mut Context<'_>, ike: IkeId, vendor_ids: &[&[u8]]) {
    let names = vendor_ids
        .iter()
        .filter_map(|id| isakmp_wire::vendor_id::name(id));
    for name in names.take(MOST_NAMES) {
        ctx.note(Some(ike), What::VendorId { name });
    }
}

/// A fresh nonce.
pub(crate) fn nonce(ctx: &mut Context<'_>) -> Vec<u8> {
    ctx.random::<NONCE_LEN>().to_vec()
}

/// What NAT detection has found, and the version whose numbers are used.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Nat {
    pub(crate) verdict: Verdict,
    pub(crate) version: Option<Version>,
}

/// Writes NAT-D payloads, if that is agreed on (RFC 3947 §3.2).
pub(crate) fn write_nat_d(
    writer: &mut Writer<'_>,
    frame: &Frame<'_>,
    suite: &Suite,
    version: Option<Version>,
) -> Result<(), BuildError> {
    let Some(version) = version else {
        return Ok(());
    };
    let kind = PayloadType(version.numbers().nat_d);
    let (i, r) = (&frame.cookies.initiator, &frame.cookies.responder);
    // RFC 3947 §3.2: the peer's address first, then ours.
    let there = nat_t::nat_hash(suite.hash, i, r, frame.path.remote);
    writer.payload(kind, there.as_ref())?;
    let here = if frame.peer.nat_traversal.force {
        // The hash of an address nobody has: the peer sees a NAT before us.
        suite.hash.digest(&[i, r, &[0; 6]])
    } else {
        nat_t::nat_hash(suite.hash, i, r, frame.path.local)
    };
    writer.payload(kind, here.as_ref())?;
    Ok(())
}

/// Judges the peer's NAT-D payloads.
pub(crate) fn detect_nat(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    suite: &Suite,
    version: Option<Version>,
    nat_d: &[(PayloadType, &[u8])],
) -> Result<Nat, DropReason> {
    // A peer that announces NAT traversal and sends no hashes does not want it.
    let (Some(version), Some((payload, _))) = (version, nat_d.first()) else {
        return Ok(Nat::default());
    };
    let (i, r) = (&frame.cookies.initiator, &frame.cookies.responder);
    let own = [nat_t::nat_hash(suite.hash, i, r, frame.path.local)];
    let peer = nat_t::nat_hash(suite.hash, i, r, frame.path.remote);
    let found = nat_t::detect_v1(&own, &peer, nat_d.iter().map(|(_, hash)| *hash))
        .map_err(|_| DropReason::BadPayload(PayloadType::NAT_D.into()))?;
    for (ours, matches) in [(true, found.local_matches), (false, found.peer_matches)] {
        ctx.note(
            Some(frame.ike),
            What::NatDetection(NatCheck {
                ours,
                matches,
                payload: (*payload).into(),
            }),
        );
    }
    let verdict = match (frame.peer.nat_traversal.force, found.verdict) {
        (true, Verdict::NoNat) => Verdict::LocalBehindNat,
        (true, Verdict::PeerBehindNat) => Verdict::BothBehindNat,
        (_, verdict) => verdict,
    };
    Ok(Nat {
        verdict,
        version: Some(version),
    })
}

/// Where the messages from the fifth on go (RFC 3947 §4).
pub(crate) fn floated(ctx: &Context<'_>, frame: &Frame<'_>, nat: Nat) -> Path {
    let (local, remote) = (ctx.config.ports.nat_t, frame.peer.ports.nat_t);
    let mut path = frame.path;
    if !path.natt && nat.verdict.nat() {
        path.local.set_port(local);
        path.remote.set_port(remote);
        path.natt = true;
    }
    path
}

/// Whether a pre-shared key may be what proves this peer.
pub(crate) fn wants_psk(ctx: &Context<'_>, frame: &Frame<'_>) -> bool {
    let policies = ctx.config.policies_for(frame.peer);
    let psk = Authentication::PreSharedKey;
    policies.iter().any(|policy| policy.authentication == psk)
}

/// A key from the configuration, or the knowledge that there is none there. `identity` is what the
/// peer claims to be, where it is known.
pub(crate) fn configured_psk(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    identity: Option<&Identity>,
) -> Option<Secret> {
    let config = ctx.config;
    let address = frame.path.remote.ip();
    let identity = identity.or(frame.peer.remote_id.named());
    let found = config.psks.find(address, identity);
    let what = match &found {
        Some(found) if found.is_wildcard() => PskFound::Wildcard,
        Some(_) => PskFound::Yes,
        None => PskFound::Asked,
    };
    ctx.note(
        Some(frame.ike),
        What::PskLookup {
            peer: address,
            found: what,
        },
    );
    if what == PskFound::Wildcard {
        ctx.note(Some(frame.ike), What::Notice(Notice::WildcardPsk));
    }
    found.map(|found| found.key.clone())
}

/// Nothing protects NAT-D payloads, so the ends may have judged differently. The initiator has
/// decided by moving to port 4500 or not (RFC 3947 §4), and its quick modes will follow that.
pub(crate) fn settled_verdict(ours: Verdict, frame: &Frame<'_>) -> Verdict {
    match (frame.home.natt, frame.path.natt) {
        (true, _) => ours,
        (false, true) if ours.nat() => ours,
        (false, true) => Verdict::PeerBehindNat,
        (false, false) => Verdict::NoNat,
    }
}

/// The body of our identification payload (RFC 2407 §4.6.2).
pub(crate) fn own_id(ctx: &mut Context<'_>, frame: &Frame<'_>, nat_t: bool) -> Vec<u8> {
    let identity = frame
        .peer
        .local_id
        .clone()
        .unwrap_or_else(|| Identity::Address(frame.path.local.ip()));
    let (protocol, mut port) = frame.peer.id_port.fields();
    if nat_t {
        // RFC 3947 §4: with NAT traversal the port in the ID payload MUST be 0.
        port = 0;
    }
    let mut body = alloc::vec![identity.id_type(), protocol];
    body.extend_from_slice(&port.to_be_bytes());
    body.extend_from_slice(&identity.to_wire());
    let length = u16::try_from(body.len().saturating_add(4)).unwrap_or(u16::MAX);
    let next_payload = PayloadType::HASH.0;
    ctx.note(
        Some(frame.ike),
        What::Identity(IdentityShown {
            ours: true,
            identity,
            protocol,
            port,
            next_payload,
            length,
        }),
    );
    body
}

/// The identity of the peer, if this peer may have it. Called after its HASH has verified, or before
/// its signature is.
pub(crate) fn peer_id(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    id: &Identification<'_>,
) -> Result<Arc<Identity>, DropReason> {
    let identity = Identity::from_wire(id.id_type.0, id.data)
        .ok_or(DropReason::BadPayload(PayloadType::IDENTIFICATION.into()))?;
    ctx.note(
        Some(frame.ike),
        What::Identity(IdentityShown {
            ours: false,
            identity: identity.clone(),
            protocol: id.protocol,
            port: id.port,
            next_payload: PayloadType::HASH.0,
            length: u16::try_from(id.body.len().saturating_add(4)).unwrap_or(u16::MAX),
        }),
    );
    if !IdPort::accepts(id.protocol, id.port) {
        return Err(DropReason::BadPayload(PayloadType::IDENTIFICATION.into()));
    }
    if frame.peer.may_be(&identity, frame.path.remote.ip()) {
        Ok(Arc::new(frame.peer.known_as(identity)))
    } else {
        Err(DropReason::WrongIdentity)
    }
}

/// Writes INITIAL-CONTACT (RFC 2407 §4.6.3.3).
pub(crate) fn write_initial_contact(
    writer: &mut Writer<'_>,
    cookies: &Cookies,
) -> Result<(), BuildError> {
    let spi: Vec<u8> = cookies
        .initiator
        .iter()
        .chain(&cookies.responder)
        .copied()
        .collect();
    writer.notification(ProtocolId::ISAKMP, &spi, NotifyType::INITIAL_CONTACT, &[])?;
    Ok(())
}
