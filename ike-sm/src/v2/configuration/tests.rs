use alloc::string::ToString;
use alloc::vec::Vec;

use hex_literal::hex;
use isakmp_wire::v2::{Message, PayloadType};
use isakmp_wire::{ExchangeType, Header, Limits};

use super::*;

/// Writes a message with one payload and reads that payload back.
fn through<T>(
    fill: impl FnOnce(&mut Writer<'_>) -> Result<(), BuildError>,
    read: impl FnOnce(&[u8], &Configuration<'_>) -> T,
) -> T {
    let header = Header::v2(ExchangeType::IKE_AUTH, [1; 8], [2; 8]);
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &header).unwrap();
    fill(&mut writer).unwrap();
    writer.finish().unwrap();
    let message = Message::parse(&bytes, &Limits::DEFAULT).unwrap();
    let payload = message.payloads().find(PayloadType::CONFIGURATION).unwrap();
    let configuration = Configuration::parse(&payload).unwrap();
    read(payload.body, &configuration)
}

fn reply(attributes: &[(ConfigAttribute, &[u8])]) -> Assignment {
    through(
        |w| {
            w.configuration(ConfigType::REPLY, |w| {
                let mut each = attributes.iter();
                each.try_for_each(|(attribute, value)| w.attribute(*attribute, value))
            })
            .map(drop)
        },
        |_, configuration| read_reply(configuration).unwrap(),
    )
}

fn assignment() -> Assignment {
    Assignment {
        ipv4: Some("10.10.9.1".parse().unwrap()),
        ipv6: Some(("fd00::9".parse().unwrap(), 64)),
        dns: ["10.10.2.53", "fd00::53"]
            .map(|a| a.parse().unwrap())
            .into(),
        domains: ["lab.example".to_string(), "_tcp.xn--bcher-kva".to_string()].into(),
        subnets: [("10.10.2.0", 24), ("fd00:2::", 48)]
            .map(|(a, n)| Prefix::new(a.parse().unwrap(), n).unwrap())
            .into(),
    }
}

#[test]
fn rfc7296_s3_15_1_a_request_for_any_address_to_the_octet() {
    let request = AddressRequest {
        ipv4: Wanted::Any,
        ..AddressRequest::default()
    };
    through(
        |w| write_request(w, &request),
        |body, configuration| {
            assert_eq!(body, hex!("01000000 0001 0000 0003 0000"));
            assert_eq!(read_request(configuration), Some(request.clone()));
            assert_eq!(read_reply(configuration), None);
        },
    );
}

#[test]
fn requests_and_replies_survive_the_wire() {
    let request = AddressRequest {
        ipv4: Wanted::Rather("10.10.9.7".parse().unwrap()),
        ipv6: Wanted::Rather("fd00::7".parse().unwrap()),
        split_dns: true,
    };
    through(
        |w| write_request(w, &request),
        |_, configuration| assert_eq!(read_request(configuration), Some(request.clone())),
    );
    through(
        |w| write_reply(w, &request, &assignment()),
        |_, configuration| {
            assert_eq!(read_reply(configuration), Some(assignment()));
            assert_eq!(read_request(configuration), None);
        },
    );
}

#[test]
fn a_reply_holds_what_was_asked_for_and_no_more() {
    let request = AddressRequest {
        ipv4: Wanted::Any,
        ..AddressRequest::default()
    };
    through(
        |w| write_reply(w, &request, &assignment()),
        |_, configuration| {
            let got = read_reply(configuration).unwrap();
            assert_eq!((got.ipv4, got.ipv6), (assignment().ipv4, None));
            assert_eq!(got.dns, assignment().dns[..1]);
            assert!(got.domains.is_empty());
            assert_eq!(got.subnets, assignment().subnets[..1]);
        },
    );
}

#[test]
fn values_of_a_peer_are_judged_one_by_one() {
    let got = reply(&[
        (ConfigAttribute::INTERNAL_IP4_ADDRESS, &[10, 0, 0]),
        (ConfigAttribute::INTERNAL_IP4_ADDRESS, &[10, 0, 0, 1]),
        (ConfigAttribute::INTERNAL_IP4_ADDRESS, &[10, 0, 0, 2]),
        (ConfigAttribute::INTERNAL_IP4_DNS, &[]),
        (ConfigAttribute::INTERNAL_IP4_DNS, &[10, 0, 0, 53]),
        (ConfigAttribute::INTERNAL_DNS_DOMAIN, b"good.example."),
        (ConfigAttribute::INTERNAL_DNS_DOMAIN, b"good.example\0.evil"),
        (ConfigAttribute::INTERNAL_DNS_DOMAIN, b"a..b"),
        (ConfigAttribute::INTERNAL_DNS_DOMAIN, b"$(reboot).example"),
        (
            ConfigAttribute::INTERNAL_IP4_SUBNET,
            &[10, 1, 2, 3, 255, 0, 255, 0],
        ),
        (
            ConfigAttribute::INTERNAL_IP4_SUBNET,
            &[10, 1, 2, 3, 255, 255, 0, 0],
        ),
        (ConfigAttribute(999), b"?"),
    ]);
    assert_eq!(got.ipv4, Some("10.0.0.1".parse().unwrap()));
    assert_eq!(got.dns, ["10.0.0.53".parse::<IpAddr>().unwrap()]);
    assert_eq!(got.domains, ["good.example"]);
    let net = Prefix::new("10.1.0.0".parse().unwrap(), 16).unwrap();
    assert_eq!(got.subnets, [net]);
}

#[test]
fn a13_lists_are_bounded_and_domains_need_servers() {
    let servers: Vec<[u8; 4]> = (0..40).map(|n| [10, 0, 0, n]).collect();
    let attributes: Vec<(ConfigAttribute, &[u8])> = servers
        .iter()
        .map(|a| (ConfigAttribute::INTERNAL_IP4_DNS, &a[..]))
        .collect();
    assert_eq!(reply(&attributes).dns.len(), Assignment::MAX);
    let alone = reply(&[(ConfigAttribute::INTERNAL_DNS_DOMAIN, b"lab.example")]);
    assert!(alone.domains.is_empty());
}
