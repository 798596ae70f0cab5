//! Questions that are open.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::multimap::Multimap;
use crate::model::{IkeId, Ticket};

/// Which questions are open, and who waits for the answer.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    table: BTreeMap<Ticket, Asker>,
    by_ike: Multimap<IkeId, Ticket>,
}

/// Who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asker {
    pub(crate) ike: IkeId,
    pub(crate) place: Place,
}

/// The exchange of an IKE SA that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Phase 1.
    Phase1,
    /// The exchange with this message id.
    Exchange(u32),
}

impl Questions {
    /// Who waits for the answer to `ticket`.
    pub(crate) fn asker(&self, ticket: Ticket) -> Option<Asker> {
        self.table.get(&ticket).copied()
    }

    /// Whether none is open.
    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The question is answered or pointless.
    pub(crate) fn close(&mut self, ticket: Ticket) {
        if let Some(asker) = self.table.remove(&ticket) {
            self.by_ike.remove(asker.ike, ticket);
        }
    }

    /// All questions of an SA are pointless.
    pub(crate) fn close_all(&mut self, ike: IkeId) {
        for ticket in self.by_ike.of(ike).collect::<Vec<_>>() {
            self.close(ticket);
        }
    }

    pub(crate) fn open(&mut self, ticket: Ticket, asker: Asker) {
        self.by_ike.insert(asker.ike, ticket);
        self.table.insert(ticket, asker);
    }

    /// Whether the index says the same as the table.
    pub(crate) fn is_consistent(&self) -> bool {
        let pairs = self
            .table
            .iter()
            .map(|(ticket, asker)| (asker.ike, *ticket));
        self.by_ike == pairs.collect()
    }
}
