//! The source document's negotiation, re-created from two endpoints and told in its words.

use crypto_suite::{CipherId, GroupId, HashId, IntegrityId, ProtectionId, WeakAlgorithms};
use ike_sm::ChildSuite;
use ike_sm::config::{Config, IdPort, IkeVersion, Lifetime, Pfs, Phase1Policy};

use crate::network::Link;
use crate::s;
use crate::world::{A, B, World};

fn policy(priority: u16, encryption: CipherId, hash: HashId, group: GroupId) -> Phase1Policy {
    Phase1Policy {
        encryption,
        hash,
        group,
        ..Phase1Policy::new(priority)
    }
}

/// A is the small router with four transforms, two of them the same, and PFS; B the big one with
/// four policies and no opinion on PFS.
fn routers(host: usize, config: &mut Config) {
    use CipherId::{DesCbc, TripleDesCbc};
    use GroupId::{Modp768, Modp1024, Modp1536};
    use HashId::{Md5, Sha1};
    config.explain = true;
    config.ask_spis = true;
    config.weak = WeakAlgorithms::ALL;
    let peer = &mut config.peers[0];
    peer.nat_traversal.enabled = false;
    peer.initial_contact = false;
    let child = &mut peer.children[0];
    let (cipher, mac) = (TripleDesCbc, IntegrityId::HmacSha1_96);
    child.suites = vec![ChildSuite::Esp(ProtectionId::CbcHmac(cipher, mac))];
    child.lifetime = Lifetime::seconds(86_400);
    if host == A {
        peer.id_port = IdPort::Zero;
        child.pfs = Pfs::Required(Modp1024);
        config.policies = vec![
            policy(1, TripleDesCbc, Sha1, Modp1024),
            policy(2, DesCbc, Md5, Modp768),
            policy(3, TripleDesCbc, Sha1, Modp1024),
            policy(4, TripleDesCbc, Md5, Modp1024),
        ];
    } else {
        // Less than is offered: the answer carries a RESPONDER-LIFETIME (Q13).
        child.lifetime = Lifetime::PHASE2;
        config.policies = vec![
            policy(1, TripleDesCbc, Sha1, Modp1536),
            policy(2, TripleDesCbc, Md5, Modp1536),
            policy(3, DesCbc, Sha1, Modp1536),
            policy(4, TripleDesCbc, Sha1, Modp1024),
        ];
    }
}

fn negotiated() -> World {
    let mut world = World::pair(IkeVersion::V1, 1, Link::CLEAN, routers);
    world.hosts.iter_mut().for_each(|h| h.keep_records = true);
    world.initiate(A).unwrap();
    world.run(s(3)).unwrap();
    assert_eq!(world.working_pairs(), 1, "{}", world.describe());
    world
}

fn cisco(world: &World, host: usize) -> Vec<String> {
    let text: String = world.hosts[host]
        .records
        .iter()
        .map(|r| r.cisco().to_string())
        .collect();
    text.lines().map(String::from).collect()
}

/// The lines in which one of `words` occurs, cut to begin behind the SA's number.
fn lines_with(lines: &[String], words: &[&str]) -> Vec<String> {
    let wanted = lines.iter().filter(|l| words.iter().any(|w| l.contains(w)));
    wanted
        .map(|l| {
            l.split_once("): ")
                .map_or(l.as_str(), |(_, rest)| rest)
                .to_string()
        })
        .collect()
}

#[test]
fn gv1_the_responder_tells_all_thirteen_verdicts() {
    let lines = cisco(&negotiated(), B);
    let told = lines_with(
        &lines,
        &["Checking ISAKMP", "does not match policy", "atts are"],
    );
    let (dh, enc, hash) = (
        "Diffie-Hellman group",
        "Encryption algorithm",
        "Hash algorithm",
    );
    let mut expected = Vec::new();
    for (policy, row) in [
        (1, [dh, enc, dh, hash]),
        (2, [hash, enc, hash, dh]),
        (3, [enc, hash, enc, enc]),
    ] {
        for (n, verdict) in row.iter().enumerate() {
            let next = if n == 3 { 0 } else { 3 };
            let t = n + 1;
            expected.push(format!(
                "Checking ISAKMP transform {t} against priority {policy} policy"
            ));
            expected.push(format!("{verdict} offered does not match policy!"));
            expected.push(format!("atts are not acceptable. Next payload is {next}"));
        }
    }
    expected.push("Checking ISAKMP transform 1 against priority 4 policy".into());
    expected.push("atts are acceptable. Next payload is 3".into());
    expected.push("atts are acceptable.".into());
    assert_eq!(told, expected);
}

#[test]
fn k18_the_responder_walks_through_the_documents_states() {
    let lines = cisco(&negotiated(), B);
    let told = lines_with(&lines, &["Old State"]);
    let step = |from: &str, to: &str| format!("Old State = {from}  New State = {to}");
    let expected = [
        step("IKE_READY", "IKE_R_MM1"),
        step("IKE_R_MM1", "IKE_R_MM1"),
        step("IKE_R_MM1", "IKE_R_MM2"),
        step("IKE_R_MM2", "IKE_R_MM3"),
        step("IKE_R_MM3", "IKE_R_MM3"),
        step("IKE_R_MM3", "IKE_R_MM4"),
        step("IKE_R_MM4", "IKE_R_MM5"),
        step("IKE_R_MM5", "IKE_R_MM5"),
        step("IKE_R_MM5", "IKE_P1_COMPLETE"),
        step("IKE_P1_COMPLETE", "IKE_P1_COMPLETE"),
        step("IKE_QM_READY", "IKE_QM_SPI_STARVE"),
        step("IKE_QM_SPI_STARVE", "IKE_QM_R_QM2"),
        step("IKE_QM_R_QM2", "IKE_QM_PHASE2_COMPLETE"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn q12_pfs_that_nobody_configured_is_pointed_out() {
    let lines = cisco(&negotiated(), B);
    let note = "note: PFS is used, with MODP_1024, although it is not configured here";
    assert!(lines.iter().any(|l| l.ends_with(note)), "{lines:#?}");
}

#[test]
fn k20_the_initiator_tells_it_in_short_lines() {
    let world = negotiated();
    let lines: Vec<String> = world.hosts[A]
        .records
        .iter()
        .map(|r| r.compact().to_string())
        .collect();
    let told: Vec<&str> = lines
        .iter()
        .filter(|l| l.contains("Tx >>") || l.contains("Rx <<") || l.contains("ISAKMP SA"))
        .map(|l| l.split_once("] ").unwrap().1)
        .collect();
    let vids = |line: &str| line.replace(", VID", "");
    let told: Vec<String> = told.iter().map(|l| vids(l)).collect();
    let b = "192.0.2.2";
    let expected = [
        format!("Tx >> MM_I1 : {b} SA"),
        format!("Rx << MM_R1 : {b} SA"),
        "ISAKMP SA 3DES / SHA / PreShared / MODP_1024 / 86400 sec (*86400 sec)".into(),
        format!("Tx >> MM_I2 : {b} KE, NONCE"),
        format!("Rx << MM_R2 : {b} KE, NONCE"),
        format!("Tx >> MM_I3 : {b} ID, HASH"),
        format!("Rx << MM_R3 : {b} ID, HASH"),
        format!("Tx >> QM_I1 : {b} HASH, SA, NONCE, KE, ID, ID"),
        format!("Rx << QM_R1 : {b} HASH, SA, NONCE, KE, ID, ID, NOTIFY"),
        format!("Tx >> QM_I2 : {b} HASH"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_would_have_matched_is_told_when_nothing_does() {
    let mut world = World::pair(IkeVersion::V1, 1, Link::CLEAN, |host, config| {
        routers(host, config);
        if host == B {
            config.policies.pop();
        }
    });
    world.hosts.iter_mut().for_each(|h| h.keep_records = true);
    world.initiate(A).unwrap();
    world.run(s(3)).unwrap();
    let note = "note: policy 1 and transform 1 would meet if the Diffie-Hellman group were the \
                same (ours 5, theirs 2)";
    let lines = cisco(&world, B);
    assert!(lines.iter().any(|l| l.ends_with(note)), "{lines:#?}");
}
