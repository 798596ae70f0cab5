//! Warnings about peers that a responder cannot tell apart.

use ike_sm::config::Config as IkeConfig;

/// What to say of peers that are never chosen for an initiator.
#[must_use]
pub fn warnings(ike: &IkeConfig) -> Vec<String> {
    let name = |place: usize| ike.peers.get(place).map_or("", |peer| peer.name.as_str());
    let warning = |a: ike_sm::config::Alike| {
        let (first, second) = (name(a.first), name(a.second));
        format!(
            "who calls us is taken for peer {first}, never for peer {second}: {}",
            a.why
        )
    };
    ike.alike().into_iter().map(warning).collect()
}
