//! A dissector for what the suite speaks: ISAKMP, ESP, AH, GRE and VRRP out of captures.

mod decrypt;
mod esp;
mod fields;
mod ikev1;
mod ikev2;
pub mod input;
mod isakmp;
pub mod keys;
pub mod ladder;
mod link;
pub mod node;
mod packet;
pub mod report;
mod tunnel;
mod v1_fields;
mod v2_fields;

pub use packet::Decoder;
