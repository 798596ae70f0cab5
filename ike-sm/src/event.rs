//! What goes into an endpoint and what comes out of it: events, actions, questions and their answers,
//! jobs, records.

mod action;
mod input;
pub(crate) mod job;
mod question;
mod record;

pub use action::{Action, Actions, ChildSa, ChildUpdate, KeyLog};
pub use input::{Answer, Command, EapPassword, Event, PacketEnd, Takeover, Traffic, UserGrant};
pub use job::{KeyExchangeDone, KeyExchangeJob, SignatureDone, SignatureJob};
pub(crate) use question::QuestionKind;
pub use question::{EapAnswer, EapMessage, PskStage, Question};
pub use record::{
    AuthRecord, ChildFault, ChildRefusal, ChildSummary, DpdStep, IdentityShown, NatCheck, Notice,
    Packet, PayloadList, Phase1Summary, PskFound, Record, SelectorCheck, SelectorsTaken,
    Transition, What,
};
