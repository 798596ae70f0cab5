//! Requests that belong to no IKE SA, and what their senders are told (RFC 7296 §1.5, §2.5, §2.21.4).
use ike_sm::config::Config;
#[cfg(feature = "v1")]
use ike_sm::config::IkeVersion;
use ike_sm::{Command, DropReason, Event, Outcome, Path};
use isakmp_wire::v2::{Message, NotifyType, PayloadType};
use isakmp_wire::{Flags, Header, Limits};

use crate::common::{A, B, End, Pair, ip, secs};
use crate::{configs, established};

/// An end that has lost its SAs, and a request of an SA that it had: the path and the octets.
fn forgotten(change: impl Fn(&mut Config)) -> (End, Path, Vec<u8>) {
    let mut pair = established();
    let child = pair.a.active[0];
    let _ = pair.command(false, Command::DeleteChild(child));
    let request = pair.flights.remove(0);
    let path = Path {
        local: request.path.remote,
        remote: request.path.local,
        natt: request.path.natt,
    };
    (End::new(configs(change).1, 3), path, request.datagram)
}

fn tell(end: &mut End, path: Path, message: &[u8], at: u64) -> (Outcome, Vec<Vec<u8>>) {
    let (outcome, out) = end.feed(Event::Datagram { path, message }, secs(at));
    for (to, _) in &out {
        assert_eq!(*to, path, "to where it came from");
    }
    (outcome, out.into_iter().map(|(_, m)| m).collect())
}

/// The answer repeats the request's header, is a response of the other role, and says one thing.
fn assert_says(answer: &[u8], request: &[u8], notify: NotifyType) {
    let (asked, got) = (
        Header::read(request).unwrap(),
        Header::read(answer).unwrap(),
    );
    let own = |h: &Header| {
        (
            h.initiator_spi,
            h.responder_spi,
            h.exchange_type,
            h.message_id,
        )
    };
    assert_eq!(own(&got), own(&asked));
    assert_eq!(got.version.0, 0x20);
    assert!(got.flags.contains(Flags::RESPONSE));
    let sent_by_initiator = |h: &Header| h.flags.contains(Flags::INITIATOR);
    assert_ne!(sent_by_initiator(&got), sent_by_initiator(&asked));
    let message = Message::parse(answer, &Limits::default()).unwrap();
    let payloads: Vec<_> = message.payloads().into_iter().collect();
    assert_eq!(payloads.len(), 1);
    assert_eq!(payloads[0].payload_type, PayloadType::NOTIFY);
    let body = [&[0, 0][..], &notify.0.to_be_bytes()].concat();
    assert_eq!(payloads[0].body, body);
    assert!(answer.len() <= request.len());
}

#[test]
fn rfc7296_s2_21_4_a_peer_learns_that_its_ike_sa_is_not_known() {
    let mut pair = established();
    // b restarts.
    pair.b = End::new(configs(|_| {}).1, 3);
    let child = pair.a.active[0];
    let _ = pair.command(false, Command::DeleteChild(child));
    let before = format!("{:?}", pair.a.endpoint.state());
    let request = pair.flights[0].datagram.clone();
    assert!(pair.step(secs(5)));
    assert_eq!(
        pair.outcomes.pop(),
        Some((true, Outcome::Dropped(DropReason::UnknownCookies)))
    );
    assert_says(
        &pair.flights[0].datagram,
        &request,
        NotifyType::INVALID_IKE_SPI,
    );
    // A hint: it is said and changes nothing, and is not answered.
    assert!(pair.step(secs(5)));
    let hint = DropReason::UnprotectedError(NotifyType::INVALID_IKE_SPI);
    assert_eq!(pair.outcomes.pop(), Some((false, Outcome::Dropped(hint))));
    assert_eq!(format!("{:?}", pair.a.endpoint.state()), before);
    assert!(pair.flights.is_empty());
    let said = "an answer that nothing authenticates says INVALID_IKE_SPI";
    assert!(
        pair.a.log.iter().any(|line| line.contains(said)),
        "{:?}",
        pair.a.log
    );
}

#[test]
fn b5_answers_to_strangers_are_limited() {
    let (mut end, path, request) = forgotten(|c| c.limits.stray_answers = 3);
    let answered = |end: &mut End, at| {
        let all = (0..10).map(|_| tell(end, path, &request, at).1.len());
        all.sum::<usize>()
    };
    assert_eq!(answered(&mut end, 5), 3);
    assert_eq!(answered(&mut end, 5), 0);
    assert_eq!(answered(&mut end, 6), 3);
    let (mut silent, ..) = forgotten(|c| c.limits.stray_answers = 0);
    assert_eq!(answered(&mut silent, 5), 0);
}

#[test]
fn rfc7296_s2_21_4_only_requests_of_possible_peers_are_answered() {
    let (mut end, path, request) = forgotten(|_| {});
    let silent = |end: &mut End, path, request: &[u8], what: &str| {
        let (outcome, out) = tell(end, path, request, 1);
        assert!(
            outcome.dropped().is_some() && out.is_empty(),
            "{what}: {outcome:?}"
        );
    };
    let mut response = request.clone();
    response[19] |= Flags::RESPONSE.0;
    silent(&mut end, path, &response, "a response");
    let mut elsewhere = path;
    elsewhere.remote.set_ip(ip("203.0.113.9"));
    silent(&mut end, elsewhere, &request, "a stranger");
    let mut clear = request.clone();
    clear[16] = PayloadType::NOTIFY.0;
    silent(&mut end, path, &clear, "a message in the clear");
    #[cfg(feature = "v1")]
    {
        let (mut old, ..) = forgotten(|c| c.peers[0].version = IkeVersion::V1);
        silent(&mut old, path, &request, "a peer of IKEv1");
    }
    let (_, goodbye) = end.feed(Event::Command(Command::Shutdown), secs(1));
    assert!(goodbye.is_empty());
    silent(&mut end, path, &request, "after the end");
}

#[test]
fn rfc7296_s2_5_a_higher_major_version_is_answered_with_ours() {
    let mut pair = Pair::new(configs(|_| {}).0, configs(|_| {}).1);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    let flight = pair.flights.remove(0);
    let path = Path {
        local: flight.path.remote,
        remote: flight.path.local,
        natt: false,
    };
    assert_eq!((path.local.ip(), path.remote.ip()), (ip(B), ip(A)));
    let mut request = flight.datagram;
    for (version, answered) in [(0x30, true), (0x10, false), (0x00, false), (0xf0, true)] {
        request[17] = version;
        request[23] = 7;
        let (outcome, out) = tell(&mut pair.b, path, &request, 1);
        assert_eq!(out.len(), usize::from(answered), "{version:#x} {outcome:?}");
        if let Some(answer) = out.first() {
            let (major, minor) = (version >> 4, 0);
            assert_eq!(
                outcome,
                Outcome::Dropped(DropReason::Version { major, minor })
            );
            assert_says(answer, &request, NotifyType::INVALID_MAJOR_VERSION);
        }
    }
    // Never more than has come.
    request.truncate(Header::LEN + 4);
    assert!(tell(&mut pair.b, path, &request, 1).1.is_empty());
}
