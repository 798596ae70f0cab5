//! The words that all layers share: handles, addresses, identities, algorithms, states, errors. Nothing
//! here imports from another layer.

mod child;
mod fault;
mod id;
mod identity;
mod outcome;
mod path;
mod reason;
mod selector;
mod state;
mod suite;
mod version;

pub use child::{ChildLifetime, ChildTerms, OriginalAddresses, Route};
pub use fault::{AuthFault, EapError, EapType, FragmentError, OpenError, ProofError};
pub(crate) use id::Counter;
pub use id::{ChildId, IkeId, Ticket};
pub use identity::{DnError, IdPort, Identity, MAX_IDENTITY, RemoteIdentity};
pub use outcome::{DropReason, Outcome, PayloadName};
pub use path::Path;
pub use reason::CloseReason;
pub(crate) use selector::breadth;
pub use selector::{Selector, Selectors};
pub use state::{ExchangeState, IkeState, Input, Role, ShowState, State, Step};
pub use suite::{Authentication, ChildSuite, IpsecProtocol, Mode};
pub use version::IkeVersion;
