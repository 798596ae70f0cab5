//! IKEv1 with ryke, which speaks aggressive mode and quick mode with AES-GCM: both roles.

use std::time::Duration;

use crypto_suite::{AeadId, CipherId, GroupId, HashId, ProtectionId};
use ike_sm::config::{
    ChildConfig, Config, Identity, IkeVersion, Lifetime, PeerConfig, Pfs, Phase1Mode, Phase1Policy,
    RemoteIdentity, SelectorMatch,
};
use ike_sm::{ChildSuite, Command, Selector};
use ryke::ikev1::payloads::Id;
use ryke::ikev1::{phase1, quick};
use ryke::{DhGroup, SeedEntropy};
use ryke_peer::{End, OURS, THEIRS, addr, any_psk};

const PSK: &[u8] = b"a key that two implementations share";
const EVERYTHING: ([u8; 4], [u8; 4]) = ([0; 4], [0; 4]);

fn config() -> Config {
    let mut config = Config::default();
    let mut peer = PeerConfig::new("ryke");
    peer.version = IkeVersion::V1;
    peer.mode = Phase1Mode::AggressiveExposingPskHash;
    // A message of its own, which ryke does not read.
    peer.initial_contact = false;
    peer.addresses.push(addr(THEIRS).ip());
    peer.local_address = Some(addr(OURS).ip());
    peer.remote_id = RemoteIdentity::Is(Identity::Address(addr(THEIRS).ip()));
    let mut policy = Phase1Policy::new(10);
    (policy.encryption, policy.hash) = (CipherId::Aes256Cbc, HashId::Sha256);
    policy.group = GroupId::Modp2048;
    peer.policies = vec![policy];
    let any = Selector::subnet([0, 0, 0, 0].into(), 0).unwrap();
    let mut child = ChildConfig::new("all", any, any);
    child.suites = vec![ChildSuite::Esp(ProtectionId::Aead(AeadId::Aes256Gcm16))];
    child.pfs = Pfs::Off;
    // ryke answers each offer with one hour and no volume, and may not change what we offer.
    child.lifetime = Lifetime {
        time: Duration::from_secs(3600),
        kilobytes: None,
    };
    child.selector_match = SelectorMatch::Within;
    peer.children.push(child);
    config.peers.push(peer);
    any_psk(&mut config, PSK);
    config
}

#[test]
fn they_initiate_aggressive_mode_and_packets_pass_both_ways() {
    let mut end = End::new(config());
    let mut entropy = SeedEntropy::new(1);
    let theirs = phase1::InitiatorConfig {
        psk: PSK.to_vec(),
        our_id: Id::ipv4([192, 0, 2, 2]),
        group: DhGroup::Modp2048,
        xauth: false,
        ts_local: EVERYTHING,
        ts_remote: EVERYTHING,
    };
    let (message, initiator) = phase1::initiate_aggressive(&theirs, &mut entropy);
    let answer = end.receive(&message);
    let (message, state) = initiator.complete(&answer).unwrap();
    end.take(&message);
    assert_eq!(end.ikes.len(), 1);
    end.sent.clear();

    let (message, initiator) =
        quick::initiate_quick(&state, &mut entropy, EVERYTHING, EVERYTHING).unwrap();
    let answer = end.receive(&message);
    let (message, mut child) = initiator.complete(&answer).unwrap();
    end.take(&message);
    end.packets(end.child(), &mut child);
}

#[test]
fn we_initiate_aggressive_mode_and_packets_pass_both_ways() {
    let mut end = End::new(config());
    let mut entropy = SeedEntropy::new(2);
    let theirs = phase1::Phase1Config {
        psk: PSK.to_vec(),
        our_id: Id::ipv4([192, 0, 2, 2]),
    };
    let message = end.command(Command::Initiate {
        peer: "ryke".into(),
        children: vec![],
    });
    let (answer, mut state) = phase1::respond_aggressive(&theirs, &message, &mut entropy).unwrap();
    end.take(&answer);
    // Message 3 of aggressive mode, and message 1 of quick mode right behind it.
    assert_eq!(end.sent.len(), 2);
    let quick = end.sent.pop().unwrap();
    let last = end.sent.pop().unwrap();
    state.verify_hash_i(&last).unwrap();
    // RFC 2409 App. B: what follows phase 1 goes on from its last ciphertext block. ryke 0.3 reads an encrypted third
    // message, and does not go on from it.
    state.phase1_iv = last[last.len() - 16..].to_vec();
    assert_eq!(end.ikes.len(), 1);

    let (answer, responder) = quick::respond_quick(&state, &quick, &mut entropy).unwrap();
    let message = end.receive(&answer);
    let mut child = responder.complete(&message).unwrap();
    end.packets(end.child(), &mut child);
}
