//! NAT traversal of IPsec (RFC 3947, RFC 3948): classification, detection hashes, vendor IDs, keepalives; sans-IO and no_std.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
