//! UDP ports, where they are not the registered ones.

/// The two UDP ports of one end. Unprivileged programs and tests use others than the registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// IKE before any NAT was found: 500.
    pub ike: u16,
    /// IKE and ESP across a NAT (RFC 3947 §4): 4500.
    pub nat_t: u16,
}

impl Default for Ports {
    /// 500 and 4500.
    fn default() -> Self {
        Self {
            ike: nat_t::IKE_PORT,
            nat_t: nat_t::NAT_T_PORT,
        }
    }
}
