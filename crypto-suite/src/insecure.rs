//! A provider **without any security**, for fuzzers and fast simulation.
//!
//! Every algorithm of the default provider but signatures is here under its own id, with its own lengths, so
//! that state machines negotiate as always. Ciphers copy, hashes and PRFs mix a few words, groups
//! add public values up. Nothing here keeps anything secret from anybody.
//!
//! [`CHECKED`] still notices a corrupted packet (simulation over bad links); [`UNCHECKED`] takes
//! any ICV (a fuzzer that mutates sealed packets).

mod group;
mod packet;
mod symmetric;

use crate::Provider;

/// No security, but a changed packet is refused.
pub const CHECKED: Provider = Provider {
    hashes: symmetric::HASHES,
    prfs: symmetric::PRFS,
    integrities: symmetric::INTEGRITIES,
    ciphers: symmetric::CIPHERS,
    protections: packet::CHECKED,
    groups: group::ALL,
    // Real ones: their cost falls on certificate authentication alone.
    signatures: crate::signature::ALL,
    mschapv2: crate::mschapv2::DEFAULT,
};

/// No security, and every ICV passes.
pub const UNCHECKED: Provider = Provider {
    protections: packet::UNCHECKED,
    ..CHECKED
};
