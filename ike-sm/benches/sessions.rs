//! Many established sessions on one endpoint: octets of memory for each, as requested and as malloc
//! rounds them; how fast they come up; what `next_deadline` and a round of liveness checks cost.
//!
//! `cargo bench -p ike-sm --bench sessions [COUNT...]`; 1,000, 10,000 and 100,000 unless told
//! otherwise. Groups that only add make the negotiations quick; sizes of keys and messages are the
//! real ones. Times are the gateway's alone.
#![allow(
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crypto_suite::{DEFAULT, GroupId, Provider, Secret, insecure};
use ike_sm::config::{
    ChildConfig, Config, Dpd, DpdTimes, IkeVersion, PeerConfig, Prefix, PskOwner, RemoteIdentity,
    SelectorMatch,
};
use ike_sm::{Action, Actions, Command, Endpoint, Event, Outcome, Path, Selector};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// Octets that the gateway holds: what it allocates and frees while it handles an event.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
/// The same as glibc's malloc takes it: with a header of 8 octets, in units of 16, at least 32.
static TAKEN: AtomicUsize = AtomicUsize::new(0);
static COUNTED: AtomicBool = AtomicBool::new(false);

const fn taken(size: usize) -> usize {
    let unit = (size + 8).next_multiple_of(16);
    if unit < 32 { 32 } else { unit }
}

// SAFETY: every call is passed on to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if COUNTED.load(Relaxed) {
            HELD.fetch_add(layout.size(), Relaxed);
            TAKEN.fetch_add(taken(layout.size()), Relaxed);
        }
        // SAFETY: the caller's contract is ours.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if COUNTED.load(Relaxed) {
            HELD.fetch_sub(layout.size(), Relaxed);
            TAKEN.fetch_sub(taken(layout.size()), Relaxed);
        }
        // SAFETY: the caller's contract is ours.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static CHEAP_GROUPS: Provider = Provider {
    groups: insecure::CHECKED.groups,
    ..DEFAULT
};

const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const SILENCE: Duration = Duration::from_secs(600);

fn main() {
    let mut counts: Vec<usize> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    if counts.is_empty() {
        counts = vec![1_000, 10_000, 100_000];
    }
    println!(
        "One peer entry, a child each, groups without public-key work; the gateway's part alone."
    );
    println!(
        "         sessions   octets each   malloc's   set up   per second   next_deadline   check"
    );
    for version in [IkeVersion::V1, IkeVersion::V2] {
        for count in &counts {
            measure(version, *count);
        }
    }
}

/// Runs `work` on the clock of the gateway.
fn timed<R>(spent: &mut Duration, work: impl FnOnce() -> R) -> R {
    let begun = Instant::now();
    let result = work();
    *spent += begun.elapsed();
    result
}

fn measure(version: IkeVersion, count: usize) {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    HELD.store(0, Relaxed);
    TAKEN.store(0, Relaxed);
    COUNTED.store(true, Relaxed);
    let mut gateway = gateway(version, count);
    COUNTED.store(false, Relaxed);
    let empty = [&HELD, &TAKEN].map(|counter| counter.load(Relaxed));
    let mut establishing = Duration::ZERO;
    let mut clients: Vec<Endpoint> = (0..count)
        .map(|n| {
            let mut client = client(version, address(n));
            let mut messages = start(&mut client, &mut rng);
            while let Some(message) = messages.pop() {
                let answers = timed(&mut establishing, || {
                    counted(&mut gateway, receive(&message), Duration::ZERO, &mut rng)
                });
                for answer in answers {
                    messages.extend(handle(
                        &mut client,
                        receive(&answer),
                        Duration::ZERO,
                        &mut rng,
                    ));
                }
            }
            client
        })
        .collect();
    assert_eq!(gateway.ike_sas().count(), count);
    assert_eq!(gateway.children().count(), count);
    let [held, taken] = [(&HELD, empty[0]), (&TAKEN, empty[1])]
        .map(|(counter, empty)| (counter.load(Relaxed) - empty) / count);

    let begun = Instant::now();
    let mut sum = Duration::ZERO;
    for _ in 0..1_000_000 {
        sum += std::hint::black_box(&gateway).next_deadline().unwrap().at;
    }
    std::hint::black_box(sum);
    let next_deadline = begun.elapsed() / 1_000_000;

    // The gateway asks each client, gets each answer; only its own time counts.
    let mut spent = Duration::ZERO;
    let mut asked = 0;
    while asked < count {
        let now = gateway.next_deadline().unwrap().at;
        let questions = timed(&mut spent, || {
            handle(&mut gateway, Event::Deadline, now, &mut rng)
        });
        for question in questions {
            asked += 1;
            let client = &mut clients[index(question.0.local.ip())];
            let answer = handle(client, receive(&question), now, &mut rng);
            let silence = timed(&mut spent, || {
                handle(&mut gateway, receive(&answer[0]), now, &mut rng)
            });
            assert!(silence.is_empty());
        }
    }
    let total = u32::try_from(count).unwrap();
    let check = spent / total;
    let each = establishing / total;
    let rate = f64::from(total) / establishing.as_secs_f64();
    println!(
        "{version:<6?} {count:>10}   {held:>11}   {taken:>8}   {each:>6.1?}   {rate:>10.0}   \
         {next_deadline:>13?}   {check:>6.1?}"
    );
}

fn address(n: usize) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0000 + u32::try_from(n).unwrap())
}

fn index(address: IpAddr) -> usize {
    let IpAddr::V4(v4) = address else { panic!() };
    usize::try_from(u32::from(v4) - 0x0a00_0000).unwrap()
}

fn gateway(version: IkeVersion, count: usize) -> Endpoint {
    let any = Prefix::new(Ipv4Addr::UNSPECIFIED.into(), 0).unwrap();
    let inside = Selector::subnet([10, 0, 0, 0].into(), 8).unwrap();
    let mut entry = PeerConfig::new("clients");
    entry.version = version;
    entry.networks.push(any);
    entry.remote_id = RemoteIdentity::Any;
    let patience = DpdTimes {
        idle: SILENCE,
        retry: Duration::from_secs(10),
        tries: 3,
    };
    entry.dpd = Dpd::Periodic(patience);
    let mut child = ChildConfig::new("net", Selector::host(GATEWAY), inside);
    child.selector_match = SelectorMatch::Within;
    entry.children.push(child);
    let mut config = base(entry, any);
    config.limits.ike_sas = count;
    Endpoint::new(config, &CHEAP_GROUPS).unwrap()
}

fn client(version: IkeVersion, own: Ipv4Addr) -> Endpoint {
    let mut entry = PeerConfig::new("gateway");
    entry.version = version;
    entry.addresses.push(GATEWAY);
    entry.local_address = Some(own.into());
    entry.dpd = Dpd::Off;
    let own = Selector::host(own.into());
    let gateway = Selector::host(GATEWAY);
    entry.children.push(ChildConfig::new("net", own, gateway));
    Endpoint::new(base(entry, Prefix::host(GATEWAY)), &CHEAP_GROUPS).unwrap()
}

fn base(mut entry: PeerConfig, of: Prefix) -> Config {
    for proposal in &mut entry.v2.proposals {
        proposal.groups = vec![GroupId::X25519];
    }
    let mut config = Config::default();
    config.explain = false;
    config.peers.push(entry);
    config.psks.insert(
        PskOwner::Prefix(of),
        Secret::from(&b"a long shared secret"[..]),
    );
    config
}

type Message = (Path, Bytes);

fn receive((path, message): &Message) -> Event<'_> {
    Event::Datagram {
        path: *path,
        message,
    }
}

fn start(client: &mut Endpoint, rng: &mut ChaCha20Rng) -> Vec<Message> {
    let command = Command::Initiate {
        peer: "gateway".into(),
        children: Vec::new(),
    };
    handle(client, Event::Command(command), Duration::ZERO, rng)
}

/// As [`handle`], on the gateway's account.
fn counted(
    end: &mut Endpoint,
    event: Event<'_>,
    now: Duration,
    rng: &mut ChaCha20Rng,
) -> Vec<Message> {
    COUNTED.store(true, Relaxed);
    let mut actions = Actions::new();
    let outcome = end.handle(event, now, rng, &mut actions);
    assert_eq!(outcome, Outcome::Handled);
    let sent = sent(&mut actions);
    drop(actions);
    COUNTED.store(false, Relaxed);
    // What is on its way is freed on the account that it was allocated on.
    let copies = sent
        .iter()
        .map(|(path, m)| (*path, Bytes::copy_from_slice(m)));
    let copies = copies.collect();
    COUNTED.store(true, Relaxed);
    drop(sent);
    COUNTED.store(false, Relaxed);
    copies
}

fn handle(
    end: &mut Endpoint,
    event: Event<'_>,
    now: Duration,
    rng: &mut ChaCha20Rng,
) -> Vec<Message> {
    let mut actions = Actions::new();
    let outcome = end.handle(event, now, rng, &mut actions);
    assert_eq!(outcome, Outcome::Handled);
    sent(&mut actions)
}

/// The datagrams, with the paths of the other end and without markers.
fn sent(actions: &mut Actions) -> Vec<Message> {
    let mut sent = Vec::new();
    while let Some(action) = actions.pop() {
        if let Action::Send { path, datagram } = action {
            let path = Path {
                local: path.remote,
                remote: path.local,
                natt: path.natt,
            };
            sent.push((path, datagram));
        }
    }
    sent
}
