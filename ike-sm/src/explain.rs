//! Why things happened: records of every comparison, transition, drop and deadline.
//!
//! A [`Record`] is plain data: bounded, cloneable, free of secrets. Three renderers turn it into
//! text: [`Record::cisco`] in the words of IOS debug output, [`Record::compact`] one short line per
//! message, [`Record::json`] one object per line.

pub use crate::event::{
    AuthRecord, ChildFault, ChildRefusal, ChildSummary, DpdStep, IdentityShown, NatCheck, Notice,
    Packet, PayloadList, Phase1Summary, PskFound, Record, SelectorCheck, SelectorsTaken,
    Transition, What,
};
pub use crate::model::{AuthFault, ExchangeState, IkeState, Input, Role, ShowState, State, Step};
pub use crate::policy::{ProposalCheck, TransformCheck};
#[cfg(feature = "render")]
pub use crate::report::{Cisco, Compact, Json};
