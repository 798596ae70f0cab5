//! Reverse route injection (R1 to R4): routes to what lies behind the peers.

use crate::{
    gateway::{config::Config, inside::Inside, pairs::networks, routes::Routes},
    net::netlink::{Netlink, Route as KernelRoute},
};
use ike_sm::Route;
use ipnet::IpNet;
use std::{io, net::IpAddr};

/// The routes of the gateway; none are set where packets do not come from the kernel.
pub(super) struct Routing {
    kernel: Option<Kernel>,
}

struct Kernel {
    routes: Routes<Netlink>,
    device: u32,
    /// Addresses of this machine in protected networks: what a route prefers as source.
    sources: Vec<(IpNet, IpAddr)>,
    /// Remote networks of tunnels with `remote-peer`, and that router.
    routers: Vec<(IpAddr, IpAddr)>,
}

impl Routing {
    pub(super) fn new(config: &Config, inside: &Inside) -> io::Result<Self> {
        let Inside::Tun(tun) = inside else {
            return Ok(Self { kernel: None });
        };
        let mut netlink = Netlink::open()?;
        let addresses = netlink.addresses()?;
        let mut sources = Vec::new();
        let mut routers = Vec::new();
        for peer in &config.peer {
            for tunnel in &peer.tunnel {
                let local = tunnel.local.get_ref().0;
                let ours = addresses
                    .iter()
                    .map(|(_, ip, _)| *ip)
                    .find(|ip| local.contains(ip));
                sources.extend(ours.map(|ip| (tunnel.remote.get_ref().0, ip)));
                routers.extend(
                    tunnel
                        .remote_peer
                        .iter()
                        .flat_map(|router| peer.hosts().map(move |host| (host, *router))),
                );
            }
        }
        let routes = Routes::new(netlink);
        Ok(Self {
            kernel: Some(Kernel {
                routes,
                device: tun.index(),
                sources,
                routers,
            }),
        })
    }

    /// A route to `network` through the tunnel device.
    pub(super) fn add_network(&mut self, network: IpNet) -> io::Result<()> {
        let Some(kernel) = &mut self.kernel else {
            return Ok(());
        };
        let route = kernel.through_tunnel(network);
        kernel.routes.add(route)
    }

    /// What the endpoint wants routed.
    pub(super) fn add(&mut self, route: &Route) -> io::Result<()> {
        let Some(kernel) = &mut self.kernel else {
            return Ok(());
        };
        kernel
            .wanted(route)
            .into_iter()
            .try_for_each(|r| kernel.routes.add(r))
    }

    /// What the endpoint wants routed no more.
    pub(super) fn del(&mut self, route: &Route) -> io::Result<()> {
        let Some(kernel) = &mut self.kernel else {
            return Ok(());
        };
        kernel
            .wanted(route)
            .into_iter()
            .try_for_each(|r| kernel.routes.del(r))
    }

    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.kernel.as_mut().map_or(Ok(()), |k| k.routes.clear())
    }

    pub(super) fn words(&self) -> Vec<String> {
        let all = self.kernel.iter().flat_map(|k| k.routes.iter());
        all.map(|r| match r.gateway {
            Some(gateway) => format!("{} via {gateway}", r.destination),
            None => format!("{} through the tunnel device", r.destination),
        })
        .collect()
    }
}

impl Kernel {
    fn through_tunnel(&self, network: IpNet) -> KernelRoute {
        let source = self
            .sources
            .iter()
            .find(|(net, _)| net.contains(&network))
            .map(|(_, ip)| *ip);
        KernelRoute {
            destination: network,
            device: Some(self.device),
            gateway: None,
            source,
        }
    }

    fn wanted(&self, route: &Route) -> Vec<KernelRoute> {
        let networks = networks(&route.destination);
        // R1 `remote-peer`: the way to the peer itself leads through a router, not through the tunnel.
        if networks.as_slice() == [IpNet::from(route.via)] {
            let router = self.routers.iter().find(|(host, _)| *host == route.via);
            let to_peer = router.map(|(_, router)| KernelRoute {
                destination: route.via.into(),
                device: None,
                gateway: Some(*router),
                source: None,
            });
            return to_peer.into_iter().collect();
        }
        // A tunnel that covers its own outer path would swallow itself.
        let sound = networks.into_iter().filter(|net| !net.contains(&route.via));
        sound.map(|net| self.through_tunnel(net)).collect()
    }
}
