//! Routes that several tunnels may want at once: the kernel hears of the first wish and of the last.

use crate::net::netlink::{Netlink, Route};
use std::{collections::BTreeMap, io};

/// Who changes the routing table.
pub trait Kernel {
    /// Adds or replaces `route`.
    ///
    /// # Errors
    /// It is refused.
    fn add(&mut self, route: &Route) -> io::Result<()>;

    /// Removes `route`.
    ///
    /// # Errors
    /// It is refused.
    fn del(&mut self, route: &Route) -> io::Result<()>;
}

impl Kernel for Netlink {
    fn add(&mut self, route: &Route) -> io::Result<()> {
        self.add_route(route)
    }

    fn del(&mut self, route: &Route) -> io::Result<()> {
        self.del_route(route)
    }
}

/// The routes in place and how many want each.
#[derive(Debug)]
pub struct Routes<K: Kernel> {
    kernel: K,
    wanted: BTreeMap<Route, u32>,
}

impl<K: Kernel> Routes<K> {
    /// No route yet.
    pub const fn new(kernel: K) -> Self {
        Self {
            kernel,
            wanted: BTreeMap::new(),
        }
    }

    /// Wants `route`.
    ///
    /// # Errors
    /// The kernel refuses it; then nobody wants it.
    pub fn add(&mut self, route: Route) -> io::Result<()> {
        if let Some(count) = self.wanted.get_mut(&route) {
            *count = count.saturating_add(1);
            return Ok(());
        }
        self.kernel.add(&route)?;
        self.wanted.insert(route, 1);
        Ok(())
    }

    /// Wants `route` no more. One that was never wanted is left alone.
    ///
    /// # Errors
    /// The kernel refuses to remove it.
    pub fn del(&mut self, route: Route) -> io::Result<()> {
        match self.wanted.get_mut(&route) {
            None => Ok(()),
            Some(count) if *count > 1 => {
                *count -= 1;
                Ok(())
            }
            Some(_) => {
                self.wanted.remove(&route);
                self.kernel.del(&route)
            }
        }
    }

    /// Removes all routes; the first refusal is reported, the rest are tried all the same.
    ///
    /// # Errors
    /// The kernel refuses one.
    pub fn clear(&mut self) -> io::Result<()> {
        let mut result = Ok(());
        for route in std::mem::take(&mut self.wanted).into_keys() {
            let removed = self.kernel.del(&route);
            result = result.and(removed);
        }
        result
    }

    /// Who changes the table.
    pub const fn kernel(&mut self) -> &mut K {
        &mut self.kernel
    }

    /// The routes in place.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.wanted.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Remembers the table and every change.
    #[derive(Default)]
    struct Table {
        routes: Vec<Route>,
        changes: usize,
    }

    impl Kernel for Table {
        fn add(&mut self, route: &Route) -> io::Result<()> {
            self.changes += 1;
            self.routes.push(*route);
            Ok(())
        }
        fn del(&mut self, route: &Route) -> io::Result<()> {
            self.changes += 1;
            self.routes.retain(|r| r != route);
            Ok(())
        }
    }

    fn route(n: u8) -> Route {
        let destination = format!("10.{n}.0.0/16").parse().unwrap();
        Route {
            destination,
            device: Some(1),
            gateway: None,
            source: None,
            table: None,
        }
    }

    #[test]
    fn r4_a_rekey_does_not_flap_the_route() {
        let mut routes = Routes::new(Table::default());
        routes.add(route(1)).unwrap();
        for _ in 0..5 {
            routes.add(route(1)).unwrap(); // the new pair is installed
            routes.del(route(1)).unwrap(); // the old pair goes
        }
        assert_eq!(routes.kernel.changes, 1);
        routes.del(route(1)).unwrap();
        assert!(routes.kernel.routes.is_empty());
    }

    #[test]
    fn r4_all_routes_go_with_the_gateway() {
        let mut routes = Routes::new(Table::default());
        for n in [1, 2, 1] {
            routes.add(route(n)).unwrap();
        }
        routes.clear().unwrap();
        assert!(routes.kernel.routes.is_empty());
        assert_eq!(routes.iter().count(), 0);
    }

    proptest! {
        #[test]
        fn the_table_holds_exactly_what_somebody_wants(
            steps in proptest::collection::vec((any::<bool>(), 0u8..3), 0..60)
        ) {
            let mut routes = Routes::new(Table::default());
            let mut naive = [0u32; 3];
            for (add, n) in steps {
                let count = &mut naive[usize::from(n)];
                if add {
                    *count += 1;
                    routes.add(route(n)).unwrap();
                } else {
                    *count = count.saturating_sub(1);
                    routes.del(route(n)).unwrap();
                }
                for n in 0..3u8 {
                    let held = routes.kernel.routes.iter().filter(|r| **r == route(n)).count();
                    prop_assert_eq!(held, usize::from(naive[usize::from(n)] > 0));
                }
            }
        }
    }
}
