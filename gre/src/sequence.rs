//! Sequence numbers (RFC 2890 §2.2): the sender's counter, the receiver's order check, and the
//! small reordering buffer a receiver may have.

use core::time::Duration;

/// The sender's counter. The first datagram carries 0; the counter runs modulo 2³².
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SendSequence {
    next: u32,
}

impl SendSequence {
    /// A counter that continues at `next`: 0 for a new tunnel, the exported value after a
    /// takeover.
    #[must_use]
    pub const fn starting_at(next: u32) -> Self {
        Self { next }
    }

    /// The number for the next packet; the counter moves on.
    pub fn take(&mut self) -> u32 {
        let taken = self.next;
        self.next = self.next.wrapping_add(1);
        taken
    }

    /// The number the next packet will have.
    #[must_use]
    pub const fn peek(&self) -> u32 {
        self.next
    }
}

/// Where a received sequence number stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// One more than the last, or a packet without a number.
    InSequence,
    /// Ahead of the next one expected by this many.
    Gap(u32),
    /// At or behind the last: to be discarded silently.
    OutOfSequence,
}

/// The receiver's memory: the last number decapsulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiveSequence {
    last: u32,
}

impl Default for ReceiveSequence {
    fn default() -> Self {
        Self::NEW
    }
}

impl ReceiveSequence {
    /// A new tunnel: the last number is 2³² − 1, so that 0 is in sequence.
    pub const NEW: Self = Self { last: u32::MAX };

    /// A tunnel that decapsulated `last` already.
    #[must_use]
    pub const fn after(last: u32) -> Self {
        Self { last }
    }

    /// The number of the last packet decapsulated.
    #[must_use]
    pub const fn last(&self) -> u32 {
        self.last
    }

    /// Says where `sequence` stands. Nothing changes.
    #[must_use]
    pub const fn order(&self, sequence: Option<u32>) -> Order {
        // RFC 2890 §2.2: an out-of-sequence packet "SHOULD be silently discarded": one whose number
        // lies from the last one down to 2³¹ − 1 before it.
        match sequence {
            None => Order::InSequence,
            Some(sequence) => match sequence.wrapping_sub(self.last) {
                0 | 0x8000_0001.. => Order::OutOfSequence,
                1 => Order::InSequence,
                ahead => Order::Gap(ahead.wrapping_sub(1)),
            },
        }
    }

    /// Takes `sequence` as decapsulated unless it is out of sequence: the receiver without a
    /// reordering buffer.
    pub fn accept(&mut self, sequence: Option<u32>) -> Order {
        let order = self.order(sequence);
        if let (Some(sequence), Order::InSequence | Order::Gap(_)) = (sequence, order) {
            self.last = sequence;
        }
        order
    }
}

/// A receiver that restores order: holds back packets behind a gap, at most `N` of them
/// (MAX_PERFLOW_BUFFER) and none longer than the given time (OUTOFORDER_TIMER). `T` is whatever
/// the embedder keeps a packet in. One buffer serves one flow, that is one key.
#[derive(Debug, Clone)]
pub struct Resequencer<T, const N: usize> {
    receive: ReceiveSequence,
    timer: Duration,
    held: [Option<Held<T>>; N],
}

#[derive(Debug, Clone)]
struct Held<T> {
    sequence: u32,
    until: Duration,
    item: T,
}

/// What became of a packet given to a [`Resequencer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resequenced {
    /// Given out, with those that waited for it.
    Delivered,
    /// Waits for the packets before it.
    Held,
    /// At or behind the last one given out, or already waiting: discarded.
    Discarded,
}

impl<T, const N: usize> Resequencer<T, N> {
    /// `timer` is the longest a packet waits.
    #[must_use]
    pub const fn new(receive: ReceiveSequence, timer: Duration) -> Self {
        Self {
            receive,
            timer,
            held: [const { None }; N],
        }
    }

    /// Takes a packet; whatever can go out goes to `deliver`, in order.
    pub fn receive(
        &mut self,
        sequence: Option<u32>,
        item: T,
        now: Duration,
        mut deliver: impl FnMut(T),
    ) -> Resequenced {
        match (self.receive.order(sequence), sequence) {
            (Order::OutOfSequence, _) => Resequenced::Discarded,
            (Order::InSequence, _) => {
                self.receive.accept(sequence);
                deliver(item);
                self.deliver_ready(&mut deliver);
                Resequenced::Delivered
            }
            (Order::Gap(_), Some(sequence)) => {
                if self
                    .held
                    .iter()
                    .flatten()
                    .any(|held| held.sequence == sequence)
                {
                    return Resequenced::Discarded;
                }
                let until = now.saturating_add(self.timer);
                self.hold(
                    Held {
                        sequence,
                        until,
                        item,
                    },
                    &mut deliver,
                )
            }
            // A gap has a number: `order` says so.
            (Order::Gap(_), None) => Resequenced::Discarded,
        }
    }

    /// When the packet that waits longest has waited long enough.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.held.iter().flatten().map(|held| held.until).min()
    }

    /// Gives out, in order and over gaps, everything up to the last packet whose time is over.
    pub fn handle_deadline(&mut self, now: Duration, mut deliver: impl FnMut(T)) {
        while self.next_deadline().is_some_and(|until| until <= now) {
            self.deliver_lowest(&mut deliver);
        }
        self.deliver_ready(&mut deliver);
    }

    /// The receiver's memory, for export.
    #[must_use]
    pub const fn receive_sequence(&self) -> ReceiveSequence {
        self.receive
    }

    fn hold(&mut self, held: Held<T>, deliver: &mut impl FnMut(T)) -> Resequenced {
        let mut held = Some(held);
        // RFC 2890 §2.2: with a full buffer its head goes out whatever its number.
        for _ in 0..=N {
            if let Some(slot) = self.held.iter_mut().find(|slot| slot.is_none()) {
                *slot = held.take();
                self.deliver_ready(deliver);
                return Resequenced::Held;
            }
            let lowest = self.lowest();
            let new = held.as_ref().map(|held| self.distance(held.sequence));
            if lowest.is_none_or(|(_, distance)| new.is_some_and(|new| new < distance)) {
                break;
            }
            self.deliver_lowest(deliver);
        }
        // The new packet itself is the head (always, where N is 0).
        if let Some(held) = held {
            self.receive.accept(Some(held.sequence));
            deliver(held.item);
            self.deliver_ready(deliver);
        }
        Resequenced::Delivered
    }

    fn deliver_ready(&mut self, deliver: &mut impl FnMut(T)) {
        while self.lowest().is_some_and(|(_, distance)| distance <= 1) {
            self.deliver_lowest(deliver);
        }
    }

    fn deliver_lowest(&mut self, deliver: &mut impl FnMut(T)) {
        // Nothing is held: nothing to deliver.
        let Some((at, _)) = self.lowest() else { return };
        let Some(held) = self.held.get_mut(at).and_then(Option::take) else {
            return;
        };
        self.receive.accept(Some(held.sequence));
        deliver(held.item);
    }

    /// The slot next in order and how far ahead it is.
    fn lowest(&self) -> Option<(usize, u32)> {
        let held = self.held.iter().enumerate();
        held.filter_map(|(at, slot)| slot.as_ref().map(|held| (at, self.distance(held.sequence))))
            .min_by_key(|(_, distance)| *distance)
    }

    const fn distance(&self, sequence: u32) -> u32 {
        sequence.wrapping_sub(self.receive.last)
    }
}

#[cfg(test)]
mod tests;
