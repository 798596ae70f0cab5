//! How much a peer may make us keep.

use core::time::Duration;

/// Bounds of an endpoint. Every list that a peer can make grow has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointLimits {
    /// IKE SAs of all states together.
    pub ike_sas: usize,
    /// Phase 1 negotiations that others started and that are not authenticated.
    pub half_open: usize,
    /// Those of them from one address that has not been proved.
    pub half_open_per_address: usize,
    /// The so-manieth unfinished negotiation of IKEv2 has to bring a cookie back before anything is spent
    /// on it (RFC 7296 §2.6). One that does counts as an address that is proved: `half_open` alone
    /// bounds those, so that users behind one NAT do not lock each other out.
    pub cookie_threshold: usize,
    /// Aggressive modes that others started and that are not authenticated. Each has cost us a
    /// Diffie-Hellman exchange for a stranger, so more are dropped, and none makes room for another.
    pub half_open_aggressive: usize,
    /// How long such a negotiation may take.
    pub half_open_time: Duration,
    /// Child SA pairs of one IKE SA.
    pub children_per_ike_sa: usize,
    /// Exchanges under way in one IKE SA at once.
    pub exchanges_per_ike_sa: usize,
    /// Message ids remembered per IKE SA, of both sides, 4 bytes each. When they are that many, the
    /// SA is rekeyed.
    pub message_ids_per_ike_sa: usize,
    /// How long a question may stay open.
    pub question_time: Duration,
    /// Answers a second, to all senders together, that a request belongs to no IKE SA or has a version
    /// that is not spoken here (RFC 7296 §2.21.4). Only addresses of configured peers get them; 0
    /// switches them off.
    pub stray_answers: u32,
    /// How long the answer to a finished exchange is kept for a peer that repeats its message.
    pub answer_time: Duration,
}

impl Default for EndpointLimits {
    fn default() -> Self {
        Self {
            ike_sas: 20_000,
            half_open: 1_000,
            half_open_per_address: 10,
            cookie_threshold: 30,
            half_open_aggressive: 64,
            half_open_time: Duration::from_secs(30),
            children_per_ike_sa: 64,
            exchanges_per_ike_sa: 8,
            message_ids_per_ike_sa: 512,
            stray_answers: 10,
            question_time: Duration::from_secs(10),
            answer_time: Duration::from_secs(120),
        }
    }
}
