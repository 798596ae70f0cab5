//! What the fuzz targets do, without a fuzzer: `fuzz_targets/` feeds these from libFuzzer, and
//! `examples/tests/corpora.rs` replays the committed corpora through them in `cargo test`.
//!
//! A target panics where a law is broken: a decoder that does not give back what it read, a
//! dropped event that changed state, a deadline that does not move on.

pub mod eap;
pub mod esp;
pub mod gre;
pub mod ike;
pub mod ike_v2;
pub mod isakmp;
pub mod nat;
pub mod v2;
pub mod vrrp;

/// A fuzz target.
pub type Target = fn(&[u8]);

/// Every target by the name of its corpus folder.
pub const ALL: &[(&str, Target)] = &[
    ("esp_inbound", esp::inbound),
    ("esp_ip_packet", esp::ip_packet),
    ("gre", gre::packets),
    ("gre_keepalive", gre::keepalive),
    ("ike_v1_responder", ike::v1_responder),
    ("ike_v1_session", ike::v1_session),
    ("ike_v2_eap", eap::messages),
    ("ike_v2_fragments", v2::fragments),
    ("ike_v2_negotiation", v2::negotiation),
    ("ike_v2_pair", ike_v2::v2_pair),
    ("ike_v2_protect", v2::protect),
    ("ike_v2_responder", ike_v2::v2_responder),
    ("ike_v2_session", ike_v2::v2_session),
    ("isakmp_attributes", isakmp::attributes),
    ("isakmp_message", isakmp::message),
    ("isakmp_v1_chain", isakmp::v1_chain),
    ("isakmp_v2_chain", v2::chain),
    ("nat_t_classify", nat::classify),
    ("nat_t_pat", nat::pat),
    ("vrrp_packet", vrrp::packet),
    ("vrrp_router", vrrp::router),
];

/// Takes fuzz bytes apart: numbers and short strings from the front.
pub(crate) struct Feed<'a>(pub(crate) &'a [u8]);

impl<'a> Feed<'a> {
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    /// As many bytes as a length byte pair says, or what is left.
    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let wanted = usize::from(u16::from_be_bytes(self.array()?));
        let (bytes, rest) = self.0.split_at(wanted.min(self.0.len()));
        self.0 = rest;
        Some(bytes)
    }
}
