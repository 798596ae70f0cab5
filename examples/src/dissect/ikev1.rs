//! IKEv1 messages and their decryption: IV chains of phase 1, quick mode and the rest.

use std::collections::BTreeMap;

use crypto_suite::{CipherId, CipherKey, DEFAULT, HashId};
use isakmp_wire::Header;
use isakmp_wire::v1::{
    Body, Dialect, EncryptionAlgorithm, Fragment, HashAlgorithm, Message, Payload, PayloadChain,
    PayloadType, Phase1Class, View,
};

use super::isakmp::{fault, header_fields, limits, names_until_fault};
use super::keys::Ikev1Key;
use super::report::{Fault, Layer};
use super::v1_fields;

/// Last ciphertext blocks remembered per message ID: retransmissions reach back this far.
const REMEMBERED: usize = 16;
/// Message IDs and fragments remembered per SA.
const MAX_IDS: usize = 4096;

/// All IKEv1 SAs seen, by initiator cookie.
pub(super) struct Ikev1 {
    keys: Vec<Ikev1Key>,
    sas: BTreeMap<[u8; 8], Phase1>,
    fragments: BTreeMap<([u8; 8], u16), Parts>,
}

/// The fragments of a message by number: data, and whether it is the last one.
type Parts = BTreeMap<u8, (Vec<u8>, bool)>;

/// What is known of one ISAKMP SA.
#[derive(Default)]
struct Phase1 {
    dialect: Dialect,
    encryption: Option<EncryptionAlgorithm>,
    hash: Option<HashAlgorithm>,
    /// The public values in the order they were sent: the initiator's comes first.
    public: Vec<Vec<u8>>,
    /// Last ciphertext blocks per message ID, newest last; ID 0 is phase 1.
    blocks: BTreeMap<u32, Vec<Vec<u8>>>,
}

impl Ikev1 {
    /// With these keys.
    pub(super) fn new(keys: &[Ikev1Key]) -> Self {
        Self {
            keys: keys.to_vec(),
            sas: BTreeMap::new(),
            fragments: BTreeMap::new(),
        }
    }

    /// Decodes one message into `layer`; gives another layer when a fragmented message is complete.
    pub(super) fn decode(&mut self, message: &[u8], layer: &mut Layer) -> Option<Layer> {
        let parsed = match Message::parse(message, &limits()) {
            Ok(parsed) => parsed,
            Err(error) => {
                layer.error = Some(fault(&error));
                if let Ok(header) = Header::read(message)
                    && header.flags.0 & 1 == 0
                {
                    let body = message.get(Header::LEN..).unwrap_or(&[]);
                    layer.payloads = names_until_fault(header.next_payload, body, |number| {
                        PayloadType(number).to_string()
                    });
                }
                return None;
            }
        };
        let header = parsed.header;
        match parsed.body {
            Body::Clear(chain) => {
                let sa = self.sas.entry(header.initiator_spi).or_default();
                sa.learn(&chain);
                show(&chain, sa.dialect, layer);
                let fragment = chain.find(PayloadType::FRAGMENT)?;
                self.fragment(&header, &fragment)
            }
            Body::Encrypted(ciphertext) => {
                let key = self
                    .keys
                    .iter()
                    .find(|key| key.initiator_cookie == header.initiator_spi);
                let Some(key) = key else {
                    layer.note = Some(format!("{} octets encrypted, no key", ciphertext.len()));
                    return None;
                };
                let sa = self.sas.entry(header.initiator_spi).or_default();
                match sa.decrypt(&parsed, ciphertext, &key.key) {
                    Ok(plaintext) => match parsed.decrypted(&plaintext, &limits()) {
                        Ok(chain) => {
                            layer.decrypted = true;
                            show(&chain, sa.dialect, layer);
                        }
                        Err(error) => layer.error = Some(fault(&error)),
                    },
                    Err(why) => layer.error = Some(why),
                }
                None
            }
        }
    }

    fn fragment(&mut self, header: &Header, payload: &Payload<'_>) -> Option<Layer> {
        let fragment = Fragment::parse(payload).ok()?;
        if self.fragments.len() >= MAX_IDS {
            self.fragments.clear();
        }
        let id = (header.initiator_spi, fragment.id);
        let parts = self.fragments.entry(id).or_default();
        parts.insert(fragment.number, (fragment.data.to_vec(), fragment.last));
        let count = parts
            .iter()
            .find(|(_, (_, last))| *last)
            .map(|(number, _)| *number)?;
        if !(1..=count).all(|number| parts.contains_key(&number)) {
            return None;
        }
        let parts = self.fragments.remove(&id)?;
        let whole: Vec<u8> = parts.into_values().flat_map(|(data, _)| data).collect();
        let header = Header::read(&whole).ok()?;
        let mut layer = Layer::new("ISAKMP");
        layer.exchange = header
            .exchange_type
            .name()
            .map(|name| name.split(" (").next().unwrap_or(name).into());
        layer.fields = header_fields(&header, false);
        layer.note = Some(format!("put together from {count} fragments"));
        self.decode(&whole, &mut layer);
        Some(layer)
    }
}

/// Payloads of a chain into the layer.
fn show(chain: &PayloadChain<'_>, dialect: Dialect, layer: &mut Layer) {
    for payload in chain {
        layer
            .payloads
            .push(dialect.canonical(payload.payload_type).to_string());
        let (node, error) = v1_fields::payload(&payload, dialect);
        layer.fields.push(node);
        if let Some(error) = error {
            layer.error.get_or_insert_with(|| fault(&error));
        }
    }
}

impl Phase1 {
    /// Takes algorithms, public values and vendor IDs out of a message in the clear.
    fn learn(&mut self, chain: &PayloadChain<'_>) {
        self.dialect.learn_from(chain);
        for payload in chain {
            match payload.view(self.dialect, &limits()) {
                Ok(View::Sa(sa)) => {
                    let mut transforms = sa.proposals().flat_map(|proposal| proposal.transforms());
                    // The responder's choice is the one with a single transform.
                    let (Some(only), None) = (transforms.next(), transforms.next()) else {
                        continue;
                    };
                    let number = |class: Phase1Class| {
                        only.attributes()
                            .find(class.0)
                            .and_then(|found| found.number())
                            .and_then(|n| u16::try_from(n).ok())
                    };
                    self.encryption =
                        number(Phase1Class::ENCRYPTION_ALGORITHM).map(EncryptionAlgorithm);
                    self.hash = number(Phase1Class::HASH_ALGORITHM).map(HashAlgorithm);
                }
                Ok(View::KeyExchange(public))
                    if self.public.len() < 2
                        && !self.public.iter().any(|known| known == public) =>
                {
                    self.public.push(public.to_vec());
                }
                _ => {}
            }
        }
    }

    /// The plaintext of a message, padding included.
    fn decrypt(
        &mut self,
        message: &Message<'_>,
        ciphertext: &[u8],
        key: &[u8],
    ) -> Result<Vec<u8>, Fault> {
        let refuse = |message: String| {
            Fault::new(
                "not decrypted",
                "encrypted payloads",
                Header::LEN,
                format!("encrypted payloads at octet {}: {message}", Header::LEN),
            )
        };
        let id = message.header.message_id;
        let (cipher, block) = self.cipher(key).map_err(refuse)?;
        if !ciphertext.len().is_multiple_of(block) {
            return Err(refuse(format!(
                "{} octets are no multiple of the block of {block}",
                ciphertext.len()
            )));
        }
        let ivs = self.ivs(id, block).map_err(refuse)?;
        let good = ivs.iter().find_map(|iv| {
            let mut plaintext = ciphertext.to_vec();
            cipher.decrypt(iv, &mut plaintext).ok()?;
            let sound = message
                .decrypted(&plaintext, &limits())
                .is_ok_and(|chain| !chain.is_empty());
            sound.then_some(plaintext)
        });
        let plaintext = good.ok_or_else(|| {
            refuse("decrypts to no payloads: wrong key, or messages before it are missing".into())
        })?;
        if self.blocks.len() < MAX_IDS || self.blocks.contains_key(&id) {
            let blocks = self.blocks.entry(id).or_default();
            let last = ciphertext
                .get(ciphertext.len().saturating_sub(block)..)
                .unwrap_or(&[])
                .to_vec();
            blocks.retain(|known| *known != last);
            blocks.push(last);
            if blocks.len() > REMEMBERED {
                blocks.remove(0);
            }
        }
        Ok(plaintext)
    }

    fn cipher(&self, key: &[u8]) -> Result<(Box<dyn CipherKey>, usize), String> {
        let encryption = self.encryption.ok_or("the chosen transform was not seen")?;
        let id = match (encryption, key.len()) {
            (EncryptionAlgorithm::DES_CBC, 8) => CipherId::DesCbc,
            (EncryptionAlgorithm::TRIPLE_DES_CBC, 24) => CipherId::TripleDesCbc,
            (EncryptionAlgorithm::AES_CBC, 16) => CipherId::Aes128Cbc,
            (EncryptionAlgorithm::AES_CBC, 24) => CipherId::Aes192Cbc,
            (EncryptionAlgorithm::AES_CBC, 32) => CipherId::Aes256Cbc,
            (other, len) => return Err(format!("no cipher {other} with a key of {len} octets")),
        };
        let cipher = DEFAULT
            .cipher(id)
            .ok_or_else(|| format!("{id} is not built in"))?;
        let key = cipher.new_key(key).map_err(|error| error.to_string())?;
        Ok((key, cipher.block_len()))
    }

    /// The IVs a message may have been encrypted with, the likeliest first. RFC 2409 App. B: the
    /// first of phase 1 is hash(g^xi | g^xr); the first of every other exchange is hash(last
    /// phase 1 block | message ID); after that the last ciphertext block of the exchange.
    fn ivs(&self, id: u32, block: usize) -> Result<Vec<Vec<u8>>, String> {
        let hash = self.hash.ok_or("the chosen hash was not seen")?;
        let hash = match hash {
            HashAlgorithm::MD5 => HashId::Md5,
            HashAlgorithm::SHA => HashId::Sha1,
            HashAlgorithm::SHA2_256 => HashId::Sha256,
            HashAlgorithm::SHA2_384 => HashId::Sha384,
            HashAlgorithm::SHA2_512 => HashId::Sha512,
            other => return Err(format!("no hash {other}")),
        };
        let hash = DEFAULT
            .hash(hash)
            .ok_or_else(|| format!("{hash} is not built in"))?;
        let cut = |digest: &[u8]| digest.get(..block).unwrap_or(digest).to_vec();
        let newest_first = |id: u32| self.blocks.get(&id).into_iter().flatten().rev();
        let mut ivs: Vec<Vec<u8>> = newest_first(id).cloned().collect();
        if id == 0 {
            let [initiator, responder] = self.public.as_slice() else {
                return Err("the public values of phase 1 were not seen".into());
            };
            ivs.push(cut(hash.digest(&[initiator, responder]).as_ref()));
        } else {
            let phase1: Vec<_> = newest_first(0).collect();
            if phase1.is_empty() {
                return Err("the last message of phase 1 was not seen".into());
            }
            ivs.extend(
                phase1
                    .iter()
                    .map(|last| cut(hash.digest(&[last, &id.to_be_bytes()]).as_ref())),
            );
        }
        Ok(ivs)
    }
}
