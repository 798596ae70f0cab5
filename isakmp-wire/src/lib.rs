//! Zero-copy codecs for ISAKMP (IKEv1) and IKEv2 messages, sans-IO and no_std.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
