//! What is computed by the embedder.

use alloc::vec::Vec;

use crypto_suite::GroupId;

/// Which heavy computations are questions to the embedder, which may answer them from a thread of its
/// own while packets go on. By default none is: each is done within the call that needs it.
///
/// Asked for are the halves of responders, and the key pairs and shared secrets of initiators, in both
/// versions and in all exchanges. One thing is computed within the call all the same: the shared secret of
/// an IKE rekey of ours that was asked for and has not come, since the peer has the new IKE SA by then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offload {
    /// Groups and KEMs whose computations are a
    /// [`Question::KeyExchange`](crate::Question::KeyExchange).
    pub groups: Vec<GroupId>,
}

impl Offload {
    /// All groups and KEMs but Curve25519, which takes less time than a question does.
    #[must_use]
    pub fn heavy() -> Self {
        use GroupId::*;
        Self {
            groups: alloc::vec![
                Modp768, Modp1024, Modp1536, Modp2048, Modp3072, Modp4096, Modp6144, Modp8192,
                Ecp256, Ecp384, Ecp521, X448, MlKem512, MlKem768, MlKem1024,
            ],
        }
    }

    pub(crate) fn asks_for(&self, group: GroupId) -> bool {
        self.groups.contains(&group)
    }
}
