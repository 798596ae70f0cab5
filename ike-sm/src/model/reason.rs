//! Why things end.

/// Why an SA or an attempt at one ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// A command of our side.
    Requested,
    /// The peer deleted it.
    DeletedByPeer,
    /// Its lifetime is over.
    Expired,
    /// A newer one has taken its place.
    Replaced,
    /// No traffic for the configured idle time.
    Idle,
    /// The peer does not answer.
    PeerDead,
    /// The peer says that it has started anew (INITIAL-CONTACT).
    PeerRestarted,
    /// Repetitions of a message went unanswered.
    Timeout,
    /// Repetitions of a message went unanswered, but for an error that nothing authenticates: a hint at
    /// the reason, from the peer or from anybody else.
    RefusedUnproven(u16),
    /// There is no pre-shared key for the peer.
    NoPsk,
    /// The peer answered with other selectors than were asked for. IKEv1 cannot narrow (RFC 2409 §5.5).
    SelectorsChanged,
    /// A question of ours went unanswered, or the answer was no.
    Refused,
    /// The peer refused the negotiation, with a notification under the IKE SA's protection.
    RefusedByPeer(u16),
    /// The IKE SA it depended on has ended.
    ParentClosed,
    /// Evicted to keep within a bound.
    Evicted,
    /// The peer has gone, or was sent, to another gateway (RFC 5685).
    Redirected,
    /// The peer did not prove who it is, or is not who it must be.
    AuthenticationFailed,
    /// The random source failed, or the provider lacks something it listed.
    Crypto,
}
