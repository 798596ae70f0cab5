//! Reverse route injection (R1 to R4): routes to what lies behind the peers.
//!
//! A route that covers the peer itself (transport mode, or a network that the peer is part of) would catch the gateway's
//! own IKE and ESP. Such routes stand in a table of their own, which packets with the gateway's mark pass by.

use crate::{
    gateway::{config::Config, inside::Inside, pairs::networks, routes::Routes},
    net::netlink::{Netlink, Route as KernelRoute, Rule},
};
use ike_sm::Route;
use ipnet::IpNet;
use std::{collections::BTreeSet, fs, io, net::IpAddr};

/// The routes of the gateway; none are set where packets do not come from the kernel.
pub(super) struct Routing {
    kernel: Option<Kernel>,
}

struct Kernel {
    routes: Routes<Netlink>,
    device: u32,
    /// The mark of the gateway's own packets, which is also the number of its routing table.
    mark: Option<u32>,
    rules: BTreeSet<Rule>,
    /// Addresses of this machine in protected networks: what a route prefers as source.
    sources: Vec<(IpNet, IpAddr)>,
    /// Networks of this machine's links.
    connected: Vec<IpNet>,
    /// Remote networks of tunnels with `remote-peer`, and that router.
    routers: Vec<(IpAddr, IpAddr)>,
}

impl Routing {
    pub(super) fn new(config: &Config, inside: &Inside, mark: Option<u32>) -> io::Result<Self> {
        let Inside::Tun(tun) = inside else {
            return Ok(Self { kernel: None });
        };
        let mut netlink = Netlink::open()?;
        let addresses = netlink.addresses()?;
        let mut sources = Vec::new();
        let mut routers = Vec::new();
        for peer in &config.peer {
            for tunnel in &peer.tunnel {
                let local = &tunnel.local.get_ref().0;
                for remote in &tunnel.remote.get_ref().0 {
                    let ours = addresses.iter().map(|(_, ip, _)| *ip).find(|ip| {
                        ip.is_ipv4() == remote.0.addr().is_ipv4()
                            && local.iter().any(|net| net.0.contains(ip))
                    });
                    sources.extend(ours.map(|ip| (remote.0, ip)));
                }
                routers.extend(
                    tunnel
                        .remote_peer
                        .iter()
                        .flat_map(|router| peer.hosts().map(move |host| (host, *router))),
                );
            }
        }
        let connected = addresses
            .iter()
            .filter_map(|(_, ip, len)| IpNet::new(*ip, *len).ok())
            .map(|net| net.trunc())
            .collect();
        Ok(Self {
            kernel: Some(Kernel {
                routes: Routes::new(netlink),
                device: tun.index(),
                mark,
                rules: BTreeSet::new(),
                sources,
                connected,
                routers,
            }),
        })
    }

    /// A route to `network` through the tunnel device; `peers` are the tunnel's far ends.
    pub(super) fn add_network(&mut self, network: IpNet, peers: &[IpAddr]) -> io::Result<()> {
        self.change(|kernel| kernel.through_tunnel(network, peers), Kernel::add)
    }

    /// The peer of a transport-mode SA, through the tunnel device.
    pub(super) fn add_peer(&mut self, peer: IpAddr) -> io::Result<()> {
        self.add_network(peer.into(), &[peer])
    }

    /// That no more.
    pub(super) fn del_peer(&mut self, peer: IpAddr) -> io::Result<()> {
        let routes = |kernel: &Kernel| kernel.through_tunnel(peer.into(), &[peer]);
        self.change(routes, |kernel, route| kernel.routes.del(route))
    }

    /// What the endpoint wants routed.
    pub(super) fn add(&mut self, route: &Route) -> io::Result<()> {
        self.change(|kernel| kernel.wanted(route), Kernel::add)
    }

    /// What the endpoint wants routed no more.
    pub(super) fn del(&mut self, route: &Route) -> io::Result<()> {
        let routes = |kernel: &Kernel| kernel.wanted(route);
        self.change(routes, |kernel, route| kernel.routes.del(route))
    }

    /// An address of our own inside a tunnel: what goes to `networks` has it as source.
    pub(super) fn add_own(&mut self, address: IpAddr, networks: &[IpNet]) -> io::Result<()> {
        let Some(kernel) = &mut self.kernel else {
            return Ok(());
        };
        let family = |net: &&IpNet| net.addr().is_ipv4() == address.is_ipv4();
        for network in networks.iter().filter(family) {
            kernel.sources.insert(0, (*network, address));
        }
        kernel
            .routes
            .kernel()
            .add_address(kernel.device, address.into())
    }

    /// It is ours no more.
    pub(super) fn del_own(&mut self, address: IpAddr) -> io::Result<()> {
        let Some(kernel) = &mut self.kernel else {
            return Ok(());
        };
        kernel.sources.retain(|(_, own)| *own != address);
        kernel
            .routes
            .kernel()
            .del_address(kernel.device, address.into())
    }

    pub(super) fn clear(&mut self) -> io::Result<()> {
        let Some(kernel) = &mut self.kernel else {
            return Ok(());
        };
        let mut result = kernel.routes.clear();
        for rule in std::mem::take(&mut kernel.rules) {
            result = result.and(kernel.routes.kernel().del_rule(&rule));
        }
        result
    }

    pub(super) fn words(&self) -> Vec<String> {
        let all = self.kernel.iter().flat_map(|k| k.routes.iter());
        all.map(|r| {
            let table = r.table.map(|t| format!(", table {t}")).unwrap_or_default();
            match (r.gateway, r.device) {
                (Some(gateway), _) => format!("{} via {gateway}{table}", r.destination),
                (None, Some(_)) => {
                    format!("{} through the tunnel device{table}", r.destination)
                }
                (None, None) => format!("{} as the main table says{table}", r.destination),
            }
        })
        .collect()
    }

    fn change(
        &mut self,
        routes: impl FnOnce(&Kernel) -> Vec<KernelRoute>,
        each: impl FnMut(&mut Kernel, KernelRoute) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(kernel) = &mut self.kernel else {
            return Ok(());
        };
        let mut each = each;
        let routes = routes(kernel);
        routes.into_iter().try_for_each(|r| each(kernel, r))
    }
}

impl Kernel {
    fn add(&mut self, route: KernelRoute) -> io::Result<()> {
        if let Some((table, mark)) = route.table.zip(self.mark) {
            let rule = Rule {
                v6: route.destination.addr().is_ipv6(),
                mark,
                table,
            };
            if self.rules.insert(rule) {
                self.routes.kernel().add_rule(&rule)?;
            }
        }
        self.routes.add(route)
    }

    fn through_tunnel(&self, network: IpNet, peers: &[IpAddr]) -> Vec<KernelRoute> {
        let covers_peer = peers.iter().any(|peer| network.contains(peer));
        if covers_peer && self.mark.is_none() {
            // Without a mark the tunnel would swallow itself.
            return Vec::new();
        }
        let table = covers_peer.then_some(self.mark).flatten();
        let source = self
            .sources
            .iter()
            .find(|(net, _)| net.contains(&network))
            .map(|(_, ip)| *ip);
        let route = KernelRoute {
            destination: network,
            device: Some(self.device),
            gateway: None,
            source,
            table,
        };
        let mut routes = vec![route];
        if table.is_some() && network.prefix_len() == 0 {
            // Everything but what lies at our own links.
            let ours = self.connected.iter();
            let ours = ours.filter(|net| net.addr().is_ipv4() == network.addr().is_ipv4());
            routes.extend(ours.map(|net| KernelRoute {
                destination: *net,
                device: None,
                source: None,
                ..route
            }));
        }
        routes
    }

    fn wanted(&self, route: &Route) -> Vec<KernelRoute> {
        let networks = networks(&route.destination);
        // R1 `remote-peer`: the way to the peer itself leads through a router, not through the tunnel.
        let router = self.routers.iter().find(|(host, _)| *host == route.via);
        if let (Some((_, router)), [only]) = (router, networks.as_slice())
            && *only == IpNet::from(route.via)
        {
            return vec![KernelRoute {
                destination: route.via.into(),
                device: None,
                gateway: Some(*router),
                source: None,
                table: None,
            }];
        }
        networks
            .into_iter()
            .flat_map(|net| self.through_tunnel(net, &[route.via]))
            .collect()
    }
}

/// Links whose strict reverse-path filter drops what the peer sends: to the filter the way to the peer leads through the
/// tunnel device, because packets that come in have no mark.
pub(super) fn strict_filters(tun: &str) -> Vec<String> {
    let value = |name: &str| -> u8 {
        let path = format!("/proc/sys/net/ipv4/conf/{name}/rp_filter");
        let text = fs::read_to_string(path).unwrap_or_default();
        text.trim().parse().unwrap_or_default()
    };
    let all = value("all");
    let links = fs::read_dir("/proc/sys/net/ipv4/conf")
        .into_iter()
        .flatten();
    links
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !["all", "default", "lo", tun].contains(&name.as_str()))
        // The greater of both values holds: 1 is strict, 2 loose.
        .filter(|name| value(name).max(all) == 1)
        .collect()
}
