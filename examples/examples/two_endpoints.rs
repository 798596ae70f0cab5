//! Two IKE endpoints in memory: a negotiation in thirty lines, printed as it happens.
//!
//! `cargo run -p examples --example two_endpoints`

#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::{collections::VecDeque, error::Error, net::IpAddr, time::Duration};

use getrandom::SysRng;
use ike_sm::config::{ChildConfig, Config, PeerConfig, Prefix, PskOwner};
use ike_sm::{Action, Actions, Command, Endpoint, Event, Path, Selector};
use rand_core::UnwrapErr;

fn endpoint(own: IpAddr, peer: IpAddr, nets: [&str; 2]) -> Result<Endpoint, Box<dyn Error>> {
    let [local, remote] = nets.map(|net| Some(Selector::subnet(net.parse().ok()?, 24)).flatten());
    let mut config = Config::default();
    let mut entry = PeerConfig::new("peer");
    entry.addresses.push(peer);
    entry.local_address = Some(own);
    let (local, remote) = (local.ok_or("network")?, remote.ok_or("network")?);
    entry.children.push(ChildConfig::new("net", local, remote));
    config.peers.push(entry);
    let key = crypto_suite::Secret::from(&b"a long shared secret"[..]);
    config
        .psks
        .insert(PskOwner::Prefix(Prefix::host(peer)), key);
    Ok(Endpoint::new(config, &crypto_suite::DEFAULT)?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let (a, b): (IpAddr, IpAddr) = ("192.0.2.1".parse()?, "192.0.2.2".parse()?);
    let mut ends = [
        endpoint(a, b, ["10.1.0.0", "10.2.0.0"])?,
        endpoint(b, a, ["10.2.0.0", "10.1.0.0"])?,
    ];
    let (mut rng, mut wire) = (UnwrapErr(SysRng), VecDeque::new());
    let mut step = |end: usize, event: Event<'_>, wire: &mut VecDeque<_>| {
        let mut actions = Actions::new();
        let _outcome = ends[end].handle(event, Duration::ZERO, &mut rng, &mut actions);
        for action in actions.drain() {
            match action {
                Action::Send { path, datagram } => wire.push_back((1 - end, path, datagram)),
                Action::InstallChild(sa) => println!(
                    "{}: {} <-> {}, {}, in {:#010x}, out {:#010x}",
                    sa.path.local, sa.local, sa.remote, sa.suite, sa.spi_in, sa.spi_out
                ),
                Action::Report(record) => match record.compact().to_string() {
                    line if line.is_empty() => {}
                    line => println!("{}", line.trim_end()),
                },
                _ => {}
            }
        }
    };
    let initiate = Command::Initiate {
        peer: "peer".into(),
        children: vec![],
    };
    step(0, Event::Command(initiate), &mut wire);
    while let Some((
        end,
        Path {
            local,
            remote,
            natt,
        },
        datagram,
    )) = wire.pop_front()
    {
        // What one end sends from `local` to `remote` the other one sees the other way round.
        let path = Path {
            local: remote,
            remote: local,
            natt,
        };
        step(
            end,
            Event::Datagram {
                path,
                message: &datagram,
            },
            &mut wire,
        );
    }
    Ok(())
}
