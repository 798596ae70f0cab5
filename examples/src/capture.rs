//! What a reader of captures needs: the packets as they were on the wire, and the keys to them.

mod keys;
mod pcap;

pub use keys::{EspKeys, KeyFiles};
pub use pcap::{Capture, DataLink};
