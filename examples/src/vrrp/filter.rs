//! A master without Accept_Mode (RFC 9568 §6.1): packets to the virtual addresses are dropped, but for what resolves
//! those addresses. The kernel would take them, for it has the addresses; its packet filter keeps them out.

use crate::process::log::line;
use ipnet::IpNet;
use std::{io, net::IpAddr, process::Command};

/// Rules of iptables and ip6tables, there as long as this value.
pub(super) struct Filter {
    rules: Vec<(&'static str, Vec<String>)>,
}

impl Filter {
    /// Keeps what comes in by `device` away from `addresses`.
    ///
    /// # Errors
    /// iptables is not there or refuses.
    pub(super) fn install(device: &str, addresses: &[IpNet]) -> io::Result<Self> {
        let mut filter = Self { rules: Vec::new() };
        for address in addresses {
            let to = address.addr().to_string();
            let base = ["-i", device, "-d", &to];
            // RFC 9568 §6.1: neighbor solicitations and advertisements MUST NOT be dropped.
            let (program, kept): (_, &[_]) = match address.addr() {
                IpAddr::V4(_) => ("iptables", &[]),
                IpAddr::V6(_) => ("ip6tables", &["135", "136"]),
            };
            let keep = kept
                .iter()
                .map(|kind| vec!["-p", "icmpv6", "--icmpv6-type", kind, "-j", "ACCEPT"]);
            for action in keep.chain([vec!["-j", "DROP"]]) {
                let rule: Vec<String> = base.into_iter().chain(action).map(str::to_owned).collect();
                // One that a killed daemon left behind.
                let _ = run(program, "-D", &rule);
                run(program, "-A", &rule)?;
                filter.rules.push((program, rule));
            }
        }
        Ok(filter)
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        for (program, rule) in &self.rules {
            if let Err(error) = run(program, "-D", rule) {
                line(&format!("vrrp: {error}"));
            }
        }
    }
}

fn run(program: &str, verb: &str, rule: &[String]) -> io::Result<()> {
    let output = Command::new(program)
        .args(["-w", "-t", "raw", verb, "PREROUTING"])
        .args(rule)
        .output()
        .map_err(|e| io::Error::new(e.kind(), format!("accept = false needs {program}: {e}")))?;
    if output.status.success() {
        return Ok(());
    }
    let what = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(format!(
        "{program} {verb} {}: {what}",
        rule.join(" ")
    )))
}
