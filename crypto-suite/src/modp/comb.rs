//! Powers of the generator 2 from a table: a key pair for a fifth of the general price.
//!
//! The comb of Lim and Lee (CRYPTO '94): the exponent is written as [`TEETH`] rows of `columns`
//! bits each, the columns in [`BLOCKS`] blocks. For block j and each choice d of teeth the table
//! holds, in Montgomery form, little-endian and as long as the prime,
//!
//! ```text
//! Π over the bits i of d:  2^(2^(i · columns + j · block))
//! ```
//!
//! The tables are data; a test computes them anew.

use crypto_bigint::{Limb, Word};
use subtle::{ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use super::montgomery::{Element, Field, bit};

/// Rows of the exponent.
const TEETH: u32 = 5;

/// Blocks of columns.
const BLOCKS: u32 = 3;

/// Entries of one block.
const ENTRIES: usize = 1 << TEETH;

pub(super) struct Comb {
    table: &'static [u8],
    /// Columns of the exponent.
    columns: u32,
    /// Columns of one block; the last block may be shorter.
    block: u32,
}

impl Comb {
    /// `bits` is the length of exponents, a multiple of [`TEETH`].
    pub(super) const fn new(table: &'static [u8], bits: u32) -> Self {
        assert!(bits.is_multiple_of(TEETH));
        let columns = bits / TEETH;
        Self {
            table,
            columns,
            block: columns.div_ceil(BLOCKS),
        }
    }

    /// Computes 2 to the power of a secret exponent, modulo p.
    pub(super) fn power<const LIMBS: usize>(
        &self,
        field: &Field<LIMBS>,
        exponent: &[Limb],
    ) -> Zeroizing<Element<LIMBS>> {
        let mut space = field.workspace();
        let mut power = Zeroizing::new(*field.one());
        let entry_len = LIMBS.saturating_mul(Limb::BYTES);
        for step in (0..self.block).rev() {
            *power = field.square(&power, &mut space);
            let tables = self.table.chunks_exact(entry_len.saturating_mul(ENTRIES));
            for (table, block) in tables.zip(0..BLOCKS) {
                let column = block.saturating_mul(self.block).saturating_add(step);
                if column < self.columns {
                    let factor = select(table, entry_len, self.digit(exponent, column));
                    *power = field.mul(&power, &factor, &mut space);
                }
            }
        }
        field.leave(&power, &mut space)
    }

    /// Collects the exponent's bits in one column into an index.
    fn digit(&self, exponent: &[Limb], column: u32) -> u32 {
        (0..TEETH).rev().fold(0, |digit, row| {
            let at = row.saturating_mul(self.columns).saturating_add(column);
            (digit << 1) | bit(exponent, at)
        })
    }
}

/// The entry at `index`, after reading all of them.
fn select<const LIMBS: usize>(
    table: &[u8],
    entry_len: usize,
    index: u32,
) -> Zeroizing<Element<LIMBS>> {
    let mut out = Zeroizing::new([Limb::ZERO; LIMBS]);
    for (entry, at) in table.chunks_exact(entry_len).zip(0_u32..) {
        let hit = at.ct_eq(&index);
        let (words, _) = entry.as_chunks::<{ Limb::BYTES }>();
        for (to, from) in out.iter_mut().zip(words) {
            to.0.conditional_assign(&Word::from_le_bytes(*from), hit);
        }
    }
    out
}
