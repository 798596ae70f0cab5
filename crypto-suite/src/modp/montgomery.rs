//! Constant-time exponentiation modulo the MODP primes.
//!
//! The limbs and their carry arithmetic come from `crypto-bigint`. Its own exponentiation has no
//! squaring, and its inner loop carries one chain; here a square costs about 0.7 of its product
//! because four rows are added at once, each with a carry chain of its own, and because all
//! primes in question end in a word of ones, which makes −p⁻¹ mod 2^w equal to 1.
//!
//! Time and memory access depend on lengths alone. Every buffer that held a secret is zeroized.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use crypto_bigint::modular::FixedMontyParams;
use crypto_bigint::{Limb, Odd, Uint};
use subtle::{ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

/// A number below p, little-endian limbs, in Montgomery form (times R = 2^bits) or plain.
pub(super) type Element<const LIMBS: usize> = [Limb; LIMBS];

/// Rows that are added at once. Divides the limb count of every group.
const ROWS: usize = 4;

/// Bits of a window of the exponent with a variable base.
const WINDOW: u32 = 4;

/// The field of integers modulo a MODP prime.
pub(super) struct Field<const LIMBS: usize> {
    modulus: Uint<LIMBS>,
    /// R mod p: one in Montgomery form.
    one: Uint<LIMBS>,
    /// R² mod p.
    r2: Uint<LIMBS>,
}

impl<const LIMBS: usize> Field<LIMBS> {
    /// Evaluated at compile time; a prime that the arithmetic is not made for does not compile.
    pub(super) const fn new(prime: &str) -> Self {
        let params = FixedMontyParams::new_vartime(Odd::<Uint<LIMBS>>::from_be_hex(prime));
        assert!(
            params.mod_neg_inv().0 == 1,
            "the prime ends in a word of ones"
        );
        assert!(LIMBS.is_multiple_of(ROWS));
        Self {
            modulus: *params.modulus().as_ref(),
            one: *params.one(),
            r2: *params.r2(),
        }
    }

    pub(super) fn modulus(&self) -> &Uint<LIMBS> {
        &self.modulus
    }

    /// One in Montgomery form.
    pub(super) fn one(&self) -> &Element<LIMBS> {
        self.one.as_limbs()
    }

    /// base^exponent mod p of the lowest `bits` bits of `exponent`.
    pub(super) fn power(
        &self,
        base: &Uint<LIMBS>,
        exponent: &[Limb],
        bits: u32,
    ) -> Zeroizing<Element<LIMBS>> {
        let mut space = self.workspace();
        let base = self.mul(base.as_limbs(), self.r2.as_limbs(), &mut space);
        let table = self.powers(&base, &mut space);
        let mut power = Zeroizing::new(*self.one());
        for window in (0..bits.div_ceil(WINDOW)).rev() {
            for _ in 0..WINDOW {
                *power = self.square(&power, &mut space);
            }
            let digit = digit(exponent, window, bits);
            let factor = select(table.iter(), digit);
            *power = self.mul(&power, &factor, &mut space);
        }
        self.leave(&power, &mut space)
    }

    /// Converts an element from Montgomery form to a plain number.
    pub(super) fn leave(
        &self,
        value: &Element<LIMBS>,
        space: &mut [Limb],
    ) -> Zeroizing<Element<LIMBS>> {
        space.fill(Limb::ZERO);
        for (to, from) in space.iter_mut().zip(value) {
            *to = *from;
        }
        Zeroizing::new(self.reduce(space))
    }

    /// base^0 … base^15.
    fn powers(&self, base: &Element<LIMBS>, space: &mut [Limb]) -> Zeroizing<Vec<Element<LIMBS>>> {
        let mut table = Zeroizing::new(Vec::with_capacity(1 << WINDOW));
        table.push(*self.one());
        let mut next = *base;
        for _ in 1..1_u32 << WINDOW {
            table.push(next);
            next = self.mul(&next, base, space);
        }
        next.zeroize();
        table
    }

    /// Room for a double-length product.
    pub(super) fn workspace(&self) -> Zeroizing<Box<[Limb]>> {
        Zeroizing::new(vec![Limb::ZERO; LIMBS.saturating_mul(2)].into_boxed_slice())
    }

    /// x · y / R mod p.
    pub(super) fn mul(
        &self,
        x: &Element<LIMBS>,
        y: &Element<LIMBS>,
        space: &mut [Limb],
    ) -> Element<LIMBS> {
        space.fill(Limb::ZERO);
        let (rows, _) = x.as_chunks::<ROWS>();
        let mut at = &mut *space;
        for row in rows {
            // No carry is lost: the sum of the first n rows is below 2^(w(n + LIMBS)).
            add_rows(at, *row, y);
            at = skip(at, ROWS);
        }
        self.reduce(space)
    }

    /// x² / R mod p.
    pub(super) fn square(&self, x: &Element<LIMBS>, space: &mut [Limb]) -> Element<LIMBS> {
        space.fill(Limb::ZERO);
        let mut at = &mut *space;
        let mut left: &[Limb] = x;
        // Products of limbs of different blocks first. As in `mul`, no carry is lost.
        while let Some((row, rest)) = left.split_first_chunk::<ROWS>() {
            at = skip(at, ROWS);
            if !rest.is_empty() {
                add_rows(at, *row, rest);
            }
            at = skip(at, ROWS);
            left = rest;
        }
        double_and_add_squares(space, x);
        self.reduce(space)
    }

    /// Montgomery reduction: `wide` / R mod p, for `wide` below p · R.
    fn reduce(&self, wide: &mut [Limb]) -> Element<LIMBS> {
        let modulus = self.modulus.as_limbs();
        let mut at = &mut *wide;
        // A carry out of limb `LIMBS + ROWS` of one step belongs to the last limb of the next.
        let mut carry = Limb::ZERO;
        for _ in 0..LIMBS / ROWS {
            let factors = quotients(at, modulus);
            let out = add_rows(at, factors, modulus);
            at = skip(at, ROWS);
            carry = add_at(at, LIMBS, carry, out);
        }
        subtract_once(at, carry, modulus)
    }
}

fn skip(limbs: &mut [Limb], count: usize) -> &mut [Limb] {
    limbs
        .split_at_mut_checked(count)
        .map(|(_, rest)| rest)
        .unwrap_or_default()
}

/// acc + a · b + carry; the carry goes on. Never overflows.
#[inline(always)]
fn mac(acc: Limb, a: Limb, b: Limb, carry: &mut Limb) -> Limb {
    let (low, high) = a.carrying_mul_add(b, acc, *carry);
    *carry = high;
    low
}

/// a + b + carry, where the carry is 0 or 1 and becomes the next.
#[inline(always)]
fn adc(a: Limb, b: Limb, carry: &mut Limb) -> Limb {
    let (sum, out) = a.carrying_add(b, *carry);
    *carry = out;
    sum
}

/// limbs[0 .. y.len() + 4] += rows · y. Returns the carry out of them, 0 or 1.
#[inline(always)]
fn add_rows(limbs: &mut [Limb], rows: [Limb; ROWS], y: &[Limb]) -> Limb {
    let [r0, r1, r2, r3] = rows;
    let [mut c0, mut c1, mut c2, mut c3] = [Limb::ZERO; ROWS];
    let [mut y1, mut y2, mut y3] = [Limb::ZERO; 3];
    let Some((head, tail)) = limbs.split_at_mut_checked(y.len()) else {
        return Limb::ZERO;
    };
    for (limb, &y0) in head.iter_mut().zip(y) {
        let sum = mac(*limb, r0, y0, &mut c0);
        let sum = mac(sum, r1, y1, &mut c1);
        let sum = mac(sum, r2, y2, &mut c2);
        *limb = mac(sum, r3, y3, &mut c3);
        (y1, y2, y3) = (y0, y1, y2);
    }
    let Some([t0, t1, t2, t3]) = tail.first_chunk_mut::<ROWS>() else {
        return Limb::ZERO;
    };
    let mut carry = Limb::ZERO;
    let sum = mac(*t0, r1, y1, &mut c1);
    let sum = mac(sum, r2, y2, &mut c2);
    let sum = mac(sum, r3, y3, &mut c3);
    *t0 = adc(sum, c0, &mut carry);
    let sum = mac(*t1, r2, y1, &mut c2);
    let sum = mac(sum, r3, y2, &mut c3);
    *t1 = adc(sum, c1, &mut carry);
    let sum = mac(*t2, r3, y1, &mut c3);
    *t2 = adc(sum, c2, &mut carry);
    *t3 = adc(*t3, c3, &mut carry);
    carry
}

/// From the products between blocks to the square: twice their sum and each block's square.
#[inline(always)]
fn double_and_add_squares(limbs: &mut [Limb], x: &[Limb]) {
    let (places, _) = limbs.as_chunks_mut::<{ 2 * ROWS }>();
    let (rows, _) = x.as_chunks::<ROWS>();
    let [mut doubled, mut carry] = [Limb::ZERO; 2];
    for (place, row) in places.iter_mut().zip(rows) {
        for (limb, square) in place.iter_mut().zip(square_block(*row)) {
            let twice = adc(*limb, *limb, &mut doubled);
            *limb = adc(twice, square, &mut carry);
        }
    }
}

/// The square of one block.
#[inline(always)]
fn square_block(row: [Limb; ROWS]) -> [Limb; 2 * ROWS] {
    let [x0, x1, x2, x3] = row;
    // x0·x1, x0·x2, x0·x3 from limb 1 on.
    let mut c = Limb::ZERO;
    let t1 = mac(Limb::ZERO, x0, x1, &mut c);
    let t2 = mac(Limb::ZERO, x0, x2, &mut c);
    let t3 = mac(Limb::ZERO, x0, x3, &mut c);
    let t4 = c;
    // x1·x2, x1·x3 from limb 3 on.
    let mut c = Limb::ZERO;
    let t3 = mac(t3, x1, x2, &mut c);
    let t4 = mac(t4, x1, x3, &mut c);
    let t5 = c;
    // x2·x3 at limb 5.
    let mut c = Limb::ZERO;
    let t5 = mac(t5, x2, x3, &mut c);
    let t6 = c;

    let mut out = [Limb::ZERO, t1, t2, t3, t4, t5, t6, Limb::ZERO];
    let [mut doubled, mut carry] = [Limb::ZERO; 2];
    let (pairs, _) = out.as_chunks_mut::<2>();
    for ([low, high], limb) in pairs.iter_mut().zip(row) {
        let (square_low, square_high) = limb.carrying_mul_add(limb, Limb::ZERO, Limb::ZERO);
        let twice = adc(*low, *low, &mut doubled);
        *low = adc(twice, square_low, &mut carry);
        let twice = adc(*high, *high, &mut doubled);
        *high = adc(twice, square_high, &mut carry);
    }
    out
}

/// The factors by which p has to be added to clear the lowest four limbs. With −p⁻¹ = 1 a factor
/// is the limb itself, and that limb plus factor · (2^w − 1) carries exactly the factor.
#[inline(always)]
fn quotients<const LIMBS: usize>(limbs: &[Limb], modulus: &Element<LIMBS>) -> [Limb; ROWS] {
    let (Some([t0, t1, t2, t3]), Some([_, m1, m2, m3])) =
        (limbs.first_chunk::<ROWS>(), modulus.first_chunk::<ROWS>())
    else {
        return [Limb::ZERO; ROWS];
    };
    let u0 = *t0;
    let mut c = u0;
    let u1 = mac(*t1, u0, *m1, &mut c);
    let v2 = mac(*t2, u0, *m2, &mut c);
    let v3 = mac(*t3, u0, *m3, &mut c);
    let mut c = u1;
    let u2 = mac(v2, u1, *m1, &mut c);
    let v3 = mac(v3, u1, *m2, &mut c);
    let mut c = u2;
    let u3 = mac(v3, u2, *m1, &mut c);
    [u0, u1, u2, u3]
}

/// Adds the carries of two steps to the limb `at` and those above it; returns what overflows.
#[inline(always)]
fn add_at(limbs: &mut [Limb], at: usize, earlier: Limb, later: Limb) -> Limb {
    let Some((_, above)) = limbs.split_at_mut_checked(at) else {
        return earlier.wrapping_add(later);
    };
    let mut carry = later;
    for limb in above {
        let (sum, out) = limb.overflowing_add(carry);
        *limb = sum;
        carry = out;
    }
    earlier.wrapping_add(carry)
}

/// value − p if value (with `top` above it) is at least p, in constant time.
#[inline(always)]
fn subtract_once<const LIMBS: usize>(
    value: &[Limb],
    top: Limb,
    modulus: &Element<LIMBS>,
) -> Element<LIMBS> {
    let mut out = [Limb::ZERO; LIMBS];
    let mut borrow = Limb::ZERO;
    for ((to, from), m) in out.iter_mut().zip(value).zip(modulus) {
        (*to, borrow) = from.borrowing_sub(*m, borrow);
    }
    // Keep the value where the subtraction borrows from nothing. A borrow is 0 or all ones.
    let keep = (borrow.0 & 1).ct_eq(&1) & top.0.ct_eq(&0);
    for (to, from) in out.iter_mut().zip(value) {
        to.0.conditional_assign(&from.0, keep);
    }
    out
}

/// Bits `window · 4` and up of the exponent, at most up to `bits`.
fn digit(exponent: &[Limb], window: u32, bits: u32) -> u32 {
    let mut digit = 0;
    for i in (0..WINDOW).rev() {
        let at = window.saturating_mul(WINDOW).saturating_add(i);
        digit = (digit << 1) | if at < bits { bit(exponent, at) } else { 0 };
    }
    digit
}

/// One bit of the exponent. The position is public, the value is not.
pub(super) fn bit(exponent: &[Limb], at: u32) -> u32 {
    let limb = usize::try_from(at / Limb::BITS)
        .ok()
        .and_then(|limb| exponent.get(limb));
    let word = limb.map_or(0, |limb| limb.0) >> (at % Limb::BITS);
    let [lowest, ..] = word.to_le_bytes();
    u32::from(lowest & 1)
}

/// The entry at `index`, after reading all of them.
fn select<'t, const LIMBS: usize>(
    table: impl Iterator<Item = &'t Element<LIMBS>>,
    index: u32,
) -> Zeroizing<Element<LIMBS>> {
    let mut out = Zeroizing::new([Limb::ZERO; LIMBS]);
    for (entry, at) in table.zip(0u32..) {
        let hit = at.ct_eq(&index);
        for (to, from) in out.iter_mut().zip(entry) {
            to.0.conditional_assign(&from.0, hit);
        }
    }
    out
}

#[cfg(test)]
mod tests;
