//! VRRP version 2 and 3 (RFC 3768, RFC 5798, RFC 9568): codecs and the election state machine, sans-IO and no_std.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
