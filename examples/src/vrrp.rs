//! A small VRRP daemon: virtual routers of versions 2 and 3 on the interfaces of a Linux machine.
//!
//! The protocol is the `vrrp` crate's; here are its sockets, its clock and what it does to the
//! machine: macvlan interfaces with the virtual MAC address or plain addresses, gratuitous ARP and
//! neighbor advertisements, watched interfaces, `status` over a Unix socket. The machine takes
//! packets to the addresses for itself unless `accept = false` (Accept_Mode) has iptables drop them.

pub mod cli;
pub mod config;
mod control;
mod daemon;
mod filter;
mod link;
mod socket;
