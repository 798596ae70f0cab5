//! What is said when nothing comes of an attempt.
use crypto_suite::GroupId;
use ike_sm::config::{Identity, Phase1Policy, PskTable, RemoteIdentity};
use ike_sm::{Answer, CloseReason, Event, Outcome};

use crate::common::{A, B, End, Pair, config, net, secs};

fn log(pair: &Pair) -> String {
    pair.a.log.concat()
}

#[test]
fn l15_an_error_in_the_clear_is_named_when_nothing_else_comes() {
    let [mut a, b] = [config(A, B, b"secret"), config(B, A, b"secret")];
    let mut policy = Phase1Policy::new(10);
    policy.group = GroupId::Ecp384;
    a.peers[0].policies = vec![policy];
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    // It ends nothing: anybody can have sent it.
    assert!(pair.a.closed.is_empty());
    assert_eq!(pair.a.endpoint.ike_sas().count(), 1);
    pair.run_for(secs(170));
    let reasons: Vec<CloseReason> = pair.a.closed.iter().map(|(_, reason)| *reason).collect();
    assert_eq!(reasons, [CloseReason::RefusedUnproven(14)]);
    assert!(log(&pair).contains("an error that nothing authenticates: NO-PROPOSAL-CHOSEN"));
}

#[test]
fn l15_without_an_error_it_is_a_timeout() {
    let [a, b] = [config(A, B, b"secret"), config(B, A, b"secret")];
    let mut pair = Pair::new(a, b);
    pair.fate = Box::new(|_| false);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(170));
    assert_eq!(pair.a.closed[0].1, CloseReason::Timeout);
}

#[test]
fn l15_no_pre_shared_key_is_called_so() {
    let [mut a, b] = [config(A, B, b"secret"), config(B, A, b"secret")];
    a.psks = PskTable::default();
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    let (ticket, _) = pair.a.asked.pop().unwrap();
    let outcome = pair.feed(false, Event::Answer(ticket, Answer::Psk(None)));
    assert_eq!(outcome, Outcome::Handled);
    assert_eq!(pair.a.closed[0].1, CloseReason::NoPsk);
    assert!(log(&pair).contains("No pre-shared key with 192.0.2.2!"));
}

#[test]
fn l15_a_refused_identity_is_not_taken_for_a_wrong_key() {
    let [a, mut b] = [config(A, B, b"secret"), config(B, A, b"secret")];
    b.peers[0].remote_id = RemoteIdentity::Is(Identity::Fqdn("other.lab".into()));
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(10));
    let doubt = "the pre-shared keys may differ, or it does not accept our identity";
    assert!(log(&pair).contains(doubt), "{}", log(&pair));
    // The end that knows says what it is, and nothing of keys.
    let known = pair.b.log.concat();
    assert!(!known.contains("keys may differ"), "{known}");
}

/// What moved the quick modes of an end, each time with the state that they came from and went to.
fn quick_modes(end: &End) -> Vec<String> {
    let log = end.log.concat();
    let lines: Vec<&str> = log.lines().collect();
    let pairs = lines.windows(2).filter(|pair| pair[0].contains("Node "));
    let words = |pair: &[&str]| {
        let input = pair[0].split("Input = ").nth(1).unwrap();
        let states = pair[1].split("Old State = ").nth(1).unwrap();
        format!("{input}: {}", states.replace("  New State =", " to"))
    };
    pairs.map(words).collect()
}

#[test]
fn both_ends_tell_the_states_of_a_quick_mode() {
    let pair = Pair::established();
    assert_eq!(
        quick_modes(&pair.a),
        [
            "IKE_MESG_INTERNAL, IKE_INIT_QM: IKE_QM_READY to IKE_QM_I_QM1",
            "IKE_MESG_FROM_PEER, IKE_QM_EXCH: IKE_QM_I_QM1 to IKE_QM_PHASE2_COMPLETE",
        ]
    );
    assert_eq!(
        quick_modes(&pair.b),
        [
            "IKE_MESG_FROM_PEER, IKE_QM_EXCH: IKE_QM_READY to IKE_QM_R_QM2",
            "IKE_MESG_FROM_PEER, IKE_QM_EXCH: IKE_QM_R_QM2 to IKE_QM_PHASE2_COMPLETE",
        ]
    );
}

#[test]
fn a_refused_quick_mode_is_told_as_an_error() {
    let [a, mut b] = [config(A, B, b"secret"), config(B, A, b"secret")];
    b.peers[0].children[0].local = net("10.7.0.0", 16).into();
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    let told = quick_modes(&pair.b);
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("IKE_MESG_INTERNAL, IKE_PROCESS_ERROR: IKE_QM_READY to "));
}
