use super::*;

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn soft_limits_are_reported_once_and_hard_limits_refuse() {
    let lifetime = Lifetime {
        soft: Limits {
            bytes: Some(100),
            ..Limits::NONE
        },
        hard: Limits {
            bytes: Some(200),
            ..Limits::NONE
        },
    };
    let mut meter = Meter::new(lifetime, at(0));
    assert_eq!(meter.count(99, at(0)), None);
    assert_eq!(meter.count(1, at(0)), Some(Limit::Bytes));
    assert_eq!(meter.count(50, at(0)), None);
    assert_eq!(meter.admit(50, at(0)), Ok(()));
    assert_eq!(meter.admit(51, at(0)), Err(Limit::Bytes));
}

fn due(at: Duration, why: DeadlineReason) -> Deadline {
    Deadline { at, why }
}

#[test]
fn packets_and_time_count_as_well() {
    let hard = Limits {
        packets: Some(2),
        time: Some(at(3600)),
        ..Limits::NONE
    };
    let soft = Limits {
        time: Some(at(3000)),
        ..Limits::NONE
    };
    let mut meter = Meter::new(Lifetime { soft, hard }, at(10));
    assert_eq!(
        meter.next_deadline(at(10)),
        Some(due(at(3010), DeadlineReason::SoftLifetime))
    );
    assert_eq!(meter.soft(at(3009)), None);
    assert_eq!(meter.soft(at(3010)), Some(Limit::Time));
    assert_eq!(
        meter.next_deadline(at(3010)),
        Some(due(at(3610), DeadlineReason::HardLifetime))
    );
    assert_eq!(meter.admit(1, at(3609)), Ok(()));
    assert_eq!(meter.admit(1, at(3610)), Err(Limit::Time));
    meter.count(1, at(3011));
    meter.count(1, at(3011));
    assert_eq!(meter.admit(1, at(3011)), Err(Limit::Packets));
    assert_eq!(meter.next_deadline(at(3610)), None);
}

/// E5: after some kilobytes of payload, what is left is printed as the floor.
#[test]
fn e5_remaining_kilobytes_are_a_floor_over_payload() {
    let hard = Limits {
        bytes: Some(4_608_000 * 1024),
        time: Some(at(3600)),
        ..Limits::NONE
    };
    let mut meter = Meter::new(
        Lifetime {
            soft: Limits::NONE,
            hard,
        },
        at(0),
    );
    assert_eq!(meter.remaining(at(11)), (Some(4_608_000), Some(at(3589))));
    meter.count(100, at(11));
    assert_eq!(meter.remaining(at(11)).0, Some(4_607_999));
    // 4 + 35 packets of 336 octets: 13104 octets, 12.8 kilobytes.
    for _ in 0..38 {
        meter.count(336, at(500));
    }
    assert_eq!(meter.remaining(at(580)), (Some(4_607_987), Some(at(3020))));
}

#[test]
fn a_clock_that_steps_back_does_not_expire_anything() {
    let hard = Limits {
        time: Some(at(10)),
        ..Limits::NONE
    };
    let meter = Meter::new(
        Lifetime {
            soft: Limits::NONE,
            hard,
        },
        at(100),
    );
    assert_eq!(meter.admit(1, at(0)), Ok(()));
}
