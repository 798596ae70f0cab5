//! Handles the endpoint gives out. A number is never used twice in the life of an endpoint, so a
//! handle that outlives its object names nothing instead of something else.

use core::fmt;

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) u64);

        impl $name {
            /// The number behind the handle, for tables and logs.
            #[must_use]
            pub const fn number(self) -> u64 {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

handle!(
    /// An IKE SA (an ISAKMP SA in IKEv1), from its first message to its end.
    IkeId, "ike-"
);
handle!(
    /// A pair of IPsec SAs, one per direction, from the first message that negotiates it.
    ChildId, "child-"
);
handle!(
    /// One question asked through [`Action::Ask`](crate::Action::Ask). An answer to a ticket whose
    /// exchange has ended is dropped.
    Ticket, "ticket-"
);

/// Draws the numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(u64);

impl Counter {
    pub(crate) fn next(&mut self) -> u64 {
        // 2^64 handles do not run out.
        self.0 = self.0.wrapping_add(1);
        self.0
    }

    /// The number that was drawn last.
    pub(crate) const fn last(&self) -> u64 {
        self.0
    }
}
