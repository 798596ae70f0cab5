//! What would have matched: the least change that makes two sides meet.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::attribute::{Attribute, Mismatch, OfferedTransform};
use super::phase1::compare;
use crate::config::Phase1Policy;

/// The pair of policy and transform that came nearest to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearestMiss {
    /// Priority of our policy.
    pub policy: u16,
    /// Number of the peer's transform.
    pub transform: u8,
    /// What would have to change on one of the two sides.
    pub differences: Vec<Difference>,
}

/// One thing in which a policy and a transform differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// In what.
    pub what: Mismatch,
    /// What our policy has.
    pub ours: String,
    /// What the peer offers.
    pub theirs: String,
}

/// Finds the policy and transform with the fewest differences; the first such pair in the order of
/// comparison. `None` when there is nothing to compare or every transform is unreadable.
#[must_use]
pub fn nearest_miss(policies: &[Phase1Policy], offer: &[OfferedTransform]) -> Option<NearestMiss> {
    let mut best: Option<(u32, &Phase1Policy, &OfferedTransform)> = None;
    for policy in policies {
        for t in offer {
            let Err((first, all)) = compare(policy, t) else {
                continue;
            };
            let comparable = matches!(
                first,
                Mismatch::Encryption
                    | Mismatch::KeyLength
                    | Mismatch::Hash
                    | Mismatch::Authentication
                    | Mismatch::Group
            );
            if comparable && best.is_none_or(|(fewest, ..)| all.len() < fewest) {
                best = Some((all.len(), policy, t));
            }
        }
    }
    let (_, policy, t) = best?;
    let Err((_, all)) = compare(policy, t) else {
        return None;
    };
    let ours = super::phase1::phase1_offer(core::slice::from_ref(policy));
    let mine = ours
        .first()
        .map(|t| t.attributes.as_slice())
        .unwrap_or_default();
    let kinds = [
        (Mismatch::Encryption, 1),
        (Mismatch::KeyLength, 14),
        (Mismatch::Hash, 2),
        (Mismatch::Authentication, 3),
        (Mismatch::Group, 4),
    ];
    let differences = kinds
        .iter()
        .filter(|(kind, _)| all.contains(*kind))
        .map(|(kind, class)| {
            let (ours, theirs) = (show(mine, *class), show(&t.attributes, *class));
            Difference {
                what: *kind,
                ours,
                theirs,
            }
        });
    Some(NearestMiss {
        policy: policy.priority,
        transform: t.number,
        differences: differences.collect(),
    })
}

fn show(attributes: &[Attribute], class: u16) -> String {
    match attributes.iter().find(|a| a.class == class) {
        None => String::from("none"),
        Some(a) => super::words::phase1_value(a),
    }
}

impl fmt::Display for NearestMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "policy {} and transform {} would meet",
            self.policy, self.transform
        )?;
        for (n, d) in self.differences.iter().enumerate() {
            let lead = if n == 0 { " if" } else { " and" };
            write!(
                f,
                "{lead} the {} were the same (ours {}, theirs {})",
                d.what, d.ours, d.theirs
            )?;
        }
        Ok(())
    }
}
