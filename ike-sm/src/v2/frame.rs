//! The IKE SA that a message belongs to.

use crate::config::PeerConfig;
use crate::context::Context;
use crate::model::{IkeId, Path, Role};
use crate::peer::standing::Device;
use crate::v2::keys::Spis;

/// The IKE SA that a message belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) ike: IkeId,
    pub(crate) role: Role,
    /// The peer's place in the configuration.
    pub(crate) index: usize,
    pub(crate) peer: &'a PeerConfig,
    /// Where the message at hand came from, or where ours goes.
    pub(crate) path: Path,
    pub(crate) spis: Spis,
    /// The SA that this one takes the place of.
    pub(crate) replaces: Option<IkeId>,
}

impl Frame<'_> {
    /// Whose the SA is among those that prove its identity: one that is to replace another is of the
    /// same device, also before it has taken its place.
    pub(super) fn device(&self, ctx: &Context<'_>) -> Device {
        let standing = &ctx.world.standing;
        let before = || self.replaces.and_then(|old| standing.device(old));
        let device = standing.device(self.ike).or_else(before);
        device.unwrap_or(Device(self.ike))
    }
}
