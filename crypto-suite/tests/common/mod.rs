//! Vector files and scripted randomness.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::convert::Infallible;
use std::path::Path;

use rand_chacha::rand_core::{SeedableRng, TryCryptoRng, TryRng};
use serde_json::Value;

pub(crate) fn hex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
}

pub(crate) fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn json(file: &str) -> Value {
    serde_json::from_str(&read(file)).unwrap()
}

/// Fields of a JSON object.
pub(crate) trait Fields {
    fn text(&self, name: &str) -> &str;
    fn bytes(&self, name: &str) -> Vec<u8>;
    fn number(&self, name: &str) -> usize;
}

impl Fields for Value {
    fn text(&self, name: &str) -> &str {
        self[name]
            .as_str()
            .unwrap_or_else(|| panic!("no text {name:?} in {self}"))
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        hex(self.text(name))
    }

    fn number(&self, name: &str) -> usize {
        self[name].as_u64().unwrap() as usize
    }
}

/// Runs `check` over (group, case) of a Wycheproof file and returns how many cases it accepted.
pub(crate) fn wycheproof(file: &str, mut check: impl FnMut(&Value, &Value) -> bool) -> usize {
    let file = json(&format!("wycheproof/{file}"));
    let mut run = 0;
    for group in file["testGroups"].as_array().unwrap() {
        for case in group["tests"].as_array().unwrap() {
            run += usize::from(check(group, case));
        }
    }
    run
}

/// `NAME = value` blocks of a CAVS response file; a block ends where a name comes again or a
/// section begins. Section headers are kept as `[…]`.
pub(crate) fn cavs(file: &str) -> Vec<(String, std::collections::BTreeMap<String, String>)> {
    let (mut section, mut blocks) = (String::new(), Vec::new());
    let mut block = std::collections::BTreeMap::new();
    for line in read(&format!("nist/{file}")).lines().map(str::trim) {
        if line.starts_with('[') {
            if !block.is_empty() {
                blocks.push((section.clone(), std::mem::take(&mut block)));
            }
            section = line.to_owned();
        } else if let Some((name, value)) = line.split_once(" = ") {
            if name.eq_ignore_ascii_case("count") && !block.is_empty() {
                blocks.push((section.clone(), std::mem::take(&mut block)));
            }
            block.insert(name.to_owned(), value.to_owned());
        }
    }
    blocks.push((section, block));
    blocks
}

pub(crate) fn rng(seed: u8) -> rand_chacha::ChaCha20Rng {
    rand_chacha::ChaCha20Rng::from_seed([seed; 32])
}

/// Gives out the scripted bytes and panics when they run out.
pub(crate) struct Script(pub(crate) std::collections::VecDeque<u8>);

impl Script {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(bytes.iter().copied().collect())
    }
}

impl TryRng for Script {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)
            .map(|()| u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)
            .map(|()| u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Infallible> {
        for byte in to {
            *byte = self.0.pop_front().expect("the script is over");
        }
        Ok(())
    }
}

impl TryCryptoRng for Script {}
