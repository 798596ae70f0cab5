//! The renderings of 32-bit message IDs and SPIs that logs of the field use.

use core::fmt;

/// Decimal with a sign, as IOS prints message IDs: `-841765728`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed(pub u32);

/// Hexadecimal without leading zeros: `0xCDD3ACA0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hex(pub u32);

/// Hexadecimal and decimal, as `show crypto ipsec sa` prints SPIs: `0xCDD3ACA0(3453201568)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HexDecimal(pub u32);

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.cast_signed())
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:X}", self.0)
    }
}

impl fmt::Display for HexDecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:X}({})", self.0, self.0)
    }
}

#[cfg(test)]
mod tests;
