//! Finding NATs on the path: NAT-D payloads (RFC 3947 §3.2) and the NAT_DETECTION notifications
//! (RFC 7296 §2.23).

use core::net::{IpAddr, SocketAddr};

use crypto_suite::{Digest, Hash};
use subtle::ConstantTimeEq;

/// Hash payloads that one message may carry before the rest is ignored.
pub const MAX_HASHES: usize = 16;

/// The hash of one address: `HASH(CKY-I | CKY-R | IP | Port)`.
///
/// IKEv1 uses the negotiated hash (RFC 3947 §3.2), IKEv2 always SHA-1 over the same fields
/// (RFC 7296 §2.23); the caller passes the one that applies. In the first IKEv2 message the
/// responder's SPI is zero.
#[must_use]
pub fn nat_hash(
    hash: &dyn Hash,
    initiator_cookie: &[u8; 8],
    responder_cookie: &[u8; 8],
    address: SocketAddr,
) -> Digest {
    let port = address.port().to_be_bytes();
    match address.ip() {
        IpAddr::V4(ip) => hash.digest(&[initiator_cookie, responder_cookie, &ip.octets(), &port]),
        IpAddr::V6(ip) => hash.digest(&[initiator_cookie, responder_cookie, &ip.octets(), &port]),
    }
}

/// The NAT-D bodies to send, in wire order: destination first, then every possible source
/// (RFC 3947 §3.2). IKEv2 sends the first as NAT_DETECTION_DESTINATION_IP and the others as
/// NAT_DETECTION_SOURCE_IP.
pub fn nat_hashes<'a>(
    hash: &'a dyn Hash,
    initiator_cookie: &'a [u8; 8],
    responder_cookie: &'a [u8; 8],
    destination: SocketAddr,
    sources: &'a [SocketAddr],
) -> impl Iterator<Item = Digest> + 'a {
    core::iter::once(destination)
        .chain(sources.iter().copied().take(MAX_HASHES.saturating_sub(1)))
        .map(move |address| nat_hash(hash, initiator_cookie, responder_cookie, address))
}

/// Who is behind a NAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Verdict {
    /// Both hashes match: no address or port was rewritten.
    #[default]
    NoNat,
    /// Our own address or port was rewritten: we send keepalives.
    LocalBehindNat,
    /// The peer's was: it sends keepalives, and we follow its address when it moves.
    PeerBehindNat,
    /// Both ends are behind a NAT: both send keepalives.
    BothBehindNat,
}

impl Verdict {
    /// Any NAT at all: move to port 4500 and encapsulate ESP in UDP.
    #[must_use]
    pub const fn nat(self) -> bool {
        !matches!(self, Self::NoNat)
    }

    /// Whether this side sends NAT-keepalives (RFC 3947 §3.2).
    #[must_use]
    pub const fn sends_keepalives(self) -> bool {
        matches!(self, Self::LocalBehindNat | Self::BothBehindNat)
    }

    /// Whether the peer's address may follow authenticated packets. A side that is itself behind
    /// a NAT must not, unless the peer is too (RFC 3947 §7, RFC 7296 §2.23).
    #[must_use]
    pub const fn follows_peer(self) -> bool {
        matches!(self, Self::PeerBehindNat | Self::BothBehindNat)
    }

    const fn of(local_matches: bool, peer_matches: bool) -> Self {
        match (local_matches, peer_matches) {
            (true, true) => Self::NoNat,
            (false, true) => Self::LocalBehindNat,
            (true, false) => Self::PeerBehindNat,
            (false, false) => Self::BothBehindNat,
        }
    }
}

/// What the peer's hashes said, kept for the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detection {
    /// Who is behind a NAT by these hashes.
    pub verdict: Verdict,
    /// The peer's destination hash equals one of our own ("MINE").
    pub local_matches: bool,
    /// One of the peer's source hashes equals that of the address seen ("HIS").
    pub peer_matches: bool,
}

/// Why no verdict is possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DetectError {
    /// No hash of the destination, which is ours.
    #[error("no NAT-D hash of the destination address")]
    NoDestination,
    /// No hash of the source, which is the peer's.
    #[error("no NAT-D hash of a source address")]
    NoSource,
    /// A hash has another length than the negotiated function gives.
    #[error("NAT-D hash of {found} octets where {expected} were expected")]
    Length {
        /// Octets that the negotiated hash function gives.
        expected: usize,
        /// Octets in the payload.
        found: usize,
    },
}

/// Judges the NAT-D bodies of an IKEv1 message, in the order in which they came.
///
/// `own` holds the hashes of every local address that this host may be using, `peer` the hash of
/// the source address that the message was seen to come from.
///
/// # Errors
/// No destination or no source hash, or one of a wrong length.
pub fn detect_v1<'a>(
    own: &[Digest],
    peer: &Digest,
    received: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Detection, DetectError> {
    let mut received = received.into_iter();
    // RFC 3947 §3.2: the first one is the remote end's, which for the receiver is its own.
    let destination = received.next().ok_or(DetectError::NoDestination)?;
    detect(own, peer, destination, received)
}

/// Judges the NAT_DETECTION notifications of an IKEv2 message: the one destination hash and all
/// source hashes. Arguments as in [`detect_v1`].
///
/// # Errors
/// As [`detect_v1`].
pub fn detect_v2<'a>(
    own: &[Digest],
    peer: &Digest,
    destination: &[u8],
    sources: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Detection, DetectError> {
    detect(own, peer, destination, sources.into_iter())
}

fn detect<'a>(
    own: &[Digest],
    peer: &Digest,
    destination: &[u8],
    sources: impl Iterator<Item = &'a [u8]>,
) -> Result<Detection, DetectError> {
    let expected = peer.as_ref().len();
    let checked = |body: &'a [u8]| match body.len() {
        found if found == expected => Ok(body),
        found => Err(DetectError::Length { expected, found }),
    };
    if destination.len() != expected {
        return Err(DetectError::Length {
            expected,
            found: destination.len(),
        });
    }
    let local_matches = own.iter().any(|hash| same(hash, destination));
    let mut any_source = false;
    let mut peer_matches = false;
    for body in sources.take(MAX_HASHES) {
        any_source = true;
        // RFC 3947 §3.2: a NAT is there if and only if none of the source hashes matches.
        peer_matches |= same(peer, checked(body)?);
    }
    if !any_source {
        return Err(DetectError::NoSource);
    }
    Ok(Detection {
        verdict: Verdict::of(local_matches, peer_matches),
        local_matches,
        peer_matches,
    })
}

fn same(hash: &Digest, body: &[u8]) -> bool {
    hash.as_ref().ct_eq(body).into()
}

#[cfg(test)]
mod tests;
