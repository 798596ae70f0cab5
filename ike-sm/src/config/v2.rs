//! What IKEv2 is told beyond what both versions share.

mod addresses;
mod credential;
mod options;
mod proposal;

pub use addresses::{AddressOptions, AddressRequest, Assign, Assignment, Wanted};
pub use credential::{
    AuthOptions, Credential, EapMethod, EapUsers, LocalAuth, MAX_CHAIN, Ppk, RemoteAuth,
    SendCertificate,
};
pub(crate) use options::MAX_ADDRESSES;
pub use options::{RedirectWhen, V2Options};
pub(in crate::config) use proposal::additional;
pub use proposal::{AdditionalKeyExchange, Encryption, IkeProposal};
