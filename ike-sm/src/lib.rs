//! IKE state machines, event in and action out: IKEv1 main, aggressive and quick mode, IKEv2, DPD and keepalives; sans-IO and no_std.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
