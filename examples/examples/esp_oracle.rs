//! Seals and opens ESP packets given as lines on standard input, for cross-checks with other
//! implementations: `cargo run -p examples --example esp_oracle`.
//!
//! One request a line, `seal` or `open` and words `name=value`; one answer a line, the packet in
//! hexadecimal or `error: reason`.
//!
//! | Word | Meaning |
//! |---|---|
//! | `suite` | as `crypto-suite` names it, such as `AES_CBC_128/HMAC_SHA1_96` |
//! | `key` | keying material in hexadecimal: encryption key, then salt or integrity key |
//! | `spi`, `seq` | decimal; with `esn=1`, `seq` is the full 64-bit number |
//! | `mode` | `tunnel` (with `src` and `dst`, the outer addresses) or `transport` |
//! | `udp` | `source:destination` port, for UDP encapsulation |
//! | `packet` | an IP packet in hexadecimal |

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Duration;

use crypto_suite::{DEFAULT, PacketKey};
use esp::{
    Inbound, InboundConfig, Mode, Outbound, OutboundConfig, PacketBuf, SelectorCheck, Spi,
    TunnelHeader, UdpPorts,
};

const NOW: Duration = Duration::ZERO;

struct Request<'l> {
    words: BTreeMap<&'l str, &'l str>,
}

impl<'l> Request<'l> {
    fn word(&self, name: &str) -> Result<&'l str, Box<dyn Error>> {
        Ok(self.words.get(name).ok_or_else(|| format!("no {name}="))?)
    }

    fn key(&self) -> Result<Box<dyn PacketKey>, Box<dyn Error>> {
        let name = self.word("suite")?;
        let named =
            |protection: &&&dyn crypto_suite::Protection| protection.id().to_string() == name;
        let protection = DEFAULT.protections.iter().find(named);
        let protection = protection.ok_or_else(|| format!("no suite {name}"))?;
        Ok(protection.new_key(&hex::decode(self.word("key")?)?)?)
    }

    fn spi(&self) -> Result<Spi, Box<dyn Error>> {
        Ok(Spi::from_peer(self.word("spi")?.parse()?).ok_or("SPI 0")?)
    }

    fn esn(&self) -> bool {
        self.words.get("esn") == Some(&"1")
    }

    fn sequence(&self) -> Result<u64, Box<dyn Error>> {
        Ok(self.word("seq")?.parse()?)
    }

    fn mode(&self) -> Result<Mode, Box<dyn Error>> {
        match self.word("mode")? {
            "tunnel" => {
                let (source, destination) = (self.word("src")?, self.word("dst")?);
                let header = TunnelHeader::new(source.parse()?, destination.parse()?);
                Ok(Mode::Tunnel {
                    header: Some(header.ok_or("addresses of two families")?),
                })
            }
            "transport" => Ok(Mode::TRANSPORT),
            other => Err(format!("mode {other}").into()),
        }
    }

    fn udp(&self) -> Result<Option<UdpPorts>, Box<dyn Error>> {
        let Some(ports) = self.words.get("udp") else {
            return Ok(None);
        };
        let (source, destination) = ports.split_once(':').ok_or("udp=source:destination")?;
        Ok(Some(UdpPorts {
            source: source.parse()?,
            destination: destination.parse()?,
        }))
    }

    fn seal(&self) -> Result<Vec<u8>, Box<dyn Error>> {
        let config = OutboundConfig {
            udp: self.udp()?,
            esn: self.esn(),
            ..OutboundConfig::new(self.spi()?, self.mode()?)
        };
        let before = self.sequence()?.checked_sub(1).ok_or("seq=0")?;
        let fresh = Outbound::new(self.key()?, config, NOW)?.export(NOW);
        let mut outbound = Outbound::restore(self.key()?, config, &fresh, before, NOW)?;
        let inner = hex::decode(self.word("packet")?)?;
        let (before, behind) = (vec![0; outbound.headroom()], vec![0; outbound.tailroom()]);
        let mut buffer = [&before[..], &inner, &behind].concat();
        let range = before.len()..before.len().saturating_add(inner.len());
        let mut packet = PacketBuf::new(&mut buffer, range).ok_or("range outside buffer")?;
        outbound.seal(&mut packet, NOW)?;
        Ok(packet.as_slice().to_vec())
    }

    fn open(&self) -> Result<Vec<u8>, Box<dyn Error>> {
        let tunnel = self.word("mode")? == "tunnel";
        let config = || -> Result<_, Box<dyn Error>> {
            // The oracle shows what ESP does, with packets of any addresses.
            Ok(InboundConfig {
                esn: self.esn(),
                ..InboundConfig::new(self.spi()?, tunnel, SelectorCheck::ByCaller)
            })
        };
        // A window that ends right before the expected number.
        let before = self.sequence()?.checked_sub(1).ok_or("seq=0")?;
        let fresh = Inbound::new(self.key()?, config()?, NOW)?.export(NOW);
        let mut inbound = Inbound::restore(self.key()?, config()?, &fresh, before, NOW)?;
        let mut bytes = hex::decode(self.word("packet")?)?;
        let mut packet = PacketBuf::full(&mut bytes);
        let opened = inbound.open_ip(&mut packet, NOW)?;
        if opened.sequence != self.sequence()? {
            return Err(format!("sequence number {}", opened.sequence).into());
        }
        Ok(packet.as_slice().to_vec())
    }
}

fn answer(line: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let (verb, rest) = line.split_once(' ').ok_or("seal or open, then words")?;
    let words = rest
        .split_whitespace()
        .map(|word| word.split_once('=').ok_or("name=value"));
    let request = Request {
        words: words.collect::<Result<_, _>>()?,
    };
    match verb {
        "seal" => request.seal(),
        "open" => request.open(),
        other => Err(format!("{other} is neither seal nor open").into()),
    }
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        match answer(line?.trim()) {
            Ok(packet) => writeln!(out, "{}", hex::encode(packet))?,
            Err(error) => writeln!(out, "error: {error}")?,
        }
        out.flush()?;
    }
    Ok(())
}
