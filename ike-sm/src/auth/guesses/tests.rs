#![allow(clippy::arithmetic_side_effects)]

use super::*;

const LIMITS: GuessLimits = GuessLimits::DEFAULT;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Guesses of `users` from `sources` in turn, ten each second until `end`: how many are looked at.
fn looked_at(guesses: &mut Guesses, users: &[&str], sources: &[&str], end: u64) -> usize {
    let mut count = 0;
    for tenth in 0..end * 10 {
        let now = Duration::from_millis(tenth * 100);
        let turn = usize::try_from(tenth).unwrap();
        let (user, source) = (users[turn % users.len()], ip(sources[turn % sources.len()]));
        let admission = guesses.admit(now, Some(user), source, &LIMITS);
        count += usize::from(admission != Admission::Refused);
    }
    count
}

#[test]
fn x5_guesses_of_one_user_from_one_source_are_few() {
    // Ten each second for an hour; five at once, then one each ten seconds.
    let count = looked_at(&mut Guesses::default(), &["alice"], &["192.0.2.1"], 3600);
    assert!((360..=367).contains(&count), "{count}");
    // Neither spellings nor neighbours help.
    let users = ["alice", "CORP\\alice", "Alice", "lab\\ALICE"];
    let sources = ["192.0.2.1", "192.0.2.2", "192.0.2.254"];
    let count = looked_at(&mut Guesses::default(), &users, &sources, 3600);
    assert!((360..=367).contains(&count), "{count}");
    let sources = ["2001:db8::1", "2001:db8:0:ff::1"];
    let count = looked_at(&mut Guesses::default(), &users, &sources, 3600);
    assert!((360..=367).contains(&count), "{count}");
}

#[test]
fn x5_a_guess_beyond_the_count_waits_and_then_is_refused() {
    let mut guesses = Guesses::default();
    let mut guess = |now| guesses.admit(now, Some("alice"), ip("192.0.2.1"), &LIMITS);
    let at: alloc::vec::Vec<Admission> = (0..8).map(|_| guess(secs(100))).collect();
    assert_eq!(at[..5], [Admission::At(secs(100)); 5]);
    assert_eq!(
        at[5..],
        [
            Admission::At(secs(110)),
            Admission::Refused,
            Admission::Refused
        ]
    );
    assert_eq!(guess(secs(115)), Admission::At(secs(120)));
}

#[test]
fn x5_guesses_from_many_sources_are_counted_for_the_user() {
    let sources: alloc::vec::Vec<String> =
        (0..200).map(|n| alloc::format!("198.51.{n}.1")).collect();
    let sources: alloc::vec::Vec<&str> = sources.iter().map(String::as_str).collect();
    let count = looked_at(&mut Guesses::default(), &["alice"], &sources, 600);
    // Fifty at once, then one each two seconds.
    assert!((340..=360).contains(&count), "{count}");
}

#[test]
fn x5_a_stranger_locks_nobody_out() {
    let mut guesses = Guesses::default();
    let home = ip("203.0.113.7");
    guesses.right(secs(0), Some("alice"), home, &LIMITS);
    let sources: alloc::vec::Vec<String> =
        (0..250).map(|n| alloc::format!("198.51.{n}.1")).collect();
    let sources: alloc::vec::Vec<&str> = sources.iter().map(String::as_str).collect();
    looked_at(&mut guesses, &["alice"], &sources, 600);
    // At home nothing of it is noticed; elsewhere once the stranger stops.
    let now = Duration::from_millis(599_950);
    let admit =
        |guesses: &mut Guesses, now, from| guesses.admit(now, Some("alice"), ip(from), &LIMITS);
    assert_eq!(admit(&mut guesses, now, "203.0.113.7"), Admission::At(now));
    assert_eq!(admit(&mut guesses, now, "192.0.2.1"), Admission::Refused);
    let soon = secs(615);
    assert_eq!(admit(&mut guesses, soon, "192.0.2.1"), Admission::At(soon));
    // Others are not concerned.
    let bob = guesses.admit(now, Some("bob"), ip("192.0.2.1"), &LIMITS);
    assert_eq!(bob, Admission::At(now));
}

#[test]
fn x5_right_passwords_do_not_count() {
    let mut guesses = Guesses::default();
    let source = ip("192.0.2.1");
    for n in 0..500 {
        let now = Duration::from_millis(n);
        assert_eq!(
            guesses.admit(now, Some("alice"), source, &LIMITS),
            Admission::At(now)
        );
        guesses.right(now, Some("alice"), source, &LIMITS);
    }
    assert!(guesses.counts.is_empty() && guesses.by_time.is_empty());
}

#[test]
fn x5_the_counts_are_bounded_and_the_fullest_stay() {
    let mut guesses = Guesses::default();
    let now = secs(1);
    for _ in 0..6 {
        guesses.admit(now, Some("alice"), ip("192.0.2.1"), &LIMITS);
    }
    for n in 0..20_000_u32 {
        let source = IpAddr::from((0x0a00_0000 + (n << 8)).to_be_bytes());
        guesses.admit(now, Some(&alloc::format!("user{n}")), source, &LIMITS);
        guesses.right(now, Some(&alloc::format!("user{n}")), source, &LIMITS);
        guesses.admit(now, Some(&alloc::format!("other{n}")), source, &LIMITS);
    }
    assert_eq!(guesses.counts.len(), guesses.by_time.len());
    assert!(guesses.counts.len() <= MAX_COUNTS && guesses.proved.len() <= MAX_PROVED);
    let again = guesses.admit(now, Some("alice"), ip("192.0.2.1"), &LIMITS);
    assert_eq!(again, Admission::Refused);
}
