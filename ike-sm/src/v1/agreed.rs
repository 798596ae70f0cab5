//! What phase 1 leaves to all that comes after it.

use alloc::sync::Arc;

use crate::model::Identity;
use crate::v1::keys::{Iv, Keys, MessageCipher};
use crate::v1::phase1::{Nat, Suite, Vendor};

/// What phase 1 has agreed on and proved.
#[derive(Debug)]
pub(crate) struct Agreed {
    pub(crate) suite: Suite,
    pub(crate) vendor: Vendor,
    pub(crate) nat: Nat,
    pub(crate) keys: Keys,
    pub(crate) cipher: MessageCipher,
    /// The last cipher block of phase 1, from which the IVs of later exchanges come.
    pub(crate) last_block: Iv,
    pub(crate) remote_id: Arc<Identity>,
}
