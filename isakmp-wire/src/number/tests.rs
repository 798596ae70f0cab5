use std::string::ToString as _;

use super::{Hex, HexDecimal, Signed};

/// GV4: the numbers that the source documents print in two or three ways.
const PRINTED: [(&str, u32); 18] = [
    ("0xCDD3ACA0", 3453201568),
    ("0x52B905BC", 1387857340),
    ("0xED866A3C", 3985009212),
    ("0xB89F38C9", 3097442505),
    ("0xC8FCE690", 3372017296),
    ("0xF34CE0E2", 4081901794),
    ("0x80DB5650", 2161858128),
    ("0x311F0A49", 824117833),
    ("0x2CA9A57F", 749315455),
    ("0x7F4A6D6C", 2135584108),
    ("0x5E9B7765", 1587246949),
    ("0xDE0F857C", 3725559164),
    ("0x62BC13C", 103530812),
    ("0x5D826FB2", 1568829362),
    ("0x8BC80991", 2345142673),
    ("0x8531E6D1", 2234640081),
    ("0x99E52DE4", 2581933540),
    ("0xBBB91DFA", 3149471226),
];

#[test]
fn gv4_hexadecimal_and_decimal_agree() {
    for (hex, decimal) in PRINTED {
        assert_eq!(Hex(decimal).to_string(), hex);
        assert_eq!(
            HexDecimal(decimal).to_string(),
            std::format!("{hex}({decimal})")
        );
    }
}

#[test]
fn gv4_message_id_with_a_sign() {
    assert_eq!(Signed(0xCDD3_ACA0).to_string(), "-841765728");
    assert_eq!(Signed(0x7FFF_FFFF).to_string(), "2147483647");
    assert_eq!(Signed(0x8000_0000).to_string(), "-2147483648");
}
