//! GRE (RFC 2784, RFC 2890, RFC 2637): codec, sequence state, keepalives and multipoint tables, sans-IO and no_std.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
