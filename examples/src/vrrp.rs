//! A small VRRP daemon: virtual routers of versions 2 and 3 on the interfaces of a Linux machine.
//!
//! The protocol is the `vrrp` crate's; here are its sockets, its clock and what it does to the
//! machine: macvlan interfaces with the virtual MAC address or plain addresses, gratuitous ARP and
//! neighbor advertisements, watched interfaces, `status` over a Unix socket. Addresses it adds are
//! accepted by the machine (Accept_Mode is on): there is no packet filter here.

pub mod cli;
pub mod config;
mod control;
mod daemon;
mod link;
mod socket;
