//! One ESP packet sealed and opened: `cargo run -p examples --example esp_packet`.

use std::error::Error;
use std::time::Duration;

use crypto_suite::{CipherId, DEFAULT, IntegrityId, ProtectionId};
use esp::{
    AddressRange, Inbound, InboundConfig, Mode, Outbound, OutboundConfig, PacketBuf, SelectorCheck,
    SelectorSet, Spi, TrafficSelector, TunnelHeader,
};
use etherparse::PacketBuilder;

fn main() -> Result<(), Box<dyn Error>> {
    let now = Duration::ZERO; // any monotonic clock, since an epoch of your own
    let suite = ProtectionId::CbcHmac(CipherId::Aes128Cbc, IntegrityId::HmacSha256_128);
    let protection = DEFAULT
        .protection(suite)
        .ok_or("the provider lacks the suite")?;
    // IKE negotiates both; here they are fixed.
    let keymat = vec![0x42; protection.key_material_len()];
    let spi = Spi::new(0xcdd3_aca0).ok_or("reserved SPI")?;

    // The sending gateway, 192.0.2.1 to 192.0.2.2.
    let header = TunnelHeader::new([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    let config = OutboundConfig::new(spi, Mode::Tunnel { header });
    let mut outbound = Outbound::new(protection.new_key(&keymat)?, config, now)?;
    // The receiving gateway.
    let network =
        |address: [u8; 4]| AddressRange::network(address.into(), 16).map(TrafficSelector::all);
    let (ours, theirs) = (network([10, 2, 0, 0]), network([10, 1, 0, 0]));
    let config = InboundConfig::new(
        spi,
        true,
        SelectorCheck::Match(SelectorSet::new(ours, theirs)),
    );
    let mut inbound = Inbound::new(protection.new_key(&keymat)?, config, now)?;

    // What would come from a TUN device, in a buffer with room around it.
    let mut inner = Vec::new();
    PacketBuilder::ipv4([10, 1, 0, 1], [10, 2, 0, 1], 64)
        .udp(5000, 5001)
        .write(&mut inner, b"a secret of thirty-six octets exactly")?;
    let (before, behind) = (vec![0; outbound.headroom()], vec![0; outbound.tailroom()]);
    let mut buffer = [&before[..], &inner, &behind].concat();
    let range = before.len()..before.len().saturating_add(inner.len());
    let mut packet = PacketBuf::new(&mut buffer, range).ok_or("range outside buffer")?;
    println!(
        "inner   {:3} octets  {}",
        packet.len(),
        hex::encode(packet.as_slice())
    );

    let sealed = outbound.seal(&mut packet, now)?;
    println!(
        "sealed  {:3} octets  {}",
        packet.len(),
        hex::encode(packet.as_slice())
    );
    let copy = packet.as_slice().to_vec();

    let opened = inbound.open_ip(&mut packet, now)?;
    println!(
        "opened  {:3} octets  {}",
        packet.len(),
        hex::encode(packet.as_slice())
    );
    println!(
        "sequence number {}, window {}",
        opened.sequence,
        inbound.window().bitmap()
    );
    if opened.sequence != sealed.sequence || packet.as_slice() != inner {
        return Err("the packet did not come back".into());
    }

    // A replay and a forgery.
    let mut replay = copy.clone();
    let error = inbound
        .open_ip(&mut PacketBuf::full(&mut replay), now)
        .err();
    println!("again:   {}", error.ok_or("a replay was accepted")?);
    let mut forged = copy;
    // Another sequence number, behind 20 octets of IP header and the SPI.
    if let Some(octet) = forged.get_mut(27) {
        *octet = 9;
    }
    let error = inbound
        .open_ip(&mut PacketBuf::full(&mut forged), now)
        .err();
    println!("forged:  {}", error.ok_or("a forgery was accepted")?);
    Ok(())
}
