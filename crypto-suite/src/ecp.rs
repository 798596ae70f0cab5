//! ECDH over the NIST curves (RFC 5903): public values are x | y, the shared secret is x.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::marker::PhantomData;
use p256::elliptic_curve::ecdh::EphemeralSecret;
use p256::elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use p256::elliptic_curve::{AffinePoint, CurveArithmetic, FieldBytesSize, Generate, PublicKey};
use rand_core::CryptoRng;

use crate::{ActiveKeyExchange, CryptoError, GroupId, KeyExchange, Secret};

struct Ecp<C> {
    id: GroupId,
    /// Length of a coordinate, bytes.
    field_len: usize,
    _curve: PhantomData<fn() -> C>,
}

impl<C> Ecp<C> {
    const fn new(id: GroupId, field_len: usize) -> Self {
        Self {
            id,
            field_len,
            _curve: PhantomData,
        }
    }
}

/// A curve whose points have a SEC 1 encoding.
trait EcpCurve: CurveArithmetic {
    fn encode(public: &PublicKey<Self>) -> Vec<u8>;
    fn decode(bytes: &[u8]) -> Option<PublicKey<Self>>;
}

/// First octet of an uncompressed point in SEC 1; RFC 5903 §7 leaves it out.
const UNCOMPRESSED: u8 = 4;

impl<C> EcpCurve for C
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    fn encode(public: &PublicKey<C>) -> Vec<u8> {
        let point = public.to_sec1_point(false);
        point
            .as_bytes()
            .split_first()
            .map(|(_, xy)| xy.to_vec())
            .unwrap_or_default()
    }

    /// RFC 5903 §9, RFC 6989 §2.3: only points on the curve; infinity has no encoding here.
    fn decode(bytes: &[u8]) -> Option<PublicKey<C>> {
        let point = [&[UNCOMPRESSED], bytes].concat();
        PublicKey::from_sec1_bytes(&point).ok()
    }
}

fn decode<C: EcpCurve>(group: &Ecp<C>, public: &[u8]) -> Result<PublicKey<C>, CryptoError> {
    let expected = group.initiator_public_len();
    if public.len() != expected {
        let actual = public.len();
        return Err(CryptoError::PublicValueLength { expected, actual });
    }
    C::decode(public).ok_or(CryptoError::PublicValueInvalid)
}

fn shared<C: EcpCurve>(
    group: &Ecp<C>,
    secret: &EphemeralSecret<C>,
    peer_public: &[u8],
) -> Result<Secret, CryptoError> {
    let peer = decode(group, peer_public)?;
    // Prime order and a non-zero scalar: the product is never the point at infinity.
    Ok(Secret::from(
        secret.diffie_hellman(&peer).raw_secret_bytes().as_slice(),
    ))
}

impl<C: EcpCurve> KeyExchange for Ecp<C> {
    fn id(&self) -> GroupId {
        self.id
    }

    fn initiator_public_len(&self) -> usize {
        self.field_len.saturating_mul(2)
    }

    fn responder_public_len(&self) -> usize {
        self.initiator_public_len()
    }

    fn shared_len(&self) -> usize {
        self.field_len
    }

    fn start(&self, rng: &mut dyn CryptoRng) -> Result<Box<dyn ActiveKeyExchange>, CryptoError> {
        let secret = EphemeralSecret::<C>::generate_from_rng(rng);
        let public = C::encode(&secret.public_key());
        let group = Self::new(self.id, self.field_len);
        Ok(Box::new(ActiveEcp {
            group,
            secret,
            public,
        }))
    }

    fn respond(
        &self,
        rng: &mut dyn CryptoRng,
        peer_public: &[u8],
    ) -> Result<(Vec<u8>, Secret), CryptoError> {
        let secret = EphemeralSecret::<C>::generate_from_rng(rng);
        let shared = shared(self, &secret, peer_public)?;
        Ok((C::encode(&secret.public_key()), shared))
    }

    fn check_initiator(&self, public: &[u8]) -> Result<(), CryptoError> {
        decode(self, public).map(|_| ())
    }

    fn check_responder(&self, public: &[u8]) -> Result<(), CryptoError> {
        self.check_initiator(public)
    }
}

struct ActiveEcp<C: EcpCurve> {
    group: Ecp<C>,
    secret: EphemeralSecret<C>,
    public: Vec<u8>,
}

impl<C: EcpCurve> ActiveKeyExchange for ActiveEcp<C> {
    fn group(&self) -> GroupId {
        self.group.id
    }

    fn public(&self) -> &[u8] {
        &self.public
    }

    fn finish(&self, peer_public: &[u8]) -> Result<Secret, CryptoError> {
        shared(&self.group, &self.secret, peer_public)
    }
}

static P256: Ecp<p256::NistP256> = Ecp::new(GroupId::Ecp256, 32);
static P384: Ecp<p384::NistP384> = Ecp::new(GroupId::Ecp384, 48);
static P521: Ecp<p521::NistP521> = Ecp::new(GroupId::Ecp521, 66);

pub(crate) const ALL: [&dyn KeyExchange; 3] = [&P256, &P384, &P521];
