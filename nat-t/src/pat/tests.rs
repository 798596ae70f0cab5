#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::*;
use core::net::Ipv4Addr;
use proptest::prelude::*;
use std::prelude::v1::*;

const SPOKE: IpAddr = IpAddr::V4(Ipv4Addr::new(9, 1, 1, 146));
const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(9, 1, 1, 150));
const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(9, 1, 1, 34));
const OTHER_GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(9, 1, 1, 35));

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// GV11: the restricted PAT scenario of the router's log.
fn idle_at(at: Duration) -> Deadline {
    let why = DeadlineReason::IdleTranslation;
    Deadline { at, why }
}

#[test]
fn gv11_restricted_pat_binds_both_spis_serially() {
    let mut pat = Pat::new(PatConfig::default());
    // "Inside host trying to open an ESP connection to Outside host, wait for Out->In reply"
    let opened = pat
        .esp_outbound(SPOKE, GATEWAY, 0x062B_C13C, at(0))
        .unwrap();
    assert_eq!(
        opened.to_string(),
        "created In->Out ESP translation IL=9.1.1.146 SPI=0x62BC13C, OG=9.1.1.34, \
         wait for Out->In reply"
    );
    // Meanwhile the second host is blocked, towards this gateway only.
    let blocked = pat.esp_outbound(SECOND, GATEWAY, 0x1111, at(1));
    assert_eq!(blocked, Err(Refused::Busy { waiting: SPOKE }));
    assert!(
        pat.esp_outbound(SECOND, OTHER_GATEWAY, 0x1111, at(1))
            .is_ok()
    );
    // The first answer binds.
    let bound = pat.esp_inbound(GATEWAY, 0x5D82_6FB2, at(2)).unwrap();
    assert_eq!(
        bound.to_string(),
        "new Out->In ESP transl OG=9.1.1.34 SPI=0x5D826FB2, IL=9.1.1.146"
    );
    let row = *pat.esp_translations().next().unwrap();
    assert_eq!(
        (row.outbound_spi, row.inbound_spi),
        (0x062B_C13C, Some(0x5D82_6FB2))
    );
    // From now on the next host may open its own.
    assert!(pat.esp_outbound(SECOND, GATEWAY, 0x1111, at(3)).is_ok());
    assert_eq!(
        pat.esp_inbound(GATEWAY, 0x2222, at(4)).unwrap().inside(),
        SECOND
    );
    assert_eq!(
        pat.esp_inbound(GATEWAY, 0x5D82_6FB2, at(4))
            .unwrap()
            .inside(),
        SPOKE
    );

    // "create 00:04:01 … left 00:00:58": 300 s after the last use it is gone.
    let mut idle = Pat::new(PatConfig::default());
    idle.esp_outbound(SPOKE, GATEWAY, 0x062B_C13C, at(0))
        .unwrap();
    idle.esp_inbound(GATEWAY, 0x5D82_6FB2, at(0)).unwrap();
    idle.handle(at(241));
    assert_eq!(idle.next_deadline(), Some(idle_at(at(241 + 59))));
    idle.handle(at(299));
    assert_eq!(idle.len(), 1);
    idle.handle(at(300));
    assert!(idle.is_empty());
}

#[test]
fn a_new_spi_must_go_from_inside_to_outside_first() {
    let mut pat = Pat::new(PatConfig::default());
    assert_eq!(
        pat.esp_inbound(GATEWAY, 5, at(0)),
        Err(Refused::NoTranslation)
    );
    pat.esp_outbound(SPOKE, GATEWAY, 1, at(0)).unwrap();
    assert!(pat.esp_inbound(GATEWAY, 5, at(0)).is_ok());
    // The endpoints rekey; the gateway speaks first and is not heard.
    assert_eq!(
        pat.esp_inbound(GATEWAY, 6, at(1)),
        Err(Refused::NoTranslation)
    );
    pat.esp_outbound(SPOKE, GATEWAY, 2, at(2)).unwrap();
    assert!(pat.esp_inbound(GATEWAY, 6, at(3)).is_ok());
}

#[test]
fn an_answer_that_never_comes_blocks_for_the_wait_time_only() {
    let config = PatConfig {
        wait: at(30),
        ..PatConfig::default()
    };
    let mut pat = Pat::new(config);
    pat.esp_outbound(SPOKE, GATEWAY, 1, at(0)).unwrap();
    pat.esp_outbound(SPOKE, GATEWAY, 1, at(29)).unwrap(); // does not prolong the wait
    assert!(pat.esp_outbound(SECOND, GATEWAY, 2, at(29)).is_err());
    let unanswered = Deadline {
        at: at(30),
        why: DeadlineReason::UnansweredTranslation,
    };
    assert_eq!(pat.next_deadline(), Some(unanswered));
    assert!(pat.esp_outbound(SECOND, GATEWAY, 2, at(30)).is_ok());
}

#[test]
fn what_is_used_stays_from_either_side() {
    let mut pat = Pat::new(PatConfig::default());
    assert!(pat.is_empty());
    pat.esp_outbound(SPOKE, GATEWAY, 1, at(0)).unwrap();
    pat.esp_inbound(GATEWAY, 2, at(0)).unwrap();
    pat.ike_outbound(SPOKE, GATEWAY, [1; 8], at(0)).unwrap();
    // Each packet prolongs its own translation by the idle time: out, and then in.
    let existing = Ok(Passed::Existing { inside: SPOKE });
    assert_eq!(pat.esp_outbound(SPOKE, GATEWAY, 1, at(250)), existing);
    assert_eq!(pat.ike_outbound(SPOKE, GATEWAY, [1; 8], at(250)), Ok(()));
    assert_eq!(pat.next_deadline(), Some(idle_at(at(550))));
    assert_eq!(pat.esp_inbound(GATEWAY, 2, at(500)), existing);
    assert_eq!(pat.ike_inbound(GATEWAY, [1; 8], at(500)), Ok(SPOKE));
    assert_eq!(pat.next_deadline(), Some(idle_at(at(800))));
    pat.handle(at(799));
    assert_eq!(pat.len(), 2);
    assert!(!pat.is_empty());
    pat.handle(at(800));
    assert!(pat.is_empty());
}

#[test]
fn spi_matching_lets_hosts_open_side_by_side() {
    let config = PatConfig {
        predict: Some(|spi| !spi),
        ..PatConfig::default()
    };
    let mut pat = Pat::new(config);
    pat.esp_outbound(SPOKE, GATEWAY, 1, at(0)).unwrap();
    pat.esp_outbound(SECOND, GATEWAY, 2, at(0)).unwrap();
    assert_eq!(
        pat.esp_inbound(GATEWAY, !2, at(1)).unwrap().inside(),
        SECOND
    );
    assert_eq!(pat.esp_inbound(GATEWAY, !1, at(1)).unwrap().inside(), SPOKE);
    assert_eq!(
        pat.esp_inbound(GATEWAY, 3, at(1)),
        Err(Refused::NoTranslation)
    );
    let collision = pat.esp_outbound(SPOKE, GATEWAY, 2, at(1));
    assert_eq!(collision, Err(Refused::Collision { owner: SECOND }));
}

#[test]
fn ike_is_told_apart_by_the_initiator_cookie() {
    let mut pat = Pat::new(PatConfig::default());
    pat.ike_outbound(SPOKE, GATEWAY, [1; 8], at(0)).unwrap();
    pat.ike_outbound(SECOND, GATEWAY, [2; 8], at(0)).unwrap();
    assert_eq!(pat.ike_inbound(GATEWAY, [2; 8], at(1)), Ok(SECOND));
    assert_eq!(pat.ike_inbound(GATEWAY, [1; 8], at(1)), Ok(SPOKE));
    assert_eq!(
        pat.ike_inbound(GATEWAY, [3; 8], at(1)),
        Err(Refused::NoTranslation)
    );
    let stolen = pat.ike_outbound(SECOND, GATEWAY, [1; 8], at(1));
    assert_eq!(stolen, Err(Refused::Collision { owner: SPOKE }));
    assert_eq!(
        pat.ike_inbound(GATEWAY, [1; 8], at(301)),
        Err(Refused::NoTranslation)
    );
}

#[test]
fn the_table_is_bounded() {
    let mut pat = Pat::new(PatConfig {
        capacity: 8,
        ..PatConfig::default()
    });
    for spi in 0..100 {
        let _ = pat.esp_outbound(SPOKE, GATEWAY, spi, at(0));
        let _ = pat.ike_outbound(SPOKE, GATEWAY, [spi as u8; 8], at(0));
    }
    assert_eq!(pat.len(), 8);
    assert_eq!(
        pat.esp_outbound(SPOKE, GATEWAY, 1000, at(0)),
        Err(Refused::Full)
    );
}

proptest! {
    /// No packet from outside ever reaches two hosts under one SPI, and deadlines progress.
    #[test]
    fn an_inbound_spi_has_one_owner(
        steps in prop::collection::vec((any::<bool>(), 0u8..3, 0u8..2, 0u32..6, 0u64..80), 1..80),
    ) {
        let mut pat = Pat::new(PatConfig { capacity: 10, ..PatConfig::default() });
        let mut now = Duration::ZERO;
        for (outbound, host, gateway, spi, later) in steps {
            now += at(later);
            let host = IpAddr::V4(Ipv4Addr::new(10, 0, 0, host));
            let gateway = IpAddr::V4(Ipv4Addr::new(9, 9, 9, gateway));
            let before: Vec<_> = pat.esp_translations().copied().collect();
            let result = if outbound {
                pat.esp_outbound(host, gateway, spi, now)
            } else {
                pat.esp_inbound(gateway, spi, now)
            };
            let rows: Vec<_> = pat.esp_translations().copied().collect();
            if result.is_err() {
                prop_assert!(rows.iter().all(|row| before.contains(row)));
            }
            for (index, row) in rows.iter().enumerate() {
                let twin = |other: &EspTranslation| {
                    other.outside == row.outside && other.inbound_spi == row.inbound_spi
                };
                // Waiting rows of one outside host share their inside host as well.
                prop_assert!(
                    rows.iter().skip(index + 1).filter(|other| twin(other))
                        .all(|other| other.inside == row.inside)
                );
            }
            prop_assert!(pat.len() <= 10);
            prop_assert!(pat.next_deadline().is_none_or(|deadline| deadline.at > now));
        }
    }
}
