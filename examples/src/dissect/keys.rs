//! Wireshark's own key tables: `ikev1_decryption_table`, `ikev2_decryption_table`, `esp_sa`.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use thiserror::Error;

/// A line that does not mean anything.
#[derive(Debug, Error)]
#[error("{file}:{line}: {why}")]
pub struct KeyError {
    /// The table's file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

/// The key of an IKEv1 SA.
#[derive(Clone)]
pub struct Ikev1Key {
    /// Initiator cookie.
    pub initiator_cookie: [u8; 8],
    /// The cipher key, as long as the cipher needs it.
    pub key: Vec<u8>,
}

/// The keys of an IKEv2 SA.
#[derive(Clone)]
pub struct Ikev2Keys {
    /// Initiator's SPI.
    pub initiator_spi: [u8; 8],
    /// Responder's SPI.
    pub responder_spi: [u8; 8],
    /// SK_ei and SK_er.
    pub encryption: [Vec<u8>; 2],
    /// SK_ai and SK_ar.
    pub integrity: [Vec<u8>; 2],
    /// Wireshark's name of the cipher.
    pub encryption_name: String,
    /// Wireshark's name of the integrity algorithm.
    pub integrity_name: String,
}

/// An ESP SA. `None` in an address or SPI matches any.
#[derive(Clone)]
pub struct EspKeys {
    /// Sender.
    pub source: Option<IpAddr>,
    /// Receiver.
    pub destination: Option<IpAddr>,
    /// SPI.
    pub spi: Option<u32>,
    /// Wireshark's name of the cipher.
    pub encryption_name: String,
    /// Cipher key (with the salt of an AEAD or CTR).
    pub encryption_key: Vec<u8>,
    /// Wireshark's name of the integrity algorithm.
    pub authentication_name: String,
    /// Its key.
    pub authentication_key: Vec<u8>,
    /// 64-bit sequence numbers, with the high half to start from (column of Wireshark 4.2).
    pub esn: Option<u32>,
}

/// All tables of a directory.
#[derive(Clone, Default)]
pub struct Keys {
    /// IKEv1 SAs.
    pub ikev1: Vec<Ikev1Key>,
    /// IKEv2 SAs.
    pub ikev2: Vec<Ikev2Keys>,
    /// ESP SAs.
    pub esp: Vec<EspKeys>,
    /// Lines that were skipped, and why.
    pub skipped: Vec<String>,
}

impl Keys {
    /// Reads the tables of a directory; an absent table is empty. A bad line is skipped and
    /// remembered: one bad line must not hide the good ones.
    ///
    /// # Errors
    /// When the directory or a table in it cannot be read.
    pub fn read(directory: &Path) -> io::Result<Self> {
        fs::read_dir(directory)?;
        let mut keys = Self::default();
        for (name, parse) in [
            (
                "ikev1_decryption_table",
                Self::ikev1_line as fn(&mut Self, &[String]) -> Result<(), String>,
            ),
            ("ikev2_decryption_table", Self::ikev2_line),
            ("esp_sa", Self::esp_line),
        ] {
            let path = directory.join(name);
            let text = match fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            keys.parse(&path.display().to_string(), &text, parse);
        }
        Ok(keys)
    }

    fn parse(
        &mut self,
        file: &str,
        text: &str,
        parse: fn(&mut Self, &[String]) -> Result<(), String>,
    ) {
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Err(why) = columns(line).and_then(|columns| parse(self, &columns)) {
                let error = KeyError {
                    file: file.into(),
                    line: index.saturating_add(1),
                    why,
                };
                self.skipped.push(error.to_string());
            }
        }
    }

    fn ikev1_line(&mut self, columns: &[String]) -> Result<(), String> {
        let [cookie, key, ..] = columns else {
            return Err("two columns expected".into());
        };
        self.ikev1.push(Ikev1Key {
            initiator_cookie: spi(cookie)?,
            key: octets(key)?,
        });
        Ok(())
    }

    fn ikev2_line(&mut self, columns: &[String]) -> Result<(), String> {
        let [
            spi_i,
            spi_r,
            sk_ei,
            sk_er,
            encryption,
            sk_ai,
            sk_ar,
            integrity,
            ..,
        ] = columns
        else {
            return Err("eight columns expected".into());
        };
        self.ikev2.push(Ikev2Keys {
            initiator_spi: spi(spi_i)?,
            responder_spi: spi(spi_r)?,
            encryption: [octets(sk_ei)?, octets(sk_er)?],
            integrity: [octets(sk_ai)?, octets(sk_ar)?],
            encryption_name: encryption.clone(),
            integrity_name: integrity.clone(),
        });
        Ok(())
    }

    fn esp_line(&mut self, columns: &[String]) -> Result<(), String> {
        let [
            _,
            source,
            destination,
            spi,
            cipher,
            cipher_key,
            integrity,
            integrity_key,
            more @ ..,
        ] = columns
        else {
            return Err("eight columns expected".into());
        };
        let esn = match more {
            [size, high, ..] if size.contains("64") => {
                Some(number(high).ok_or_else(|| format!("sequence number {high:?}"))?)
            }
            _ => None,
        };
        let any = |text: &str| text.is_empty() || text == "*";
        let address = |text: &str| match text {
            text if any(text) => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| format!("address {text:?}")),
        };
        self.esp.push(EspKeys {
            source: address(source)?,
            destination: address(destination)?,
            spi: match spi.as_str() {
                text if any(text) => None,
                text => Some(number(text).ok_or_else(|| format!("SPI {text:?}"))?),
            },
            encryption_name: cipher.clone(),
            encryption_key: octets(cipher_key)?,
            authentication_name: integrity.clone(),
            authentication_key: octets(integrity_key)?,
            esn,
        });
        Ok(())
    }
}

/// Columns of a table's line: separated by commas, quoted where they like, `\x22` escapes.
fn columns(line: &str) -> Result<Vec<String>, String> {
    let mut columns = vec![String::new()];
    let mut quoted = false;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => columns.push(String::new()),
            '\\' if quoted => {
                let escaped = letters.next().ok_or("a backslash at the end")?;
                let escaped = if escaped == 'x' {
                    let code: String = letters.by_ref().take(2).collect();
                    u8::from_str_radix(&code, 16)
                        .map_err(|_| format!("escape \\x{code}"))?
                        .into()
                } else {
                    escaped
                };
                columns.last_mut().ok_or("no column")?.push(escaped);
            }
            letter if letter.is_whitespace() && !quoted => {}
            letter => columns.last_mut().ok_or("no column")?.push(letter),
        }
    }
    if quoted {
        Err("a quote is not closed".into())
    } else {
        Ok(columns)
    }
}

fn octets(text: &str) -> Result<Vec<u8>, String> {
    hex::decode(text.strip_prefix("0x").unwrap_or(text)).map_err(|error| format!("key: {error}"))
}

fn spi(text: &str) -> Result<[u8; 8], String> {
    octets(text)?
        .try_into()
        .map_err(|_| format!("SPI {text:?} is not 8 octets"))
}

fn number(text: &str) -> Option<u32> {
    text.strip_prefix("0x").map_or_else(
        || text.parse().ok(),
        |hex| u32::from_str_radix(hex, 16).ok(),
    )
}

#[cfg(test)]
mod tests;
