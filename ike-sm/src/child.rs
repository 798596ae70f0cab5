//! The pairs of IPsec SAs of an endpoint, whichever version of IKE made them.
//!
//! A child belongs to a peer, not to the IKE SA that negotiated it: an IKE SA may be replaced under
//! it. Two children for the same traffic may stand side by side during a rekey; exactly one of them
//! carries outbound packets, both take inbound ones.

mod areas;
mod life;
mod overlap;
mod spi;
mod table;

pub(crate) use life::{
    NewChild, activate, activate_first, expire, give_way, install, linger, on_deadline, on_traffic,
    postpone, rekey_failed, remove, retry_soon, skip,
};
// RESPONDER-LIFETIME (RFC 2407 §4.6.3.1) is IKEv1's.
#[cfg(feature = "v1")]
pub(crate) use life::shorten;
pub(crate) use overlap::{Claim, refuse_overlap};
pub(crate) use spi::ReservedSpi;
pub(crate) use table::{Child, ChildState, Children, DeletedChild, TrafficOf, Wanted};
