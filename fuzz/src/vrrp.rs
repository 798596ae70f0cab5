//! VRRP: packets, and the router.

use vrrp::{Accept, Advertisement, Received};

/// An IP packet with an advertisement in it.
pub fn packet(data: &[u8]) {
    let received = match Received::from_packet(data) {
        Ok(received) => received,
        Err(error) => return drop(error.to_string()),
    };
    for accept in [
        Accept::STANDARD,
        Accept {
            min_ttl: 0,
            checksum: None,
        },
    ] {
        match Advertisement::parse(&received, accept) {
            Ok(advertisement) => {
                assert_eq!(
                    advertisement.addresses().count(),
                    advertisement.address_count()
                );
            }
            Err(error) => drop(error.to_string()),
        }
    }
}
