//! NULL encryption (RFC 2410) with HMAC: integrity alone.

use alloc::boxed::Box;
use core::marker::PhantomData;
use subtle::ConstantTimeEq;

use super::{Parts, check_keymat};
use crate::hmac::{HmacState, PreparedMac};
use crate::{CryptoError, IntegrityId, Layout, PacketKey, Protection, ProtectionId};

pub(super) struct NullHmac<M> {
    integrity: IntegrityId,
    _mac: PhantomData<fn() -> M>,
}

impl<M> NullHmac<M> {
    pub(super) const fn new(integrity: IntegrityId) -> Self {
        Self {
            integrity,
            _mac: PhantomData,
        }
    }
}

impl<M: HmacState> Protection for NullHmac<M> {
    fn id(&self) -> ProtectionId {
        ProtectionId::NullHmac(self.integrity)
    }

    fn new_key(&self, keymat: &[u8]) -> Result<Box<dyn PacketKey>, CryptoError> {
        check_keymat(self.key_material_len(), keymat)?;
        Ok(Box::new(Key(PreparedMac::<M>::new(
            self.integrity,
            keymat,
        )?)))
    }
}

struct Key<M>(PreparedMac<M>);

impl<M: HmacState> PacketKey for Key<M> {
    fn iv_len(&self) -> usize {
        0
    }

    fn icv_len(&self) -> usize {
        self.0.icv_len()
    }

    fn block_len(&self) -> usize {
        1
    }

    fn seal(&self, packet: &mut [u8], layout: Layout, _seq: u64) -> Result<(), CryptoError> {
        let parts = Parts::split(packet, layout, 0, self.icv_len())?;
        let icv = self
            .0
            .over_split(parts.aad, parts.iv, parts.text, layout.esn_high);
        parts.icv.copy_from_slice(icv.as_ref());
        Ok(())
    }

    fn open(&self, packet: &mut [u8], layout: Layout) -> Result<(), CryptoError> {
        let parts = Parts::split(packet, layout, 0, self.icv_len())?;
        let icv = self
            .0
            .over_split(parts.aad, parts.iv, parts.text, layout.esn_high);
        if icv.as_ref().ct_eq(parts.icv).into() {
            Ok(())
        } else {
            Err(CryptoError::IntegrityFailed)
        }
    }
}
