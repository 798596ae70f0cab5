use super::*;
use crate::gateway::status::{Ident, SaStatus};

fn range(first: &str, last: &str) -> Range {
    Range {
        first: (first.parse().unwrap(), 0),
        last: (last.parse().unwrap(), 65_535),
        protocol: 0,
    }
}

fn child(conn_id: u64, third: u8, spis: (u32, u32)) -> ChildStatus {
    let ident = Ident {
        address: "192.168.0.0".parse().unwrap(),
        mask: "255.255.255.0".parse().unwrap(),
        protocol: 0,
        port: 0,
    };
    let sa = |spi| SaStatus {
        spi,
        ..SaStatus::default()
    };
    ChildStatus {
        conn_id,
        ike: 188_271_715,
        name: "net".into(),
        peer: "site2".into(),
        local: ("10.255.1.2".parse().unwrap(), 500),
        remote: ("10.255.2.2".parse().unwrap(), 500),
        local_ident: ident.clone(),
        remote_ident: ident,
        local_selectors: vec![range(
            &format!("192.168.{third}.0"),
            &format!("192.168.{third}.255"),
        )],
        remote_selectors: vec![range("172.16.10.0", "172.16.10.255")],
        mode: "Tunnel".into(),
        udp: false,
        transform: "esp-aes-256 esp-sha-hmac".into(),
        iv: 16,
        esn: false,
        pfs: None,
        inbound: sa(spis.0),
        outbound: sa(spis.1),
        active: true,
        path_mtu: 1500,
        media_mtu: 1500,
        fitting: Default::default(),
        overhead: (74, 44),
        lifetime: None,
        kilobytes: None,
        replay_window: 64,
        replay_bitmap: 1,
    }
}

fn ike() -> IkeStatus {
    IkeStatus {
        conn_id: 188_271_715,
        peer: "site2".into(),
        version: 2,
        local: ("10.255.1.2".parse().unwrap(), 500),
        remote: ("10.255.2.2".parse().unwrap(), 500),
        state: "READY".into(),
        active: true,
        initiator: true,
        encryption: "AES-CBC".into(),
        keysize: 256,
        hash: "SHA256".into(),
        authentication: "PSK".into(),
        verified: "PSK".into(),
        identity: "10.255.2.2".into(),
        claimed: None,
        group: 14,
        lifetime: Some(86_334),
        up_for: Some(66),
        capabilities: String::new(),
    }
}

#[test]
fn i5_i6_the_session_table_of_the_field() {
    let status = Status {
        ike: vec![ike()],
        children: vec![
            child(1, 100, (0xed86_6a3c, 0xb89f_38c9)),
            child(2, 200, (0xc8fc_e690, 0xf34c_e0e2)),
        ],
        ..Status::default()
    };
    let text = ikev2_sa(&status);
    for line in [
        "There are no IKEv1 SAs",
        "IKEv2 SAs:",
        "Session-id:188271715, Status:UP-ACTIVE, IKE count:1, CHILD count:2",
        "Tunnel-id Local                                               Remote                                                  Status         Role",
        "188271715 10.255.1.2/500                                      10.255.2.2/500                                             READY    INITIATOR",
        "      Encr: AES-CBC, keysize: 256, Hash: SHA256, DH Grp:14, Auth sign: PSK, Auth verify: PSK",
        "      Life/Active Time: 86400/66 sec",
        "Child sa: local selector  192.168.200.0/0 - 192.168.200.255/65535",
        "          remote selector 172.16.10.0/0 - 172.16.10.255/65535",
        "          ESP spi in/out: 0xc8fce690/0xf34ce0e2",
        "          ESP spi in/out: 0xed866a3c/0xb89f38c9",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\nnot in\n{text}");
    }
    assert!(text.find("192.168.200.0").unwrap() < text.find("192.168.100.0").unwrap());
}

#[test]
fn x1_the_user_of_eap_is_shown_beside_what_the_peer_claims_to_be() {
    let sa = IkeStatus {
        identity: "mallory".into(),
        claimed: Some("alice@corp.example".into()),
        ..ike()
    };
    let text = ikev2_sa(&Status {
        ike: vec![sa.clone()],
        ..Status::default()
    });
    let line = "      Remote id: alice@corp.example (claimed), EAP user: mallory";
    assert!(text.lines().any(|l| l == line), "{text}");
    let json = serde_json::to_string(&sa).unwrap();
    assert!(json.contains(r#""identity":"mallory","claimed":"alice@corp.example""#));
}
