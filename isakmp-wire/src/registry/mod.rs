//! The assigned numbers of ISAKMP, IKEv1 and IKEv2, each with its name and its reference.
//!
//! Every number is a newtype over its wire width, so a value of today, of tomorrow or of a vendor
//! is representable and survives a round trip. `name()` and `reference()` answer for registered
//! values only; `Display` prints the name, or `unknown(n)`.

/// Declares one newtype per IANA registry.
macro_rules! registry {
    ($(
        $(#[$meta:meta])*
        pub struct $type:ident($int:ty) {
            $( $(#[$doc:meta])* $konst:ident = $value:literal, $name:literal, $reference:literal; )*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $type(pub $int);

        impl $type {
            $(
                $(#[$doc])*
                #[doc = concat!("`", $name, "` = ", stringify!($value), " (", $reference, ").")]
                pub const $konst: Self = Self($value);
            )*

            /// Every registered value, in registry order.
            pub const ALL: &'static [Self] = &[$(Self($value)),*];

            /// The registered name, in the spelling of the reference.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($name),)*
                    _ => None,
                }
            }

            /// The document that defines the value.
            #[must_use]
            pub const fn reference(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($reference),)*
                    _ => None,
                }
            }
        }

        impl From<$int> for $type {
            fn from(value: $int) -> Self {
                Self(value)
            }
        }

        impl From<$type> for $int {
            fn from(value: $type) -> Self {
                value.0
            }
        }

        impl core::fmt::Display for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => f.pad(name),
                    None => write!(f, "unknown({})", self.0),
                }
            }
        }

        impl core::fmt::Debug for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => write!(f, "{name}({})", self.0),
                    None => write!(f, "unknown({})", self.0),
                }
            }
        }
    )*};
}

mod shared;
pub mod v1;
pub mod v2;

pub use shared::{ExchangeType, ProtocolId};
