//! Writes the payloads of IKEv2.

use core::net::IpAddr;

use super::sa::{MORE_PROPOSALS, MORE_TRANSFORMS};
use super::{
    AuthMethod, CertEncoding, ConfigAttribute, ConfigType, EncryptionId, Identity, IntegrityId,
    KeyExchangeMethod, NotifyType, PayloadType, PrfId, Proposal, SequenceNumbers, TrafficSelector,
    Transform, TransformAttribute, TransformType, TsType, Writer,
};
use crate::attribute::AttributeWriter;
use crate::error::BuildError;
use crate::registry::ProtocolId;
use crate::writer::{Buffer, Chain, Written, u8_field, u16_field};

/// What the closures that fill a payload give back.
type Filled = Result<(), BuildError>;

impl<'s> Writer<'s> {
    /// Appends an SA payload, whose proposals `fill` writes.
    ///
    /// # Errors
    /// What `fill` returns.
    pub fn sa(
        &mut self,
        fill: impl FnOnce(&mut SaWriter<'_, 's>) -> Filled,
    ) -> Result<Written, BuildError> {
        self.compose(PayloadType::SA, 0, |out| {
            fill(&mut SaWriter {
                out,
                chain: Chain::nested(),
            })
        })
    }

    /// Appends a KE payload with a public value of the group.
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn key_exchange(
        &mut self,
        method: KeyExchangeMethod,
        data: &[u8],
    ) -> Result<Written, BuildError> {
        let [high, low] = method.0.to_be_bytes();
        self.with_head(PayloadType::KEY_EXCHANGE, &[high, low, 0, 0], data)
    }

    /// Appends an IDi payload: who the initiator is.
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn id_initiator(&mut self, identity: &Identity<'_>) -> Result<Written, BuildError> {
        self.identification(PayloadType::ID_INITIATOR, identity)
    }

    /// Appends an IDr payload: who the responder is.
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn id_responder(&mut self, identity: &Identity<'_>) -> Result<Written, BuildError> {
        self.identification(PayloadType::ID_RESPONDER, identity)
    }

    fn identification(
        &mut self,
        payload_type: PayloadType,
        identity: &Identity<'_>,
    ) -> Result<Written, BuildError> {
        let id_type = identity.id_type();
        self.compose(payload_type, 0, |out| {
            out.put(&[id_type.0, 0, 0, 0])?;
            match *identity {
                Identity::Address(address) => put_address(out, address),
                Identity::Null => Ok(()),
                Identity::Fqdn(data)
                | Identity::Rfc822Address(data)
                | Identity::Dn(data)
                | Identity::GeneralName(data)
                | Identity::KeyId(data)
                | Identity::Other(_, data) => out.put(data),
            }
        })
    }

    /// Appends a CERT payload.
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn certificate(
        &mut self,
        encoding: CertEncoding,
        data: &[u8],
    ) -> Result<Written, BuildError> {
        self.with_head(PayloadType::CERTIFICATE, &[encoding.0], data)
    }

    /// Appends a CERTREQ payload with the hashes of the authorities' public keys, one after the
    /// other.
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn certificate_request(
        &mut self,
        encoding: CertEncoding,
        authorities: &[u8],
    ) -> Result<Written, BuildError> {
        self.with_head(PayloadType::CERTIFICATE_REQUEST, &[encoding.0], authorities)
    }

    /// Appends an AUTH payload.
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn authentication(
        &mut self,
        method: AuthMethod,
        data: &[u8],
    ) -> Result<Written, BuildError> {
        self.with_head(PayloadType::AUTHENTICATION, &[method.0, 0, 0, 0], data)
    }

    /// Appends an AUTH payload with a signature whose algorithm is named (RFC 7427 §3): DER of the
    /// AlgorithmIdentifier, and the signature.
    ///
    /// # Errors
    /// [`BuildError::TooLong`] for an identifier above 255 octets.
    pub fn digital_signature(
        &mut self,
        algorithm: &[u8],
        signature: &[u8],
    ) -> Result<Written, BuildError> {
        let length = u8_field("AlgorithmIdentifier", algorithm.len())?;
        self.compose(PayloadType::AUTHENTICATION, 0, |out| {
            out.put(&[AuthMethod::DIGITAL_SIGNATURE.0, 0, 0, 0, length])?;
            out.put(algorithm)?;
            out.put(signature)
        })
    }

    /// Appends a Nonce payload.
    ///
    /// # Errors
    /// [`BuildError::BadLength`] outside of 16 to 256 octets (RFC 7296 §3.9).
    pub fn nonce(&mut self, nonce: &[u8]) -> Result<Written, BuildError> {
        if !(16..=256).contains(&nonce.len()) {
            return Err(BuildError::BadLength {
                what: "Nonce Data",
                length: nonce.len(),
            });
        }
        self.payload(PayloadType::NONCE, nonce)
    }

    /// Appends an N payload about the IKE SA or the exchange: no protocol, no SPI.
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn notify(&mut self, notify_type: NotifyType, data: &[u8]) -> Result<Written, BuildError> {
        let [high, low] = notify_type.0.to_be_bytes();
        self.with_head(PayloadType::NOTIFY, &[0, 0, high, low], data)
    }

    /// Appends an N payload about the Child SA that an SPI names: REKEY_SA, CHILD_SA_NOT_FOUND,
    /// INVALID_SPI.
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn notify_child(
        &mut self,
        protocol_id: ProtocolId,
        spi: u32,
        notify_type: NotifyType,
        data: &[u8],
    ) -> Result<Written, BuildError> {
        let [high, low] = notify_type.0.to_be_bytes();
        self.compose(PayloadType::NOTIFY, 0, |out| {
            out.put(&[protocol_id.0, 4, high, low])?;
            out.put(&spi.to_be_bytes())?;
            out.put(data)
        })
    }

    /// Appends a D payload that deletes the IKE SA.
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn delete_ike(&mut self) -> Result<Written, BuildError> {
        self.payload(PayloadType::DELETE, &[ProtocolId::IKE.0, 0, 0, 0])
    }

    /// Appends a D payload that deletes Child SAs: the SPIs of the sender's inbound SAs.
    ///
    /// # Errors
    /// [`BuildError::TooLong`] above 65,535 SPIs.
    pub fn delete(&mut self, protocol_id: ProtocolId, spis: &[u32]) -> Result<Written, BuildError> {
        let count = u16_field("Num of SPIs", spis.len())?;
        self.compose(PayloadType::DELETE, 0, |out| {
            out.put(&[protocol_id.0, 4])?;
            out.put(&count)?;
            spis.iter().try_for_each(|spi| out.put(&spi.to_be_bytes()))
        })
    }

    /// Appends a V payload, whose body is the vendor ID.
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn vendor_id(&mut self, vendor_id: &[u8]) -> Result<Written, BuildError> {
        self.payload(PayloadType::VENDOR_ID, vendor_id)
    }

    /// Appends a TSi payload: the traffic selectors of the initiator's end.
    ///
    /// # Errors
    /// [`BuildError::BadLength`] for none, or for a range of two address families.
    pub fn ts_initiator(&mut self, selectors: &[TrafficSelector]) -> Result<Written, BuildError> {
        self.traffic_selectors(PayloadType::TS_INITIATOR, selectors)
    }

    /// Appends a TSr payload: the traffic selectors of the responder's end.
    ///
    /// # Errors
    /// As [`Self::ts_initiator`].
    pub fn ts_responder(&mut self, selectors: &[TrafficSelector]) -> Result<Written, BuildError> {
        self.traffic_selectors(PayloadType::TS_RESPONDER, selectors)
    }

    fn traffic_selectors(
        &mut self,
        payload_type: PayloadType,
        selectors: &[TrafficSelector],
    ) -> Result<Written, BuildError> {
        let count = u8_field("Number of TSs", selectors.len())?;
        if count == 0 {
            return Err(BuildError::BadLength {
                what: "Number of TSs",
                length: 0,
            });
        }
        self.compose(payload_type, 0, |out| {
            out.put(&[count, 0, 0, 0])?;
            selectors
                .iter()
                .try_for_each(|selector| selector.write(out))
        })
    }

    /// Appends a CP payload, whose attributes `fill` writes.
    ///
    /// # Errors
    /// What `fill` returns.
    pub fn configuration(
        &mut self,
        config_type: ConfigType,
        fill: impl FnOnce(&mut ConfigWriter<'_, 's>) -> Filled,
    ) -> Result<Written, BuildError> {
        self.compose(PayloadType::CONFIGURATION, 0, |out| {
            out.put(&[config_type.0, 0, 0, 0])?;
            fill(&mut ConfigWriter { out })
        })
    }

    /// Appends an EAP payload with a whole EAP message.
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn eap(&mut self, message: &[u8]) -> Result<Written, BuildError> {
        self.payload(PayloadType::EAP, message)
    }

    /// Appends a payload that a recipient without support for its type must refuse, and its message
    /// with
    /// it (RFC 7296 §3.2: never for a payload type of RFC 7296 itself).
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn critical(
        &mut self,
        payload_type: PayloadType,
        body: &[u8],
    ) -> Result<Written, BuildError> {
        self.compose(payload_type, 0x80, |out| out.put(body))
    }

    fn with_head(
        &mut self,
        payload_type: PayloadType,
        head: &[u8],
        data: &[u8],
    ) -> Result<Written, BuildError> {
        self.compose(payload_type, 0, |out| {
            out.put(head)?;
            out.put(data)
        })
    }
}

/// Writes the proposals of an SA.
pub struct SaWriter<'w, 's> {
    out: &'w mut Buffer<'s>,
    chain: Chain,
}

impl<'s> SaWriter<'_, 's> {
    /// Appends a proposal.
    ///
    /// # Errors
    /// What `fill` returns; [`BuildError::TooLong`] for an SPI above 255 octets or more than 255
    /// transforms.
    pub fn proposal(
        &mut self,
        number: u8,
        protocol_id: ProtocolId,
        spi: &[u8],
        fill: impl FnOnce(&mut ProposalWriter<'_, 's>) -> Filled,
    ) -> Filled {
        let spi_size = u8_field("SPI Size", spi.len())?;
        let start = self.out.len();
        self.chain.link(self.out, MORE_PROPOSALS, start)?;
        let head = [number, protocol_id.0, spi_size, 0];
        self.out.element("Proposal Length", head, |out| {
            out.put(spi)?;
            let mut transforms = ProposalWriter {
                out,
                chain: Chain::nested(),
                count: 0,
            };
            fill(&mut transforms)?;
            let count = u8_field("Num Transforms", transforms.count)?;
            // RFC 7296 §3.3.1: Num Transforms is octet 7 of the proposal.
            out.patch(start.saturating_add(7), &[count])
        })
    }

    /// Appends the answer to a proposal: its number and protocol, the responder's own SPI, and the
    /// chosen
    /// transforms unchanged (RFC 7296 §3.3.6).
    ///
    /// # Errors
    /// As [`Self::proposal`].
    pub fn choose<'t>(
        &mut self,
        proposal: &Proposal<'_>,
        spi: &[u8],
        transforms: impl IntoIterator<Item = Transform<'t>>,
    ) -> Filled {
        self.proposal(proposal.number, proposal.protocol_id, spi, |p| {
            transforms
                .into_iter()
                .try_for_each(|transform| p.copy(&transform))
        })
    }
}

/// Writes the transforms of a proposal.
pub struct ProposalWriter<'w, 's> {
    out: &'w mut Buffer<'s>,
    chain: Chain,
    count: usize,
}

impl<'s> ProposalWriter<'_, 's> {
    /// Appends an encryption algorithm; the key length in bits for ciphers of variable key length
    /// only.
    ///
    /// # Errors
    /// [`BuildError::SinkFull`].
    pub fn encryption(&mut self, id: EncryptionId, key_length: Option<u16>) -> Filled {
        self.transform(TransformType::ENCRYPTION, id, key_length)
    }

    /// Appends a pseudo-random function.
    ///
    /// # Errors
    /// As [`Self::transform`].
    pub fn prf(&mut self, id: PrfId) -> Filled {
        self.transform(TransformType::PRF, id, None)
    }

    /// Appends an integrity algorithm.
    ///
    /// # Errors
    /// As [`Self::transform`].
    pub fn integrity(&mut self, id: IntegrityId) -> Filled {
        self.transform(TransformType::INTEGRITY, id, None)
    }

    /// Appends a key exchange method.
    ///
    /// # Errors
    /// As [`Self::transform`].
    pub fn key_exchange(&mut self, method: KeyExchangeMethod) -> Filled {
        self.transform(TransformType::KEY_EXCHANGE, method, None)
    }

    /// Appends a kind of sequence numbers: with or without ESN.
    ///
    /// # Errors
    /// As [`Self::transform`].
    pub fn sequence_numbers(&mut self, numbers: SequenceNumbers) -> Filled {
        self.transform(TransformType::SEQUENCE_NUMBERS, numbers, None)
    }

    /// Appends a transform of any type, with a key length in bits when it has one.
    ///
    /// # Errors
    /// [`BuildError::SinkFull`].
    pub fn transform(
        &mut self,
        transform_type: TransformType,
        id: impl Into<u16>,
        key_length: Option<u16>,
    ) -> Filled {
        self.element(transform_type, id.into(), |t| match key_length {
            Some(bits) => t.basic(TransformAttribute::KEY_LENGTH, bits),
            None => Ok(()),
        })
    }

    /// Appends a received transform, unchanged.
    ///
    /// # Errors
    /// As [`Self::transform`].
    pub fn copy(&mut self, transform: &Transform<'_>) -> Filled {
        self.element(transform.transform_type, transform.id, |t| {
            t.copy(transform.attributes())
        })
    }

    fn element(
        &mut self,
        transform_type: TransformType,
        id: u16,
        fill: impl FnOnce(&mut AttributeWriter<'_, 's>) -> Filled,
    ) -> Filled {
        let [high, low] = id.to_be_bytes();
        let start = self.out.len();
        self.chain.link(self.out, MORE_TRANSFORMS, start)?;
        let head = [transform_type.0, 0, high, low];
        self.out.element("Transform Length", head, |out| {
            fill(&mut AttributeWriter { out })
        })?;
        self.count = self.count.saturating_add(1);
        Ok(())
    }
}

/// Writes the attributes of a configuration payload.
pub struct ConfigWriter<'w, 's> {
    out: &'w mut Buffer<'s>,
}

impl ConfigWriter<'_, '_> {
    /// Appends an attribute; an empty value asks for any.
    ///
    /// # Errors
    /// [`BuildError::TooLong`] above 65,535 octets, [`BuildError::SinkFull`].
    pub fn attribute(&mut self, attribute: ConfigAttribute, value: &[u8]) -> Filled {
        // RFC 7296 §3.15.1: the first bit is reserved and zero.
        self.out.put(&(attribute.0 & 0x7fff).to_be_bytes())?;
        self.out.put(&u16_field("Length", value.len())?)?;
        self.out.put(value)
    }

    /// Appends an address: 4 octets, or 16 for the attributes that have no prefix length.
    ///
    /// # Errors
    /// As [`Self::attribute`].
    pub fn address(&mut self, attribute: ConfigAttribute, address: IpAddr) -> Filled {
        match address {
            IpAddr::V4(address) => self.attribute(attribute, &address.octets()),
            IpAddr::V6(address) => self.attribute(attribute, &address.octets()),
        }
    }
}

impl TrafficSelector {
    fn write(&self, out: &mut Buffer<'_>) -> Filled {
        let (ts_type, length) = match (self.start, self.end) {
            (IpAddr::V4(_), IpAddr::V4(_)) => (TsType::IPV4_ADDR_RANGE, 16),
            (IpAddr::V6(_), IpAddr::V6(_)) => (TsType::IPV6_ADDR_RANGE, 40),
            _ => {
                return Err(BuildError::BadLength {
                    what: "Traffic Selector",
                    length: 28,
                });
            }
        };
        let (first, last) = self.ports.to_wire();
        out.put(&[ts_type.0, self.protocol, 0, length])?;
        out.put(&first.to_be_bytes())?;
        out.put(&last.to_be_bytes())?;
        put_address(out, self.start)?;
        put_address(out, self.end)
    }
}

impl core::fmt::Debug for SaWriter<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SaWriter").finish_non_exhaustive()
    }
}

impl core::fmt::Debug for ProposalWriter<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ProposalWriter")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

impl core::fmt::Debug for ConfigWriter<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ConfigWriter").finish_non_exhaustive()
    }
}

fn put_address(out: &mut Buffer<'_>, address: IpAddr) -> Filled {
    match address {
        IpAddr::V4(address) => out.put(&address.octets()),
        IpAddr::V6(address) => out.put(&address.octets()),
    }
}
