//! ESP and AH (RFC 4303, RFC 4302): packets, security associations, replay windows and lifetimes, sans-IO and no_std.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
