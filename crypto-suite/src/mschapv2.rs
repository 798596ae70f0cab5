//! The two primitives of MS-CHAPv2 (RFC 2759): legacy, and of no use for anything else.
//!
//! Whoever records an exchange finds the password's hash with 2⁵⁶ DES operations. Only a protocol
//! that carries it inside an authenticated and encrypted channel may use it.

/// What MS-CHAPv2 does with a password.
pub trait MsChapV2: Sync {
    /// MD4 (RFC 1320): NtPasswordHash and HashNtPasswordHash (RFC 2759 §8.3, §8.4).
    fn md4(&self, data: &[u8]) -> [u8; 16];

    /// One block of single DES under 56 key bits without parity: DesEncrypt (RFC 2759 §8.6).
    fn des(&self, clear: &[u8; 8], key: &[u8; 7]) -> [u8; 8];
}

#[cfg(not(feature = "mschapv2"))]
pub(crate) const DEFAULT: Option<&dyn MsChapV2> = None;

#[cfg(feature = "mschapv2")]
pub(crate) use implementation::DEFAULT;

#[cfg(feature = "mschapv2")]
mod implementation {
    use cipher::{BlockCipherEncrypt, KeyInit};
    use digest::Digest;
    use zeroize::Zeroizing;

    use super::MsChapV2;

    struct RustCrypto;

    pub(crate) const DEFAULT: Option<&dyn MsChapV2> = Some(&RustCrypto);

    impl MsChapV2 for RustCrypto {
        fn md4(&self, data: &[u8]) -> [u8; 16] {
            md4::Md4::digest(data).into()
        }

        fn des(&self, clear: &[u8; 8], key: &[u8; 7]) -> [u8; 8] {
            let key = Zeroizing::new(spread(key));
            let mut block = (*clear).into();
            des::Des::new((&*key).into()).encrypt_block(&mut block);
            block.into()
        }
    }

    /// 56 key bits to eight octets, each with a parity bit that DES does not look at.
    fn spread(key: &[u8; 7]) -> [u8; 8] {
        let [a, b, c, d, e, f, g] = *key;
        let bits = u64::from_be_bytes([0, a, b, c, d, e, f, g]);
        core::array::from_fn(|n| {
            let shift = 49_usize.saturating_sub(n.saturating_mul(7));
            let seven = bits
                .checked_shr(u32::try_from(shift).unwrap_or(0))
                .unwrap_or(0)
                & 0x7f;
            u8::try_from(seven << 1).unwrap_or(0)
        })
    }

    #[cfg(test)]
    mod tests {
        use hex_literal::hex;

        use super::{DEFAULT, spread};

        #[test]
        fn rfc1320_a_5_test_suite() {
            let mschapv2 = DEFAULT.unwrap();
            for (text, digest) in [
                (&b""[..], hex!("31d6cfe0d16ae931b73c59d7e0c089c0")),
                (b"a", hex!("bde52cb31de33e46245e05fbdbd6fb24")),
                (b"message digest", hex!("d9130a8164549fe818874806e1c7014b")),
                (
                    b"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                    hex!("e33b4ddc9c38f2199c3e7b164fcc0536"),
                ),
            ] {
                assert_eq!(mschapv2.md4(text), digest);
            }
        }

        #[test]
        fn rfc2759_s9_3_raw_keys_are_spread_over_eight_octets() {
            for (raw, with_parity) in [
                (hex!("fc156af7edcd6c"), hex!("fd0b5b5e7f6e34d9")),
                (hex!("0edde3337d427f"), hex!("0e6e796737ea08fe")),
            ] {
                let spread = spread(&raw).map(|octet| octet | 1);
                assert_eq!(spread, with_parity.map(|octet| octet | 1));
            }
        }

        #[test]
        fn rfc2759_s9_2_challenge_response() {
            let mschapv2 = DEFAULT.unwrap();
            let challenge = hex!("d02e4386bce91226");
            // The password's hash, padded with zeros to three keys: the last is a weak DES key in
            // all but two octets and works like any other.
            let keys = [
                hex!("44ebba8d5312b8"),
                hex!("d611474411f569"),
                hex!("89ae0000000000"),
            ];
            let response = keys.map(|key| mschapv2.des(&challenge, &key)).concat();
            let expected = hex!("82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df");
            assert_eq!(response, expected);
        }
    }
}
