use alloc::vec::Vec;

use crypto_suite::{DEFAULT, PrfId};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;

const PERIOD: Duration = Duration::from_secs(60);

fn source(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn input(from: SocketAddr) -> CookieInput<'static> {
    CookieInput {
        source: from,
        spi_i: &[1, 2, 3, 4, 5, 6, 7, 8],
        ni: b"a nonce of 16 oc",
    }
}

fn cookies() -> (Cookies, ChaCha20Rng) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let prf = DEFAULT.prf(PrfId::HmacSha256).unwrap();
    (Cookies::new(prf, PERIOD, Duration::ZERO, &mut rng), rng)
}

/// B4: firezone#13811.
#[test]
fn b4_a_cookie_is_bound_to_address_port_spi_and_nonce() {
    let (mut cookies, mut rng) = cookies();
    let good = input(source("192.0.2.1:500"));
    let cookie = cookies.make(&good, Duration::ZERO, &mut rng);
    assert_eq!(cookie.as_ref().len(), 33);
    assert!(cookies.check(cookie.as_ref(), &good, Duration::ZERO));
    for from in ["192.0.2.2:500", "192.0.2.1:501", "[2001:db8::1]:500"] {
        let other = input(source(from));
        assert!(!cookies.check(cookie.as_ref(), &other, Duration::ZERO));
    }
    let other = CookieInput {
        spi_i: &[1, 2, 3, 4, 5, 6, 7, 9],
        ..good
    };
    assert!(!cookies.check(cookie.as_ref(), &other, Duration::ZERO));
    let other = CookieInput {
        ni: b"a nonce of 16 od",
        ..good
    };
    assert!(!cookies.check(cookie.as_ref(), &other, Duration::ZERO));
}

#[test]
fn b4_every_changed_bit_and_every_other_length_is_refused() {
    let (mut cookies, mut rng) = cookies();
    let good = input(source("[2001:db8::1]:4500"));
    let cookie = cookies.make(&good, Duration::ZERO, &mut rng);
    for place in 0..cookie.as_ref().len() {
        for bit in 0..8 {
            let mut changed: Vec<u8> = cookie.as_ref().into();
            changed[place] ^= 1 << bit;
            assert!(!cookies.check(&changed, &good, Duration::ZERO));
        }
    }
    for len in 0..cookie.as_ref().len() {
        assert!(!cookies.check(&cookie.as_ref()[..len], &good, Duration::ZERO));
    }
    let longer = [cookie.as_ref(), &[0]].concat();
    assert!(!cookies.check(&longer, &good, Duration::ZERO));
}

#[test]
fn rfc7296_s2_6_the_secret_changes_and_the_one_before_lives_one_more_period() {
    let (mut cookies, mut rng) = cookies();
    let good = input(source("192.0.2.1:500"));
    let just_before = PERIOD - Duration::from_millis(1);
    let first = cookies.make(&good, just_before, &mut rng);
    let second = cookies.make(&good, PERIOD, &mut rng);
    assert_ne!(first, second);
    // A cookie given out at the end of its secret's period is still taken.
    let later = PERIOD + Duration::from_secs(30);
    assert!(cookies.check(first.as_ref(), &good, later));
    assert!(cookies.check(second.as_ref(), &good, later));
    assert!(!cookies.check(first.as_ref(), &good, PERIOD * 2));
    assert!(cookies.check(
        second.as_ref(),
        &good,
        PERIOD * 3 - Duration::from_millis(1)
    ));
    // Without any request in between as well.
    assert!(!cookies.check(second.as_ref(), &good, PERIOD * 3));
    // Two changes later the version is another one.
    let third = cookies.make(&good, PERIOD * 9, &mut rng);
    assert!(!cookies.check(first.as_ref(), &good, PERIOD * 9));
    assert!(cookies.check(third.as_ref(), &good, PERIOD * 9));
}

#[test]
fn d16_a_clock_that_steps_back_does_no_harm() {
    let (mut cookies, mut rng) = cookies();
    let good = input(source("192.0.2.1:500"));
    let cookie = cookies.make(&good, PERIOD * 5, &mut rng);
    assert!(cookies.check(cookie.as_ref(), &good, Duration::ZERO));
    cookies.make(&good, Duration::ZERO, &mut rng);
    assert!(cookies.check(cookie.as_ref(), &good, PERIOD * 5));
}

#[test]
fn the_cookie_of_a_long_prf_keeps_to_64_octets() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let prf = DEFAULT.prf(PrfId::HmacSha512).unwrap();
    let mut cookies = Cookies::new(prf, PERIOD, Duration::ZERO, &mut rng);
    let good = input(source("192.0.2.1:500"));
    let cookie = cookies.make(&good, Duration::ZERO, &mut rng);
    assert_eq!(cookie.as_ref().len(), 64);
    assert!(cookies.check(cookie.as_ref(), &good, Duration::ZERO));
}
