//! IKEv2 with ryke: both roles, PSK, children that carry packets, liveness, rekeys, deletion.

use crypto_suite::{AeadId, GroupId, PrfId, ProtectionId};
use ike_sm::config::v2::{Encryption, IkeProposal};
use ike_sm::config::{ChildConfig, Config, Identity, IkeVersion, PeerConfig, Pfs, RemoteIdentity};
use ike_sm::{ChildSuite, Command, Selector};
use ryke::ikev2::ike_auth::AuthConfig;
use ryke::{CompletedSaInit, Identification, LocalSecret, Notify, PayloadType, SeedEntropy};
use ryke_peer::{End, OURS, THEIRS, addr, any_psk};

const PSK: &[u8] = b"a key that two implementations share";
const THEIR_SPI: u32 = 0x0bad_cafe;

/// One peer, ryke, and one child for everything: ryke offers nothing narrower.
fn config() -> Config {
    let mut config = Config::default();
    let mut peer = PeerConfig::new("ryke");
    peer.version = IkeVersion::V2;
    peer.addresses.push(addr(THEIRS).ip());
    peer.local_address = Some(addr(OURS).ip());
    peer.local_id = Some(Identity::Fqdn("ours.example".into()));
    peer.remote_id = RemoteIdentity::Is(Identity::Fqdn("ryke.example".into()));
    let any = Selector::subnet([0, 0, 0, 0].into(), 0).unwrap();
    let mut child = ChildConfig::new("all", any, any);
    child.suites = vec![ChildSuite::Esp(ProtectionId::Aead(AeadId::Aes256Gcm16))];
    child.pfs = Pfs::Off;
    peer.children.push(child);
    config.peers.push(peer);
    any_psk(&mut config, PSK);
    config
}

fn theirs() -> AuthConfig {
    AuthConfig::psk(Identification::fqdn("ryke.example"), PSK.to_vec())
}

fn secret(seed: u64) -> LocalSecret {
    LocalSecret::generate(&mut SeedEntropy::new(seed), 32)
}

/// A negotiation that ryke starts, up to the first child.
fn they_initiate() -> (End, CompletedSaInit, ryke::ChildSa) {
    let mut end = End::new(config());
    let local = secret(1);
    let request = ryke::initiator_request(&local, &ryke::default_offer());
    let response = end.receive(&request);
    let sa = ryke::initiator_complete(&local, &request, &response).unwrap();
    let request = ryke::initiator_auth_request(&sa, &theirs(), THEIR_SPI, &[1; 8]).unwrap();
    let response = end.receive(&request);
    let (identity, our_spi, _) = ryke::initiator_verify_auth(&sa, &response, &theirs()).unwrap();
    assert_eq!(identity, Identification::fqdn("ours.example"));
    assert_eq!(our_spi, end.child().spi_in);
    assert_eq!(end.child().spi_out, THEIR_SPI);
    let role = ryke::Role::Initiator;
    let child = ryke::ChildSa::derive(&sa.keys.sk_d, &sa.ni, &sa.nr, role, THEIR_SPI, our_spi);
    (end, sa, child)
}

#[test]
fn they_initiate_and_packets_pass_both_ways() {
    let (end, _, mut child) = they_initiate();
    end.packets(end.child(), &mut child);
}

#[test]
fn their_liveness_question_is_answered() {
    let (mut end, sa, _) = they_initiate();
    let request = ryke::dpd_request(&sa, 2, &[2; 8]).unwrap();
    let response = end.receive(&request);
    assert_eq!(ryke::open_informational(&sa, &response).unwrap(), []);
}

#[test]
fn they_rekey_the_child() {
    let (mut end, sa, _) = they_initiate();
    let old = end.child().id;
    let (ni, new_spi) = ([0x33; 32], 0x1234_5678);
    let request =
        ryke::ikev2::rekey::build_rekey_request(&sa, 2, THEIR_SPI, new_spi, &ni, &[2; 8]).unwrap();
    let response = end.receive(&request);
    let mut child =
        ryke::ikev2::rekey::initiator_complete_rekey(&sa, &ni, new_spi, &response).unwrap();
    assert_eq!(
        end.children.len(),
        2,
        "the old one stands until it is deleted"
    );
    let new = end.children.values().find(|c| c.id != old).unwrap();
    assert_eq!((new.spi_out, new.replaces), (new_spi, Some(old)));
    end.packets(new, &mut child);
}

#[test]
fn they_delete_the_ike_sa() {
    let (mut end, sa, _) = they_initiate();
    let delete = ryke::Delete::ike_sa();
    let delete = [(PayloadType::Delete, delete.to_bytes())];
    let request = ryke::build_informational(&sa, 2, false, &delete, &[2; 8]).unwrap();
    let response = end.receive(&request);
    assert_eq!(ryke::open_informational(&sa, &response).unwrap(), []);
    assert!(end.children.is_empty() && end.ikes.is_empty());
}

/// A negotiation that we start. `offer` is the groups that we name; ryke knows X25519 and MODP 1024 and 2048.
fn we_initiate(groups: &[GroupId]) -> (End, CompletedSaInit, ryke::ChildSa, usize) {
    let mut config = config();
    // ryke 0.3 takes the IDr of a request, which names whom the initiator wants, for the initiator's own identity.
    config.peers[0].remote_id = RemoteIdentity::Any;
    config.peers[0].v2.proposals = vec![IkeProposal {
        encryption: vec![Encryption::Aead(AeadId::Aes256Gcm16)],
        integrity: vec![],
        prf: vec![PrfId::HmacSha256],
        groups: groups.to_vec(),
        additional: vec![],
    }];
    let mut end = End::new(config);
    let mut request = end.command(Command::Initiate {
        peer: "ryke".into(),
        children: vec![],
    });
    let mut rounds = 0;
    // A COOKIE at first, another group next: nothing is kept of either.
    let (response, sa) = loop {
        rounds += 1;
        assert!(rounds < 5);
        let cookie = Some(ryke::CookiePolicy {
            secret: b"of ryke's",
            peer: OURS.as_bytes(),
            required: true,
        });
        match ryke::responder_respond_natt(&request, &secret(2), addr(THEIRS), addr(OURS), cookie)
            .unwrap()
        {
            ryke::SaInitResult::Established { response, sa } => break (response, sa),
            ryke::SaInitResult::InvalidKe { response, .. }
            | ryke::SaInitResult::CookieRequired { response } => request = end.receive(&response),
        }
    };
    let request = end.receive(&response);
    let (response, identity, our_spi) =
        ryke::responder_process_auth(&sa, &request, &theirs(), THEIR_SPI, &[1; 8], None).unwrap();
    assert_eq!(identity, Identification::fqdn("ours.example"));
    end.take(&response);
    assert_eq!(end.child().spi_in, our_spi);
    let role = ryke::Role::Responder;
    let child = ryke::ChildSa::derive(&sa.keys.sk_d, &sa.ni, &sa.nr, role, THEIR_SPI, our_spi);
    (end, sa, child, rounds)
}

#[test]
fn we_initiate_behind_a_cookie_and_packets_pass_both_ways() {
    let (end, _, mut child, rounds) = we_initiate(&[GroupId::X25519]);
    assert_eq!(rounds, 2, "the request and the one with the cookie");
    end.packets(end.child(), &mut child);
}

#[test]
fn we_take_the_group_that_they_ask_for() {
    let (end, sa, mut child, rounds) = we_initiate(&[GroupId::Ecp384, GroupId::X25519]);
    assert!(rounds >= 3, "cookie and group: {rounds}");
    assert_eq!(sa.suite.dh_id, 31);
    end.packets(end.child(), &mut child);
}

#[test]
fn we_rekey_the_child_and_they_follow() {
    let (mut end, sa, _, _) = we_initiate(&[GroupId::X25519]);
    let old = end.child().id;
    let request = end.command(Command::RekeyChild(old));
    let (response, mut child) =
        ryke::responder_process_rekey(&sa, &request, 0x5151_5151, &[0x44; 32], &[2; 8], None)
            .unwrap();
    end.take(&response);
    let new = end.children.values().find(|c| c.id != old).unwrap();
    assert_eq!(new.spi_out, 0x5151_5151);
    end.packets(new, &mut child);
    // The old one takes in what is still on its way; then we delete it, as the end that started the rekey must.
    let delete = end.wait();
    let told = ryke::open_informational(&sa, &delete).unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, PayloadType::Delete);
}

#[test]
fn we_rekey_the_ike_sa_and_they_follow() {
    let (mut end, sa, _, _) = we_initiate(&[GroupId::X25519]);
    let old = end.ikes[0];
    let request = end.command(Command::RekeyIke(old));
    let (response, new) = ryke::responder_process_ike_rekey(
        &sa,
        &request,
        0x7788_99aa_bbcc_ddee,
        &[9; 32],
        &[0x66; 32],
        &[3; 8],
    )
    .unwrap();
    let delete = end.receive(&response);
    let told = ryke::open_informational(&sa, &delete).unwrap();
    assert_eq!(told[0].0, PayloadType::Delete);
    // The new SA works: ryke asks for a sign of life on it. We started the rekey, so ryke answers for the responder.
    let request = ryke::dpd_request(&new, 0, &[4; 8]).unwrap();
    let response = end.receive(&request);
    assert_eq!(ryke::open_informational(&new, &response).unwrap(), []);
    assert_eq!(end.children.len(), 1, "the child lives on");
}

#[test]
fn a_wrong_key_is_refused_on_both_sides() {
    let mut end = End::new(config());
    let local = secret(1);
    let request = ryke::initiator_request(&local, &ryke::default_offer());
    let response = end.receive(&request);
    let sa = ryke::initiator_complete(&local, &request, &response).unwrap();
    let wrong = AuthConfig::psk(
        Identification::fqdn("ryke.example"),
        b"another key".to_vec(),
    );
    let request = ryke::initiator_auth_request(&sa, &wrong, THEIR_SPI, &[1; 8]).unwrap();
    let response = end.receive(&request);
    let told = ryke::open_informational(&sa, &response).unwrap();
    let failed = Notify {
        protocol_id: 0,
        spi: vec![],
        notify_type: 24,
        data: vec![],
    };
    assert_eq!(told, [(PayloadType::Notify, failed.to_bytes())]);
    assert!(end.children.is_empty() && end.ikes.is_empty());
}
