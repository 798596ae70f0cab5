//! Identities of both ends (RFC 7296 §3.5).

use alloc::vec::Vec;

use super::Env;
use crate::event::AuthRecord;
use crate::model::{AuthFault, Identity, RemoteIdentity};
use crate::v2::auth::Received;

/// Whom the peer claims to be, as far as policy lets it.
#[derive(Debug, Clone)]
pub(super) struct Claimed {
    pub(super) identity: Identity,
    /// The body of the Identification payload as it came.
    pub(super) body: Vec<u8>,
}

/// Reads and judges the peer's identity.
pub(super) fn claimed(env: &mut Env<'_>, received: &Received<'_>) -> Result<Claimed, AuthFault> {
    let id = received
        .identity
        .ok_or(AuthFault::Missing("the identity"))?;
    let identity = Identity::from_wire(id.id_type.0, id.data).ok_or(AuthFault::Identity)?;
    let accepted = env.peer.may_be(&identity, env.remote);
    env.note(AuthRecord::Identity {
        identity: identity.clone(),
        accepted,
    });
    if !accepted {
        return Err(AuthFault::Identity);
    }
    Ok(Claimed {
        identity: env.peer.known_as(identity),
        body: id.body.to_vec(),
    })
}

/// The body of our own Identification payload.
pub(super) fn own_body(env: &Env<'_>) -> Vec<u8> {
    let address = Identity::Address(env.local);
    body_of(env.peer.local_id.as_ref().unwrap_or(&address))
}

/// The body of an Identification payload: type, three reserved octets, data.
pub(super) fn body_of(identity: &Identity) -> Vec<u8> {
    [&[identity.id_type(), 0, 0, 0][..], &identity.to_wire()].concat()
}

/// Whom the peer has to be, when there is only one choice.
pub(super) fn expected(env: &Env<'_>) -> Option<Identity> {
    match &env.peer.remote_id {
        RemoteIdentity::Is(wanted) => Some(wanted.clone()),
        RemoteIdentity::Address => Some(Identity::Address(env.remote)),
        RemoteIdentity::Any => None,
    }
}
