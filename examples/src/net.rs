//! What the kernel gives: UDP sockets, raw ESP sockets, TUN devices, links, addresses and routes.

pub mod df;
pub mod icmp;
pub mod netlink;
pub mod raw_esp;
pub mod raw_gre;
mod room;
pub mod tun;
pub mod udp;
