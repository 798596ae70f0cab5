//! NAT_DETECTION_SOURCE_IP and NAT_DETECTION_DESTINATION_IP (RFC 7296 §2.23).

use alloc::vec::Vec;
use core::net::SocketAddr;

use crypto_suite::{Hash, HashId};
use isakmp_wire::BuildError;
use isakmp_wire::v2::{NotifyType, Writer};
use nat_t::{Float, Verdict, nat_hash};

use super::keys::Spis;
use super::payloads::Payloads;
use crate::context::Context;
use crate::event::{NatCheck, What};
use crate::model::Path;
use crate::v2::frame::Frame;

/// What is sent about our addresses: the source's hash, then the destination's.
pub(crate) type Hashes = Option<(Vec<u8>, Vec<u8>)>;

fn sha1(ctx: &Context<'_>) -> Option<&'static dyn Hash> {
    ctx.provider.hash(HashId::Sha1)
}

/// The hashes to send on this path; none where NAT traversal is off.
pub(crate) fn hashes(ctx: &mut Context<'_>, frame: &Frame<'_>, spis: &Spis) -> Hashes {
    let nat = frame.peer.nat_traversal;
    let sha1 = sha1(ctx).filter(|_| nat.enabled)?;
    let hash = |at: SocketAddr| {
        nat_hash(sha1, &spis.initiator, &spis.responder, at)
            .as_ref()
            .to_vec()
    };
    let source = if nat.force {
        // A hash of no address of ours: the peer finds a NAT (RFC 7296 §2.23).
        ctx.random::<20>().to_vec()
    } else {
        hash(frame.path.local)
    };
    Some((source, hash(frame.path.remote)))
}

/// Writes them.
pub(crate) fn write(writer: &mut Writer<'_>, hashes: &Hashes) -> Result<(), BuildError> {
    if let Some((source, destination)) = hashes {
        writer.notify(NotifyType::NAT_DETECTION_SOURCE_IP, source)?;
        writer.notify(NotifyType::NAT_DETECTION_DESTINATION_IP, destination)?;
    }
    Ok(())
}

/// What the peer's hashes say of the path that they came on. A peer that sends none, or none that
/// can be read, does not do NAT traversal.
pub(crate) fn judge(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    spis: &Spis,
    payloads: &Payloads<'_>,
) -> Option<Verdict> {
    let nat = frame.peer.nat_traversal;
    let sha1 = sha1(ctx).filter(|_| nat.enabled)?;
    let hash = |at| nat_hash(sha1, &spis.initiator, &spis.responder, at);
    let destination = payloads.notify(NotifyType::NAT_DETECTION_DESTINATION_IP)?;
    let sources = payloads
        .notifies
        .iter()
        .filter(|n| n.notify_type == NotifyType::NAT_DETECTION_SOURCE_IP)
        .map(|n| n.data);
    let found = nat_t::detect_v2(
        &[hash(frame.path.local)],
        &hash(frame.path.remote),
        destination.data,
        sources,
    )
    .ok()?;
    for (ours, matches) in [(true, found.local_matches), (false, found.peer_matches)] {
        let payload = isakmp_wire::v2::PayloadType::NOTIFY.into();
        ctx.note(
            Some(frame.ike),
            What::NatDetection(NatCheck {
                ours,
                matches,
                payload,
            }),
        );
    }
    Some(if nat.force && found.verdict == Verdict::NoNat {
        Verdict::LocalBehindNat
    } else {
        found.verdict
    })
}

/// Where the initiator goes on after IKE_SA_INIT.
pub(crate) fn float(
    ctx: &Context<'_>,
    frame: &Frame<'_>,
    verdict: Option<Verdict>,
    path: Path,
) -> Path {
    let Some(verdict) = verdict else { return path };
    let (ours, theirs) = (ctx.config.ports.nat_t, frame.peer.ports.nat_t);
    match nat_t::float_with(verdict, path.local.port(), ours, theirs) {
        Float::Move {
            local_port,
            remote_port,
        } => Path::nat_traversal(
            SocketAddr::new(path.local.ip(), local_port),
            SocketAddr::new(path.remote.ip(), remote_port),
        ),
        Float::Stay | Float::Already => path,
    }
}
