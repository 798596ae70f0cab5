//! DSCP and ECN of the delivery header (RFC 2983 §3.1, RFC 6040 §4).

/// What the DSCP of the delivery header becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DscpPolicy {
    /// The payload packet's DSCP is copied (RFC 2983 §3.1, uniform model).
    #[default]
    Copy,
    /// The DSCP is always this one, of six bits.
    Set(u8),
}

/// The TOS or Traffic Class octet of the delivery header: DSCP by policy, ECN copied (RFC 6040
/// §4.1, normal mode). `inner` is the payload packet's octet; 0 for payloads that are not IP.
#[must_use]
pub const fn outer(inner: u8, policy: DscpPolicy) -> u8 {
    let dscp = match policy {
        DscpPolicy::Copy => inner & 0xfc,
        DscpPolicy::Set(dscp) => dscp << 2,
    };
    dscp | (inner & 0x03)
}

/// The ECN field of the payload packet after decapsulation (RFC 6040 §4.2, figure 4). None: drop
/// the packet, congestion was marked on one that cannot say so.
#[must_use]
pub const fn decapsulated_ecn(inner: u8, outer: u8) -> Option<u8> {
    const NOT_ECT: u8 = 0b00;
    const ECT_1: u8 = 0b01;
    const CE: u8 = 0b11;
    match (inner & 0x03, outer & 0x03) {
        (NOT_ECT, CE) => None,
        (NOT_ECT, _) => Some(NOT_ECT),
        (_, CE) => Some(CE),
        (CE, _) => Some(CE),
        (_, ECT_1) => Some(ECT_1),
        (inner, _) => Some(inner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6040_s4_2_figure_4() {
        // Rows: inner Not-ECT, ECT(0), ECT(1), CE; columns: outer in the same order.
        let table = [
            (0b00, [Some(0b00), Some(0b00), Some(0b00), None]),
            (0b10, [Some(0b10), Some(0b10), Some(0b01), Some(0b11)]),
            (0b01, [Some(0b01), Some(0b01), Some(0b01), Some(0b11)]),
            (0b11, [Some(0b11), Some(0b11), Some(0b11), Some(0b11)]),
        ];
        for (inner, row) in table {
            for (outer, expected) in [0b00, 0b10, 0b01, 0b11].into_iter().zip(row) {
                assert_eq!(
                    decapsulated_ecn(inner, outer),
                    expected,
                    "{inner:02b} {outer:02b}"
                );
            }
        }
    }

    #[test]
    fn dscp_by_policy_and_ecn_copied() {
        // Outer AF31 (26) around inner AF21 (18) with ECT(0).
        assert_eq!(outer(18 << 2 | 2, DscpPolicy::Set(26)), 26 << 2 | 2);
        assert_eq!(outer(18 << 2 | 2, DscpPolicy::Copy), 18 << 2 | 2);
    }
}
