use alloc::boxed::Box;
use core::time::Duration;
use std::net::SocketAddr;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use crypto_suite::{CipherId, GroupId, HashId, IntegrityId, ProtectionId};

use isakmp_wire::registry::v1::PayloadType;

use super::cisco;
use crate::config::{Lifetime, Phase1Policy};
use crate::event::*;
use crate::model::ChildTerms;
use crate::model::{
    Authentication, ChildId, ChildSuite, CloseReason, DropReason, ExchangeState, Identity, IkeId,
    IkeState, IkeVersion, Input, Mode, Path, Role, Selector, Step,
};
use crate::policy::tests::{cisco_policies, linksys_offer};
use crate::policy::{Attribute, OfferedTransform, Phase1Finding, choose_phase1};

fn record(what: What) -> Record {
    Record {
        at: Duration::from_millis(1_500),
        ike: Some(IkeId(709)),
        version: Some(IkeVersion::V1),
        what,
    }
}

fn cisco(what: What) -> String {
    record(what).cisco().to_string()
}

fn path() -> Path {
    let at = |s: &str| s.parse::<SocketAddr>().unwrap();
    Path::plain(at("200.56.4.1:500"), at("200.100.1.1:500"))
}

fn packet(role: Option<Role>, state: IkeState, step: Step, types: &[PayloadType]) -> Packet {
    let payloads = types.iter().copied().collect();
    Packet {
        path: path(),
        role,
        state,
        step,
        message_id: 0,
        payloads,
        len: 192,
    }
}

/// What IOS prints for one comparison.
fn block(t: &OfferedTransform, policy: u16, verdict: &str, next: u8) -> String {
    let names = |class: u16| match (
        class,
        t.attributes
            .get(usize::from(class).saturating_sub(1))
            .and_then(Attribute::number)
            .unwrap(),
    ) {
        (1, 5) => "3DES-CBC",
        (1, 1) => "DES-CBC",
        (2, 2) => "SHA",
        (2, 1) => "MD5",
        (4, 1) => "1",
        (4, 2) => "2",
        other => std::panic!("{other:?}"),
    };
    let refused = if verdict.is_empty() {
        String::new()
    } else {
        format!("ISAKMP (0:709): {verdict} offered does not match policy!\n")
    };
    let not = if verdict.is_empty() { "" } else { "not " };
    format!(
        "ISAKMP (0:709): Checking ISAKMP transform {} against priority {policy} policy\n\
         ISAKMP:      encryption {}\n\
         ISAKMP:      hash {}\n\
         ISAKMP:      auth pre-share\n\
         ISAKMP:      default group {}\n\
         ISAKMP:      life type in seconds\n\
         ISAKMP:      life duration (VPI) of  0x0 0x1 0x51 0x80\n\
         {refused}ISAKMP (0:709): atts are {not}acceptable. Next payload is {next}\n",
        t.number,
        names(1),
        names(2),
        names(4),
    )
}

/// The debug output of IKEv2 names a session and an SA, whatever is said.
#[test]
fn general_records_of_ikev2_read_as_those_of_ikev2() {
    let ikev2 = |what| {
        let version = Some(IkeVersion::V2);
        let all = Record {
            version,
            ..record(what)
        }
        .cisco()
        .to_string();
        all.lines().map(String::from).collect::<Vec<_>>()
    };
    let ok = What::Authenticated {
        peer: path().remote.ip(),
        ok: true,
    };
    assert_eq!(
        ikev2(ok)[2],
        "IKEv2:(SESSION ID = 709,SA ID = 709):SA has been authenticated with 200.100.1.1"
    );
    let sequence = 7;
    for what in [
        What::Dpd(DpdStep::Answered { sequence }),
        What::Notice(Notice::IdentityInUse),
        What::IkeClosed {
            version: IkeVersion::V2,
            peer: "peer".into(),
            reason: CloseReason::Requested,
        },
        What::PskLookup {
            peer: path().remote.ip(),
            found: PskFound::Yes,
        },
        What::Sent(packet(
            Some(Role::Initiator),
            IkeState::Up,
            Step::AuthI,
            &[],
        )),
        What::Dropped {
            path: Some(path()),
            reason: DropReason::UnknownCookies,
        },
    ] {
        for line in ikev2(what) {
            assert!(line.starts_with("IKEv2:"), "{line}");
        }
    }
}

#[test]
fn gv1_reads_as_the_seeds_router_prints_it() {
    let offer = linksys_offer();
    let mut shown = String::new();
    choose_phase1(
        &cisco_policies(),
        &offer,
        Some(&mut |found| {
            if matches!(found, Phase1Finding::Compared(_)) {
                shown.push_str(&cisco(found.into()));
            }
        }),
    );
    let dh = "Diffie-Hellman group";
    let enc = "Encryption algorithm";
    let hash = "Hash algorithm";
    let mut expected = String::new();
    for (policy, row) in [
        (1, vec![dh, enc, dh, hash]),
        (2, vec![hash, enc, hash, dh]),
        (3, vec![enc, hash, enc, enc]),
        (4, vec![""]),
    ] {
        for (n, verdict) in row.iter().enumerate() {
            let next = if n == 3 { 0 } else { 3 };
            expected.push_str(&block(&offer[n], policy, verdict, next));
        }
    }
    assert_eq!(shown, expected);
    assert_eq!(shown.lines().count(), 12 * 9 + 8);
}

#[test]
fn k18_packets_and_transitions_read_as_the_seeds_router_prints_them() {
    let new = packet(None, IkeState::Ready, Step::MmI1, &[PayloadType::SA]);
    assert_eq!(
        cisco(What::Received(new)),
        "ISAKMP (0:709): received packet from 200.100.1.1 dport 500 sport 500 Global (N) NEW SA\n"
    );
    let role = Some(Role::Responder);
    let states: [(IkeState, &str); 5] = [
        (IkeState::ResponderMm1, "MM_SA_SETUP"),
        (IkeState::ResponderMm2, "MM_SA_SETUP"),
        (IkeState::ResponderMm4, "MM_KEY_EXCH"),
        (IkeState::ResponderMm5, "MM_KEY_EXCH"),
        (IkeState::Complete, "QM_IDLE"),
    ];
    for (state, shown) in states {
        assert_eq!(
            cisco(What::Sent(packet(role, state, Step::MmR1, &[]))),
            format!(
                "ISAKMP (0:709): sending packet to 200.100.1.1 my_port 500 peer_port 500 (R) \
                 {shown}\n"
            )
        );
    }
    let step = |input, from: IkeState, to: IkeState| {
        cisco(What::Transition(Transition {
            input,
            from: from.into(),
            to: to.into(),
            message_id: None,
        }))
    };
    assert_eq!(
        step(Input::PeerMainMode, IkeState::Ready, IkeState::ResponderMm1),
        "ISAKMP (0:709): Input = IKE_MESG_FROM_PEER, IKE_MM_EXCH\n\
         ISAKMP (0:709): Old State = IKE_READY  New State = IKE_R_MM1\n"
    );
    assert_eq!(
        step(
            Input::ProcessComplete,
            IkeState::ResponderMm1,
            IkeState::ResponderMm2
        ),
        "ISAKMP (0:709): Input = IKE_MESG_INTERNAL, IKE_PROCESS_COMPLETE\n\
         ISAKMP (0:709): Old State = IKE_R_MM1  New State = IKE_R_MM2\n"
    );
    assert_eq!(
        step(
            Input::Phase1Complete,
            IkeState::Complete,
            IkeState::Complete
        ),
        "ISAKMP (0:709): Input = IKE_MESG_INTERNAL, IKE_PHASE1_COMPLETE\n\
         ISAKMP (0:709): Old State = IKE_P1_COMPLETE  New State = IKE_P1_COMPLETE\n"
    );
    // K19, S4: the initiator moves on when its identity goes out on port 4500.
    assert_eq!(
        step(
            Input::ProcessComplete,
            IkeState::InitiatorMm4,
            IkeState::InitiatorMm5
        ),
        "ISAKMP (0:709): Input = IKE_MESG_INTERNAL, IKE_PROCESS_COMPLETE\n\
         ISAKMP (0:709): Old State = IKE_I_MM4  New State = IKE_I_MM5\n"
    );
}

#[test]
fn q7_quick_mode_waits_for_an_spi_in_a_state_of_its_own() {
    let message_id = 0xcdd3_aca0;
    let t = Transition {
        input: Input::PeerQuickMode,
        from: ExchangeState::QmReady.into(),
        to: ExchangeState::QmSpiStarve.into(),
        message_id: Some(message_id),
    };
    assert_eq!(
        cisco(What::Transition(t)),
        "ISAKMP (0:709): Node -841765728, Input = IKE_MESG_FROM_PEER, IKE_QM_EXCH\n\
         ISAKMP (0:709): Old State = IKE_QM_READY  New State = IKE_QM_SPI_STARVE\n"
    );
    assert_eq!(
        cisco(What::SpiWanted { count: 1 }),
        "ISAKMP (0:709): asking for 1 spis from ipsec\n"
    );
    let reason = "quick mode done (await)";
    assert_eq!(
        cisco(What::ExchangeEnded {
            message_id,
            error: false,
            reason
        }),
        "ISAKMP (0:709): deleting node -841765728 error FALSE reason \"quick mode done (await)\"\n"
    );
}

#[test]
fn gv4_numbers_are_rendered_signed_and_in_hex() {
    for (number, signed, hex) in [
        (3_453_201_568u32, -841_765_728i32, "0xCDD3ACA0(3453201568)"),
        (1_387_857_340, 1_387_857_340, "0x52B905BC(1387857340)"),
        (103_530_812, 103_530_812, "0x62BC13C(103530812)"),
        (4_081_901_794, -213_065_502, "0xF34CE0E2(4081901794)"),
    ] {
        assert_eq!(cisco::signed(number), signed);
        assert_eq!(cisco::Spi(number).to_string(), hex);
    }
}

#[test]
fn k20_the_compact_style_names_messages_and_payloads() {
    use PayloadType as P;
    let line = |what| record(what).compact().to_string();
    let initiator = Some(Role::Initiator);
    let sent = packet(initiator, IkeState::InitiatorMm1, Step::MmI1, &[P::SA]);
    assert_eq!(
        line(What::Sent(sent)),
        "IKE[709] Tx >> MM_I1 : 200.100.1.1 SA"
    );
    let types = [
        P::KEY_EXCHANGE,
        P::NONCE,
        P::VENDOR_ID,
        P::VENDOR_ID,
        P::VENDOR_ID,
        P::VENDOR_ID,
    ];
    let got = packet(initiator, IkeState::InitiatorMm3, Step::MmR2, &types);
    assert_eq!(
        line(What::Received(got)),
        "IKE[709] Rx << MM_R2 : 200.100.1.1 KE, NONCE, VID, VID, VID, VID"
    );
    let types = [
        P::HASH,
        P::SA,
        P::NONCE,
        P::KEY_EXCHANGE,
        P::IDENTIFICATION,
        P::IDENTIFICATION,
        P::NOTIFICATION,
    ];
    let got = packet(initiator, IkeState::Complete, Step::QmR1, &types);
    assert_eq!(
        line(What::Received(got)),
        "IKE[709] Rx << QM_R1 : 200.100.1.1 HASH, SA, NONCE, KE, ID, ID, NOTIFY"
    );
    let policy = Phase1Policy {
        priority: 4,
        encryption: CipherId::TripleDesCbc,
        hash: HashId::Sha1,
        authentication: Authentication::PreSharedKey,
        group: GroupId::Modp1024,
        lifetime: Lifetime::PHASE1,
    };
    let (offered, lifetime) = (Lifetime::PHASE1, Lifetime::PHASE1);
    assert_eq!(
        line(What::Phase1Suite(Phase1Summary {
            policy,
            offered,
            lifetime
        })),
        "IKE[709] ISAKMP SA 3DES / SHA / PreShared / MODP_1024 / 86400 sec (*86400 sec)"
    );
    // A state change is nothing that this style shows.
    let t = Transition {
        input: Input::Timer,
        from: IkeState::Ready.into(),
        to: IkeState::Ready.into(),
        message_id: None,
    };
    assert_eq!(line(What::Transition(t)), "");
}

#[test]
fn gv7_and_gv12_dead_peer_detection_and_nat_read_as_in_the_seed() {
    let asked = DpdStep::Asked {
        sequence: 0x1781_5542,
        silent: Duration::from_secs(60),
        attempt: 1,
    };
    assert_eq!(
        cisco(What::Dpd(asked)),
        "ISAKMP (0:709): more than 60 seconds since last inbound data. Sending DPD.\n\
         ISAKMP (0:709): DPD Sequence number 0x17815542\n"
    );
    assert_eq!(
        cisco(What::Dpd(DpdStep::Answered {
            sequence: 0x1781_5542
        })),
        "ISAKMP (0:709): DPD/R_U_THERE_ACK received from peer, sequence 0x17815542\n"
    );
    let check = |ours, matches| {
        cisco(What::NatDetection(NatCheck {
            ours,
            matches,
            payload: PayloadType(17).into(),
        }))
    };
    assert_eq!(
        check(true, false),
        "ISAKMP:received payload type 17\nISAKMP (0:709): Detected NAT-D payload\n\
         ISAKMP (0:709): NAT does not match MINE hash\n"
    );
    assert!(check(false, true).ends_with("ISAKMP (0:709): NAT match HIS hash\n"));
}

#[test]
fn json_lines_are_escaped_objects() {
    let what = What::IkeClosed {
        version: IkeVersion::V1,
        peer: "a\"b\\\u{1}é\u{1F600}".into(),
        reason: CloseReason::Timeout,
    };
    let line = record(what).json().to_string();
    assert_eq!(
        line,
        "{\"at\":1.500000,\"ike\":709,\"event\":\"ike_closed\",\
         \"peer\":\"a\\\"b\\\\\\u0001é\u{1F600}\",\"reason\":\"death by retransmission\"}"
    );
}

/// One record of every kind.
fn every_kind() -> Vec<What> {
    let p = packet(
        Some(Role::Responder),
        IkeState::Complete,
        Step::QmI1,
        &[PayloadType::HASH],
    );
    let selector = Selector::subnet("192.168.100.0".parse().unwrap(), 24).unwrap();
    let mut list = vec![
        What::Received(p),
        What::Sent(p),
        What::Repeated {
            step: Step::MmI1,
            attempt: 2,
        },
        What::Processing {
            payload: PayloadType::SA.into(),
            message_id: 0,
        },
        What::KeysDerived,
        What::VendorId { name: "DPD" },
        What::ExchangeBegan { message_id: 7 },
        What::Notified {
            version: IkeVersion::V1,
            notify: 24578,
            authenticated: true,
            message_id: 7,
        },
        What::SpiWanted { count: 1 },
        What::ChildCreated(Box::new(ChildSummary {
            child: ChildId(3),
            name: "net".into(),
            terms: ChildTerms {
                spi_in: 0x52b9_05bc,
                spi_out: 0xcdd3_aca0,
                suite: ChildSuite::Esp(ProtectionId::CbcHmac(
                    CipherId::TripleDesCbc,
                    IntegrityId::HmacSha1_96,
                )),
                mode: Mode::Tunnel,
                udp_encapsulation: true,
                local: selector.into(),
                remote: selector.into(),
                path: path(),
                esn: false,
                pfs: None,
                original_addresses: None,
            },
            offered: Lifetime::PHASE2,
            lifetime: Lifetime::PHASE2,
            replaces: None,
        })),
        What::ChildClosed {
            child: ChildId(3),
            spi_in: 1,
            reason: CloseReason::Idle,
        },
        What::SelectorCheck(Box::new(SelectorCheck {
            child: "net".into(),
            local: selector.into(),
            remote: selector.into(),
            ok: false,
        })),
        What::SelectorsTaken(Box::new(SelectorsTaken {
            child: "net".into(),
            remote: selector.into(),
            holder: Identity::User("alice".into()),
            holder_peer: "warriors".into(),
            holder_child: "net".into(),
            holder_remote: selector.into(),
        })),
        What::Dropped {
            path: Some(path()),
            reason: DropReason::UnknownCookies,
        },
        What::Notice(Notice::WildcardPsk),
    ];
    for found in [
        PskFound::Yes,
        PskFound::Wildcard,
        PskFound::Asked,
        PskFound::No,
    ] {
        list.push(What::PskLookup {
            peer: path().remote.ip(),
            found,
        });
    }
    for ok in [true, false] {
        list.push(What::Authenticated {
            peer: path().remote.ip(),
            ok,
        });
    }
    list
}

#[test]
fn every_kind_of_record_has_text_and_json() {
    for what in every_kind() {
        let text = cisco(what.clone());
        assert!(text.ends_with('\n') && !text.contains("\n\n"), "{text:?}");
        let json = record(what.clone()).json().to_string();
        assert!(
            json.starts_with("{\"at\":") && json.ends_with('}'),
            "{json}"
        );
        assert!(
            !json.contains('\n') && json.contains("\"event\":"),
            "{json}"
        );
        assert!(!record(what).compact().to_string().ends_with('\n'));
    }
}

#[test]
fn b8_payload_lists_are_bounded() {
    let list: PayloadList = core::iter::repeat_n(PayloadType::VENDOR_ID, 100).collect();
    assert_eq!(list.as_slice().len(), PayloadList::MAX);
    assert!(list.is_cut());
    let p = Packet {
        payloads: list,
        ..packet(None, IkeState::Ready, Step::MmI1, &[])
    };
    assert!(
        record(What::Received(p))
            .compact()
            .to_string()
            .ends_with("VID, ...")
    );
}

#[test]
fn l15_an_ike_sa_is_called_as_its_version_calls_it() {
    let closed = |version, reason| {
        let peer = "hub".into();
        let what = What::IkeClosed {
            version,
            peer,
            reason,
        };
        record(what).compact().to_string()
    };
    assert_eq!(
        closed(IkeVersion::V1, CloseReason::NoPsk),
        "IKE[709] ISAKMP SA with hub ended: no pre-shared key for the peer"
    );
    assert_eq!(
        closed(IkeVersion::V2, CloseReason::RefusedByPeer(24)),
        "IKE[709] IKE SA with hub ended: refused by the peer: AUTHENTICATION_FAILED"
    );
    assert_eq!(
        closed(IkeVersion::V1, CloseReason::RefusedUnproven(14)),
        "IKE[709] ISAKMP SA with hub ended: no answer but an error that nothing authenticates: NO-PROPOSAL-CHOSEN"
    );
}
