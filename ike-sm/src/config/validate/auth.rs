//! What proves identities, held against itself and against what can be done.

use crypto_suite::{HashId, Provider, SignatureId};

use super::{Check, fault, have, len, range, weak};
use crate::alg::can_sign;
use crate::config::v2::{Credential, EapMethod, LocalAuth, MAX_CHAIN, RemoteAuth};
use crate::config::{Config, ConfigFault, PeerConfig, Phase1Mode, Place};
use crate::model::{Authentication, Identity, RemoteIdentity};

/// Most schemes of a credential or a policy, and most authorities.
const MAX_LIST: usize = 64;

pub(super) fn auth(config: &Config, provider: &Provider, p: &PeerConfig, place: &Place) -> Check {
    let auth = &p.auth;
    if let Some(Identity::User(_)) = &p.local_id {
        let text = "a user of EAP is no identity of an Identification payload";
        return Err(fault(place, "local_id", ConfigFault::Unsupported(text)));
    }
    if let RemoteIdentity::Is(Identity::User(_)) = &p.remote_id {
        let text = "users of EAP are chosen by `auth.users`";
        return Err(fault(place, "remote_id", ConfigFault::Unsupported(text)));
    }
    match &auth.local {
        LocalAuth::Psk => {}
        LocalAuth::Signature(credential) => own(config, provider, credential, place)?,
        LocalAuth::Eap { user, .. } => {
            if user.is_empty() {
                return Err(fault(place, "auth.local.user", ConfigFault::Missing));
            }
            mschapv2(provider, place, "auth.local")?;
        }
    }
    match &auth.remote {
        RemoteAuth::Psk => {}
        RemoteAuth::Signature {
            schemes,
            authorities,
            authority_names,
            raw_key: _,
        } => {
            listed(config, provider, schemes, place, "auth.remote.schemes")?;
            let count = authorities.len().max(authority_names.len());
            if count > MAX_LIST {
                let count = u64::try_from(count).unwrap_or(u64::MAX);
                let field = "auth.remote.authorities";
                return Err(range(place, field, count, "at most 64"));
            }
        }
        RemoteAuth::Eap { method, eap_only } => {
            if matches!(method, EapMethod::MsChapV2 { .. }) {
                mschapv2(provider, place, "auth.remote")?;
            }
            match &auth.local {
                LocalAuth::Signature(_) => {}
                _ if *eap_only => {}
                LocalAuth::Eap { .. } => {
                    let text = "EAP proves the initiator, one end can be that";
                    return Err(fault(place, "auth", ConfigFault::Unsupported(text)));
                }
                LocalAuth::Psk => {
                    let text = "an EAP server proves itself by a signature (RFC 7296 §2.16)";
                    return Err(fault(place, "auth.local", ConfigFault::Unsupported(text)));
                }
            }
        }
    }
    if let Some(ppk) = &auth.ppk {
        let length = len(&ppk.id);
        if length == 0 || length > 255 {
            return Err(range(place, "auth.ppk.id", length, "1 to 255 octets"));
        }
    }
    Ok(())
}

/// RFC 2409 §5.1, §5.4: one method proves both ends of an IKEv1 SA, and the policies name it. Others
/// than `auth` allows must not be there to be agreed on.
pub(super) fn of_v1(config: &Config, p: &PeerConfig, place: &Place) -> Check {
    let unsupported = |text| Err(fault(place, "auth", ConfigFault::Unsupported(text)));
    let schemes = match (&p.auth.local, &p.auth.remote) {
        (LocalAuth::Psk, RemoteAuth::Psk) => None,
        (LocalAuth::Signature(own), RemoteAuth::Signature { .. }) => Some(&own.schemes),
        _ => {
            return unsupported(
                "both ends of an IKEv1 SA prove themselves in one way, without EAP",
            );
        }
    };
    if p.auth.ppk.is_some() {
        return unsupported("post-quantum pre-shared keys are of IKEv2");
    }
    if schemes.is_some() && p.mode == Phase1Mode::AggressiveExposingPskHash {
        return unsupported("signatures of IKEv1 are built for main mode alone");
    }
    for policy in config.policies_for(p) {
        let method = policy.authentication;
        let fits = match schemes {
            None => method == Authentication::PreSharedKey,
            Some(schemes) => can_sign(schemes, method),
        };
        if !fits {
            let text =
                "a policy's authentication is not the one of `auth`, or its key cannot make it";
            return Err(fault(place, "policies", ConfigFault::Unsupported(text)));
        }
    }
    Ok(())
}

fn own(config: &Config, provider: &Provider, own: &Credential, place: &Place) -> Check {
    if own.chain.len() > MAX_CHAIN {
        let count = len(&own.chain);
        return Err(range(place, "auth.local.chain", count, "at most 8"));
    }
    if own.raw_key.is_some() && !own.chain.is_empty() {
        let text = "a credential is a certificate chain or a raw key";
        return Err(fault(place, "auth.local", ConfigFault::Unsupported(text)));
    }
    if own.schemes.is_empty() {
        return Err(fault(place, "auth.local.schemes", ConfigFault::Missing));
    }
    listed(config, provider, &own.schemes, place, "auth.local.schemes")
}

fn listed(
    config: &Config,
    provider: &Provider,
    schemes: &[SignatureId],
    place: &Place,
    field: &'static str,
) -> Check {
    if schemes.len() > MAX_LIST {
        return Err(range(place, field, len(schemes), "at most 64"));
    }
    for scheme in schemes {
        have(provider.signature(*scheme).is_some(), *scheme, place, field)?;
        weak(config, *scheme, place, field)?;
    }
    Ok(())
}

fn mschapv2(provider: &Provider, place: &Place, field: &'static str) -> Check {
    let there = provider.mschapv2.is_some() && provider.hash(HashId::Sha1).is_some();
    have(there, "EAP-MSCHAPv2", place, field)
}
