//! Distinguished names in DER (RFC 5280 §4.1.2.4): written from text, shown as text, compared.
//!
//! Text is `C=CH, O=lab, CN=a.lab`, in the order of the certificate.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OID: u8 = 6;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const T61_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;

/// Attributes with their names (RFC 4519; RFC 2985 for the e-mail address).
const ATTRIBUTES: [(&str, &[u8]); 15] = [
    ("CN", &[0x55, 4, 3]),
    ("SN", &[0x55, 4, 4]),
    ("serialNumber", &[0x55, 4, 5]),
    ("C", &[0x55, 4, 6]),
    ("L", &[0x55, 4, 7]),
    ("ST", &[0x55, 4, 8]),
    ("street", &[0x55, 4, 9]),
    ("O", &[0x55, 4, 10]),
    ("OU", &[0x55, 4, 11]),
    ("title", &[0x55, 4, 12]),
    ("GN", &[0x55, 4, 42]),
    ("initials", &[0x55, 4, 43]),
    ("DC", DOMAIN_COMPONENT),
    ("UID", &[9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1]),
    ("E", EMAIL),
];
const EMAIL: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 1];
const DOMAIN_COMPONENT: &[u8] = &[9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25];

/// Longest name that is read, octets.
const MAX: usize = crate::model::MAX_IDENTITY;

/// One attribute, and whether a relative name begins with it.
#[derive(Clone, Copy, PartialEq)]
struct Attribute<'a> {
    first: bool,
    oid: &'a [u8],
    tag: u8,
    value: &'a [u8],
}

impl Attribute<'_> {
    /// RFC 5280 §7.1 as strongSwan does it: PrintableString, and e-mail addresses, regardless of
    /// case; the octets of everything else, whatever string type they stand in.
    fn is(&self, other: &Self) -> bool {
        let lax = self.tag == PRINTABLE_STRING || (self.tag == IA5_STRING && self.oid == EMAIL);
        self.first == other.first
            && self.oid == other.oid
            && if lax && self.tag == other.tag {
                self.value.eq_ignore_ascii_case(other.value)
            } else {
                self.value == other.value
            }
    }
}

/// Whether two names in DER are the same; what is no name is the same as its own octets only.
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    if a == b {
        return true;
    }
    match (attributes(a), attributes(b)) {
        (Some(a), Some(b)) => a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.is(b)),
        _ => false,
    }
}

/// The name as text; `None` when the octets are no name.
pub(super) fn text(der: &[u8]) -> Option<String> {
    let mut out = String::new();
    for attribute in attributes(der)? {
        if !out.is_empty() {
            out.push_str(if attribute.first { ", " } else { " + " });
        }
        match ATTRIBUTES.iter().find(|(_, oid)| *oid == attribute.oid) {
            Some((name, _)) => out.push_str(name),
            None => hex(&mut out, attribute.oid),
        }
        out.push('=');
        let readable = matches!(
            attribute.tag,
            UTF8_STRING | PRINTABLE_STRING | T61_STRING | IA5_STRING
        );
        match core::str::from_utf8(attribute.value) {
            Ok(value) if readable && !value.chars().any(char::is_control) => {
                for character in value.chars() {
                    if matches!(character, ',' | '+' | '\\') {
                        out.push('\\');
                    }
                    out.push(character);
                }
            }
            _ => hex(&mut out, attribute.value),
        }
    }
    Some(out)
}

fn hex(out: &mut String, octets: &[u8]) {
    out.push('#');
    for octet in octets {
        // Writing to a String cannot fail.
        let _ = write!(out, "{octet:02x}");
    }
}

/// Why a text is no distinguished name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DnError {
    /// A part without `=`.
    #[error("`{0}` is no attribute such as CN=a.example")]
    NoAttribute(String),
    /// The name of an attribute that is not known.
    #[error("`{0}` is no attribute known here; one of: C, ST, L, O, OU, CN, E, DC, UID …")]
    Unknown(String),
    /// An attribute without a value.
    #[error("`{0}` has no value")]
    Empty(String),
    /// Longer than any identity.
    #[error("a name of more than {MAX} octets")]
    TooLong,
}

/// The name in DER that a text stands for: PrintableString where that will do, IA5String for e-mail
/// addresses and domain components, else UTF8String (RFC 5280 §4.1.2.4, §4.1.2.6).
///
/// # Errors
/// The text is no name.
pub(super) fn from_text(text: &str) -> Result<Vec<u8>, DnError> {
    let mut name = Vec::new();
    for part in split(text) {
        let (key, value) = part
            .split_once('=')
            .ok_or_else(|| DnError::NoAttribute(part.clone()))?;
        let (key, value) = (key.trim(), value.trim());
        if value.is_empty() {
            return Err(DnError::Empty(key.into()));
        }
        let known = ATTRIBUTES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(key) || (*known == "E" && is_email(key)));
        let (_, oid) = known.ok_or_else(|| DnError::Unknown(key.into()))?;
        let tag = if *oid == EMAIL || *oid == DOMAIN_COMPONENT {
            IA5_STRING
        } else if value.bytes().all(printable) {
            PRINTABLE_STRING
        } else {
            UTF8_STRING
        };
        let pair = [tlv(OID, oid), tlv(tag, value.as_bytes())].concat();
        name.extend(tlv(SET, &tlv(SEQUENCE, &pair)));
        if name.len() > MAX {
            return Err(DnError::TooLong);
        }
    }
    Ok(tlv(SEQUENCE, &name))
}

fn is_email(key: &str) -> bool {
    key.eq_ignore_ascii_case("emailAddress")
}

/// The characters of a PrintableString (X.680 §41.4).
fn printable(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&octet)
}

/// The parts between commas, without backslashes.
fn split(text: &str) -> Vec<String> {
    let mut parts = alloc::vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ',' => parts.push(String::new()),
            _ => {
                let plain = if character == '\\' {
                    characters.next().unwrap_or('\\')
                } else {
                    character
                };
                if let Some(part) = parts.last_mut() {
                    part.push(plain);
                }
            }
        }
    }
    parts
}

/// Tag, length and value; no name is longer than [`MAX`].
fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = alloc::vec![tag];
    match (u8::try_from(value.len()), u16::try_from(value.len())) {
        (Ok(short @ 0..=0x7f), _) => out.push(short),
        (Ok(length), _) => out.extend([0x81, length]),
        (_, length) => {
            out.push(0x82);
            out.extend(length.unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    out.extend_from_slice(value);
    out
}

/// Tag and value of the first element, and what follows it.
fn element(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (length, rest) = match octets.get(1..)? {
        [length @ 0..=0x7f, rest @ ..] => (usize::from(*length), rest),
        // The shortest form that fits (X.690 §10.1).
        [0x81, length @ 0x80..=0xff, rest @ ..] => (usize::from(*length), rest),
        [0x82, high @ 1..=0xff, low, rest @ ..] => {
            (usize::from(u16::from_be_bytes([*high, *low])), rest)
        }
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((*octets.first()?, value, rest))
}

/// The only element there is, with this tag.
fn only(octets: &[u8], tag: u8) -> Option<&[u8]> {
    match element(octets)? {
        (found, value, []) if found == tag => Some(value),
        _ => None,
    }
}

/// All attributes of `RDNSequence ::= SEQUENCE OF SET OF SEQUENCE { OID, value }`.
fn attributes(der: &[u8]) -> Option<Vec<Attribute<'_>>> {
    if der.len() > MAX {
        return None;
    }
    let mut all = Vec::new();
    let mut names = only(der, SEQUENCE)?;
    while !names.is_empty() {
        let (SET, mut set, rest) = element(names)? else {
            return None;
        };
        names = rest;
        let mut first = true;
        while !set.is_empty() {
            let (SEQUENCE, pair, more) = element(set)? else {
                return None;
            };
            set = more;
            let (OID, oid, value) = element(pair)? else {
                return None;
            };
            let (tag, value, []) = element(value)? else {
                return None;
            };
            all.push(Attribute {
                first,
                oid,
                tag,
                value,
            });
            first = false;
        }
        if first {
            return None;
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As OpenSSL writes `C=CH, O=lab, CN=a.lab`: the country printable, the rest UTF-8.
    const OPENSSL: &[u8] = b"\x30\x2b\x31\x0b0\x09\x06\x03\x55\x04\x06\x13\x02CH\
        \x31\x0c\x30\x0a\x06\x03\x55\x04\x0a\x0c\x03lab\x31\x0e\x30\x0c\x06\x03\x55\x04\x03\x0c\x05a.lab";

    #[test]
    fn text_and_der_are_one_name() {
        let der = from_text("C=CH, O=lab, CN=a.lab").unwrap();
        assert_eq!(text(&der).unwrap(), "C=CH, O=lab, CN=a.lab");
        assert_eq!(from_text(&text(&der).unwrap()).unwrap(), der);
        let odd = from_text("O=A\\, B \\+ C, emailAddress=x@a.lab, OU=Zürich").unwrap();
        assert_eq!(text(&odd).unwrap(), "O=A\\, B \\+ C, E=x@a.lab, OU=Zürich");
        assert_eq!(from_text(&text(&odd).unwrap()).unwrap(), odd);
        let long = alloc::format!("O={}", "x".repeat(300));
        let der = from_text(&long).unwrap();
        assert_eq!(text(&der).unwrap(), long);
    }

    #[test]
    fn names_are_compared_as_strongswan_compares_them() {
        assert_eq!(text(OPENSSL).unwrap(), "C=CH, O=lab, CN=a.lab");
        let name = |text| from_text(text).unwrap();
        let ours = name("C=CH, O=lab, CN=a.lab");
        // Other string types, the same octets.
        assert!(ours != OPENSSL && same(&ours, OPENSSL));
        // PrintableStrings and e-mail addresses regardless of case; UTF8Strings not.
        assert!(same(&ours, &name("C=ch, O=LAB, CN=A.lab")));
        assert!(same(&name("E=a@lab"), &name("E=A@LAB")));
        assert!(!same(&name("C=CH, O=LAB, CN=a.lab"), OPENSSL));
        assert!(!same(&ours, &name("O=lab, C=CH, CN=a.lab")));
        assert!(!same(&ours, &name("C=CH, O=lab")));
        assert!(!same(&ours, &name("C=CH, O=lab, CN=b.lab")));
        // One relative name of two attributes is not two relative names.
        let pair = b"\x30\x1b\x31\x19\x30\x0a\x06\x03\x55\x04\x0a\x13\x03lab\x30\x0b\x06\x03\x55\x04\x03\x13\x04a.la";
        assert_eq!(text(pair).unwrap(), "O=lab + CN=a.la");
        assert!(!same(pair, &name("O=lab, CN=a.la")));
    }

    #[test]
    fn what_is_no_name_is_told() {
        assert_eq!(
            from_text("a.lab"),
            Err(DnError::NoAttribute("a.lab".into()))
        );
        assert_eq!(from_text("XY=1"), Err(DnError::Unknown("XY".into())));
        assert_eq!(from_text("CN="), Err(DnError::Empty("CN".into())));
        let endless = alloc::format!("CN={}", "x".repeat(MAX));
        assert_eq!(from_text(&endless), Err(DnError::TooLong));
        for cut in 0..OPENSSL.len() {
            assert_eq!(text(&OPENSSL[..cut]), None, "{cut} octets");
        }
        assert!(same(b"nonsense", b"nonsense") && !same(b"nonsense", b"NONSENSE"));
        assert_eq!(text(&[0x30, 0]).unwrap(), "");
        assert_eq!(text(&[0x30, 2, 0x31, 0]), None);
        assert_eq!(text(&[0x30, 0x81, 0]), None);
    }
}
