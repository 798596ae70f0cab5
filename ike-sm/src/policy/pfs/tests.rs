use alloc::vec::Vec;

use crypto_suite::{DEFAULT, GroupId, WeakAlgorithms};

use super::{Permitted, PfsOffer};
use crate::config::Pfs;

const USUAL: GroupId = GroupId::X25519;
const OTHER: GroupId = GroupId::Modp2048;

fn permitted(pfs: Pfs) -> Permitted<'static> {
    Permitted {
        pfs,
        provider: &DEFAULT,
        weak: WeakAlgorithms::default(),
        usual: USUAL,
    }
}

fn offers(pfs: Pfs, shown: Option<GroupId>) -> Vec<Option<GroupId>> {
    let permitted = permitted(pfs);
    let offer = Some(PfsOffer::begin(shown));
    core::iter::successors(offer, |offer| offer.next(&permitted))
        .map(|offer| offer.group(&permitted).unwrap())
        .collect()
}

#[test]
fn l4_what_the_peer_has_shown_comes_first_and_then_all_that_policy_permits() {
    let accept = Pfs::AcceptIfOffered;
    assert_eq!(offers(accept, None), [None, Some(USUAL)]);
    assert_eq!(offers(accept, Some(USUAL)), [Some(USUAL), None]);
    assert_eq!(
        offers(accept, Some(OTHER)),
        [Some(OTHER), None, Some(USUAL)]
    );
}

#[test]
fn l4_what_is_configured_is_not_left() {
    for shown in [None, Some(USUAL), Some(OTHER)] {
        assert_eq!(offers(Pfs::Off, shown), [None]);
        assert_eq!(offers(Pfs::Required(OTHER), shown), [Some(OTHER)]);
    }
}

#[test]
fn l4_a_group_that_the_peer_names_is_offered_once_and_a_weak_one_never() {
    let accept = permitted(Pfs::AcceptIfOffered);
    let first = PfsOffer::begin(None);
    assert_eq!(first.named(GroupId::Modp768, &accept), None, "weak");
    let second = first.named(OTHER, &accept).unwrap();
    assert_eq!(second.group(&accept), Some(Some(OTHER)));
    assert_eq!(second.named(OTHER, &accept), None);
    assert_eq!(
        second.named(USUAL, &accept),
        None,
        "two ends could go on for ever"
    );
    for pfs in [Pfs::Off, Pfs::Required(USUAL)] {
        assert_eq!(first.named(OTHER, &permitted(pfs)), None);
    }
}
