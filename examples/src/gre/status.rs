//! A tunnel as `show interface tunnel` prints it.

use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr};

/// One tunnel at one moment. Times are seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunnelStatus {
    /// Its name.
    pub name: String,
    /// Whether data may pass.
    pub line_protocol: bool,
    /// Addresses of the device.
    pub addresses: Vec<String>,
    /// Our tunnel end.
    pub source: IpAddr,
    /// The peer's tunnel end.
    pub destination: IpAddr,
    /// The longest packet that crosses whole, octets.
    pub mtu: usize,
    /// Milliseconds between keepalives.
    pub keepalive: Option<u64>,
    /// Unanswered keepalives until the line protocol is down.
    pub retries: u8,
    /// Keepalives sent since one came back.
    pub unanswered: u8,
    /// Keepalives sent.
    pub keepalives_sent: u64,
    /// Keepalives that came back.
    pub keepalives_returned: u64,
    /// Keepalives of the peer sent back.
    pub keepalives_answered: u64,
    /// Times the line protocol went down.
    pub went_down: u64,
    /// Key.
    pub key: Option<u32>,
    /// Checksums are sent.
    pub checksum: bool,
    /// Sequence numbers are sent.
    pub sequence: bool,
    /// TTL of the delivery header.
    pub ttl: u8,
    /// What protects it, if anything.
    pub protection: Option<String>,
    /// Seconds since the last packet came in.
    pub last_input: Option<u64>,
    /// Seconds since the last packet went out.
    pub last_output: Option<u64>,
    /// Packets in and out.
    pub packets: [u64; 2],
    /// Octets in and out, inside.
    pub bytes: [u64; 2],
    /// Packets that did not pass, by reason.
    pub dropped: Vec<(String, u64)>,
}

impl fmt::Display for TunnelStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let able = |on: bool| if on { "enabled" } else { "disabled" };
        let line = if self.line_protocol { "up" } else { "down" };
        writeln!(f, "{} is up, line protocol is {line}", self.name)?;
        writeln!(f, "  Hardware is Tunnel")?;
        for address in &self.addresses {
            writeln!(f, "  Internet address is {address}")?;
        }
        writeln!(f, "  MTU {} bytes", self.mtu)?;
        writeln!(f, "  Encapsulation TUNNEL")?;
        match self.keepalive {
            Some(milliseconds) => {
                let period = std::time::Duration::from_millis(milliseconds).as_secs_f64();
                let retries = self.retries;
                writeln!(f, "  Keepalive set ({period} sec), retries {retries}")?;
                writeln!(
                    f,
                    "  Keepalives sent {}, returned {}, answered {}, counter {}; line protocol went down {} times",
                    self.keepalives_sent,
                    self.keepalives_returned,
                    self.keepalives_answered,
                    self.unanswered,
                    self.went_down
                )?;
            }
            None => writeln!(f, "  Keepalive not set")?,
        }
        writeln!(
            f,
            "  Tunnel source {}, destination {}",
            self.source, self.destination
        )?;
        let transport = if self.source.is_ipv4() { "IP" } else { "IPv6" };
        let key = match self.key {
            Some(key) => format!("key {key:#x}"),
            None => "key disabled".into(),
        };
        writeln!(
            f,
            "  Tunnel protocol/transport GRE/{transport}, {key}, sequencing {}",
            able(self.sequence)
        )?;
        writeln!(f, "  Tunnel TTL {}", self.ttl)?;
        writeln!(f, "  Checksumming of packets {}", able(self.checksum))?;
        if let Some(protection) = &self.protection {
            writeln!(f, "  Tunnel protection via IPSec ({protection})")?;
        }
        writeln!(
            f,
            "  Last input {}, output {}",
            clock(self.last_input),
            clock(self.last_output)
        )?;
        let drops: u64 = self.dropped.iter().map(|(_, count)| count).sum();
        writeln!(f, "  Total drops: {drops}")?;
        let [input, output] = self.packets;
        let [bytes_in, bytes_out] = self.bytes;
        writeln!(f, "     {input} packets input, {bytes_in} bytes")?;
        writeln!(f, "     {output} packets output, {bytes_out} bytes")?;
        for (reason, count) in &self.dropped {
            writeln!(f, "     {count} dropped: {reason}")?;
        }
        Ok(())
    }
}

fn clock(seconds: Option<u64>) -> String {
    match seconds {
        None => "never".into(),
        Some(s) => format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60),
    }
}
