//! How much a peer may make us keep.

use core::time::Duration;

/// Bounds of an endpoint. Every list that a peer can make grow has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointLimits {
    /// IKE SAs of authenticated peers. When there are as many, no other begins, and a peer may
    /// replace its own one at a time. No more than these are kept besides for a peer that has missed
    /// our last word.
    pub ike_sas: usize,
    /// Negotiations that others started and that are not authenticated. When there are as many, one
    /// makes room for the next: the oldest of the /24 (of IPv6, the /56) that has most of them. Those
    /// that have shown that our answers arrive and those that have not have half of the room each
    /// where both want more.
    pub half_open: usize,
    /// Those of one address that have not shown yet that our answers arrive. The next one takes the
    /// place of the oldest; in IKEv2 it has to bring a cookie back instead (RFC 7296 §2.6).
    pub half_open_per_address: usize,
    /// The same for a whole /24 (of IPv6, a /56).
    pub half_open_per_prefix: usize,
    /// Those of one address that have: with a cookie or any other message that only a receiver of
    /// ours can make. Users behind one NAT share it. The next one takes the place of the oldest.
    pub half_open_proved_per_address: usize,
    /// The same for a whole /24 (of IPv6, a /56).
    pub half_open_proved_per_prefix: usize,
    /// From this number of unfinished negotiations on, those of IKEv2 have to bring a cookie back
    /// before anything is spent on them (RFC 7296 §2.6).
    pub cookie_threshold: usize,
    /// Aggressive modes of others that are answered within a second, those that get authenticated
    /// aside. Each costs a Diffie-Hellman exchange for a stranger, and IKEv1 has no cookie to ask for
    /// first. A quarter is kept for the addresses of configured peers and of those with an ISAKMP SA.
    pub aggressive_per_second: usize,
    /// Those of one /24 (of IPv6, one /56).
    pub aggressive_per_second_per_prefix: usize,
    /// How long a negotiation that others started may take.
    pub half_open_time: Duration,
    /// IKE SAs of one peer that others have replaced and that nobody has deleted yet, those of one
    /// identity that were refused, and Child SA pairs of one traffic that wait or are replaced. A peer
    /// that wants to replace one more is told to wait (TEMPORARY_FAILURE, RFC 7296 §2.25), or, in
    /// IKEv1 and with a new IKE SA, the oldest goes.
    pub replaced_per_peer: usize,
    /// IKE SAs of one identity of one peer, of all its devices together: the oldest makes room for the
    /// next, so that one account does not use up [`ike_sas`](Self::ike_sas).
    pub ike_sas_per_identity: usize,
    /// Child SA pairs of one IKE SA. While such that replace others stand beside them, twice as many of
    /// all together.
    pub children_per_ike_sa: usize,
    /// Exchanges under way in one IKE SA at once.
    pub exchanges_per_ike_sa: usize,
    /// Message ids remembered per IKE SA, of both sides, 4 bytes each. When they are that many, the
    /// SA is rekeyed; until it ends, as many again are remembered.
    pub message_ids_per_ike_sa: usize,
    /// Passwords of EAP that are looked at, over all IKE SAs.
    pub guesses: GuessLimits,
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
            half_open_per_prefix: 100,
            half_open_proved_per_address: 100,
            half_open_proved_per_prefix: 250,
            cookie_threshold: 30,
            aggressive_per_second: 32,
            aggressive_per_second_per_prefix: 8,
            half_open_time: Duration::from_secs(30),
            replaced_per_peer: 8,
            ike_sas_per_identity: 1_000,
            children_per_ike_sa: 64,
            exchanges_per_ike_sa: 8,
            message_ids_per_ike_sa: 512,
            stray_answers: 10,
            guesses: GuessLimits::DEFAULT,
            question_time: Duration::from_secs(10),
            answer_time: Duration::from_secs(120),
        }
    }
}

/// How many passwords of EAP are looked at that are not right. A right one does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuessLimits {
    /// Of one user from one source: an IPv4 /24 or an IPv6 /56.
    pub user_at_source: GuessRate,
    /// From one source.
    pub source: GuessRate,
    /// Of one user from all sources from which it has not shown its password. Strangers use it up, so
    /// it is wider than the first.
    pub user: GuessRate,
    /// A guess that would have to wait longer than this is refused unseen. Less than a client waits
    /// for an answer.
    pub longest_wait: Duration,
}

/// A number of guesses at once, then one each interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuessRate {
    /// At once.
    pub burst: u32,
    /// Time after which there may be one more.
    pub interval: Duration,
}

impl GuessLimits {
    /// Five of one user from one source and six a minute; sixty from one source and thirty a minute;
    /// fifty of one user and thirty a minute; waits of up to 10 s.
    pub const DEFAULT: Self = Self {
        user_at_source: GuessRate {
            burst: 5,
            interval: Duration::from_secs(10),
        },
        source: GuessRate {
            burst: 60,
            interval: Duration::from_secs(2),
        },
        user: GuessRate {
            burst: 50,
            interval: Duration::from_secs(2),
        },
        longest_wait: Duration::from_secs(10),
    };
}

impl Default for GuessLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
