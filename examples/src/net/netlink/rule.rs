//! Policy routing: a routing table that holds for all packets but the marked ones.

use super::{Netlink, Rt};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    AddressFamily,
    rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage},
};
use std::io;

/// Packets without `mark` look into `table` before they look into the main table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// For IPv6.
    pub v6: bool,
    /// The mark of packets that the rule leaves alone (`SO_MARK`).
    pub mark: u32,
    /// The routing table.
    pub table: u32,
}

impl Netlink {
    /// Adds `rule`. One that is there already is no error.
    ///
    /// # Errors
    /// The kernel refuses it; it needs `CAP_NET_ADMIN` and policy routing.
    pub fn add_rule(&mut self, rule: &Rule) -> io::Result<()> {
        match self.ask(Rt::NewRule(rule.message()), NLM_F_CREATE | NLM_F_EXCL) {
            Err(e) if e.raw_os_error() == Some(libc::EEXIST) => Ok(()),
            result => result,
        }
    }

    /// Removes `rule`. One that is gone already is no error.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn del_rule(&mut self, rule: &Rule) -> io::Result<()> {
        match self.ask(Rt::DelRule(rule.message()), 0) {
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            result => result,
        }
    }
}

impl Rule {
    fn message(&self) -> RuleMessage {
        let mut message = RuleMessage::default();
        message.header.family = if self.v6 {
            AddressFamily::Inet6
        } else {
            AddressFamily::Inet
        };
        message.header.action = RuleAction::ToTable;
        message.header.flags = RuleFlags::Invert;
        message.attributes.push(RuleAttribute::FwMark(self.mark));
        message.attributes.push(RuleAttribute::FwMask(u32::MAX));
        message.attributes.push(RuleAttribute::Table(self.table));
        message
    }
}
