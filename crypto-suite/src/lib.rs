//! The algorithms of IKE and ESP behind one provider seam, no_std.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
