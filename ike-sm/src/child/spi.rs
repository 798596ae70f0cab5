//! Inbound SPIs: which are taken, and by whom.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::fmt;

use crate::model::{ChildId, DropReason};

/// SPIs below are reserved (RFC 4303 §2.1).
const LOWEST_SPI: u32 = 256;

/// An inbound SPI that a negotiation has taken.
///
/// Nobody has to give it back: it is free again as soon as the negotiation and all that came of it
/// are gone, whichever way that came about. [`install`](super::install) keeps it for the pair.
#[derive(Debug, Clone)]
pub(crate) struct ReservedSpi(Arc<u32>);

impl ReservedSpi {
    pub(crate) fn get(&self) -> u32 {
        *self.0
    }
}

/// The inbound SPIs that are taken.
#[derive(Default)]
pub(super) struct Spis {
    installed: BTreeMap<u32, ChildId>,
    /// Those of negotiations; some of them may be free again.
    reserved: BTreeMap<u32, Weak<u32>>,
    /// How many of those there are when they are looked through next.
    sweep_at: usize,
}

impl Spis {
    /// Whether a pair or a negotiation has this SPI.
    pub(super) fn is_taken(&self, spi: u32) -> bool {
        let negotiation = self.reserved.get(&spi);
        self.installed.contains_key(&spi) || negotiation.is_some_and(|n| n.strong_count() > 0)
    }

    /// Takes an SPI for a negotiation.
    pub(super) fn reserve(&mut self, spi: u32) -> Result<ReservedSpi, DropReason> {
        if spi < LOWEST_SPI || self.is_taken(spi) {
            return Err(DropReason::WrongAnswer);
        }
        if self.reserved.len() >= self.sweep_at {
            self.reserved.retain(|_, n| n.strong_count() > 0);
            // Twice as many, so that each costs no more than two looks.
            self.sweep_at = self.reserved.len().saturating_mul(2).max(16);
        }
        let reserved = Arc::new(spi);
        self.reserved.insert(spi, Arc::downgrade(&reserved));
        Ok(ReservedSpi(reserved))
    }

    /// A pair has it from here on.
    pub(super) fn install(&mut self, spi: u32, child: ChildId) {
        self.reserved.remove(&spi);
        self.installed.insert(spi, child);
    }

    /// The pair that has it is gone.
    pub(super) fn remove(&mut self, spi: u32) {
        self.installed.remove(&spi);
    }

    /// The pair that takes in packets with this SPI.
    pub(super) fn child(&self, spi: u32) -> Option<ChildId> {
        self.installed.get(&spi).copied()
    }

    /// The SPIs of pairs.
    pub(super) fn installed(&self) -> impl Iterator<Item = (u32, ChildId)> + '_ {
        self.installed.iter().map(|(spi, id)| (*spi, *id))
    }

    /// The SPIs of negotiations under way.
    pub(super) fn reserved(&self) -> impl Iterator<Item = u32> + '_ {
        let live = self.reserved.iter().filter(|(_, n)| n.strong_count() > 0);
        live.map(|(spi, _)| *spi)
    }
}

impl fmt::Debug for Spis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.installed())
            .entries(self.reserved().map(|spi| (spi, "a negotiation")))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l12_an_spi_is_free_again_when_the_last_that_has_it_is_gone() {
        let mut spis = Spis::default();
        let spi = spis.reserve(1000).unwrap();
        let copy = spi.clone();
        drop(spi);
        assert_eq!(spis.reserve(1000).unwrap_err(), DropReason::WrongAnswer);
        assert_eq!(spis.reserved().collect::<alloc::vec::Vec<_>>(), [1000]);
        drop(copy);
        assert!(!spis.is_taken(1000) && spis.reserved().next().is_none());
        let spi = spis.reserve(1000).unwrap();
        spis.install(spi.get(), ChildId(7));
        drop(spi);
        assert!(spis.is_taken(1000));
        assert_eq!(spis.child(1000), Some(ChildId(7)));
        spis.remove(1000);
        assert!(!spis.is_taken(1000));
        assert_eq!(spis.reserve(255).unwrap_err(), DropReason::WrongAnswer);
        assert_eq!(spis.reserve(256).unwrap().get(), 256);
    }

    #[test]
    fn l12_negotiations_that_lead_to_nothing_leave_nothing_behind() {
        let mut spis = Spis::default();
        let kept = spis.reserve(999).unwrap();
        for spi in 1000..11_000 {
            let _gone = spis.reserve(spi).unwrap();
            assert!(spis.reserved.len() <= 17, "{}", spis.reserved.len());
        }
        assert_eq!(spis.reserved().count(), 1);
        assert!(spis.is_taken(kept.get()));
    }
}
