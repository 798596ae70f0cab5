//! The commands of the `gateway` binary.

use super::{
    config::{Config, LogStyle, Version},
    control::{self, Reply, Request},
    credentials::Credentials,
    demo,
    inside::Inside,
    log,
    run::{self, Options},
    status,
};
use crate::{
    net::tun::Tun,
    process::{answer, answer_line, log::Logging},
};
use clap::{Args, Parser, Subcommand};
use std::{
    error::Error,
    net::IpAddr,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
    time::Duration,
};

/// Where a gateway listens for commands unless told otherwise.
pub const CONTROL_SOCKET: &str = "/run/ipsec-gateway.sock";

/// An IPsec gateway: IKE, ESP and NAT traversal between a TUN device and UDP.
#[derive(Debug, Parser)]
#[command(name = "gateway", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a gateway until SIGTERM or Ctrl-C; then its SAs are deleted, on the peers too, and its routes removed.
    Run(Run),
    /// Two gateways on this machine negotiate a tunnel and ping through it; needs no privilege.
    Demo {
        /// As root: over TUN devices in two network namespaces, which are gone afterwards.
        #[arg(long)]
        tun: bool,
        /// Folder for the configurations, the capture and the keys to it; by default a new one in the temporary
        /// folder.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// How the negotiation is printed.
        #[arg(long, value_name = "STYLE", default_value_t = LogStyle::Compact, value_parser = LogStyle::from_str)]
        log: LogStyle,
        /// IKEv1 instead of IKEv2.
        #[arg(long)]
        ikev1: bool,
    },
    /// One side of `demo --tun`, which starts it.
    #[command(hide = true)]
    DemoSide {
        name: String,
        #[arg(long)]
        dir: PathBuf,
        #[arg(long, value_parser = LogStyle::from_str)]
        log: LogStyle,
        #[arg(long)]
        ikev1: bool,
    },
    /// Check a configuration file and say what it means.
    Check {
        /// The TOML file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Show the SAs of a running gateway.
    Status {
        #[command(flatten)]
        socket: Socket,
        /// Also the algorithms, lifetimes and capabilities of the ISAKMP SAs.
        #[arg(long)]
        detail: bool,
        /// One JSON object instead of tables.
        #[arg(long)]
        json: bool,
    },
    /// Negotiate a tunnel, or all tunnels of a peer; ends when it is up or has failed.
    Initiate(Named),
    /// Delete the SAs of a tunnel, or of a peer, on both sides.
    Delete(Named),
    /// Negotiate a tunnel's SAs anew, or a peer's IKE SA; ends when the new one is up.
    Rekey(Named),
    /// Send a peer of IKEv2 that has called us to another gateway (RFC 5685).
    Redirect {
        #[command(flatten)]
        named: Named,
        /// The other gateway.
        #[arg(long, value_name = "ADDRESS")]
        to: IpAddr,
    },
    /// Agree with a peer of IKEv2 on the counters to go on with, as after a takeover (RFC 6311).
    Synchronize {
        #[command(flatten)]
        named: Named,
        /// The how manieth takeover it is.
        #[arg(long, default_value_t = 1)]
        epoch: u16,
        /// Sequence numbers to skip in what we send.
        #[arg(long, default_value_t = 0)]
        skip: u64,
        /// Sequence numbers that the peer is asked to skip.
        #[arg(long, default_value_t = 0)]
        peer_skip: u64,
    },
}

#[derive(Debug, Args)]
struct Run {
    /// The TOML file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// How the negotiation is printed: cisco, compact or json.
    #[arg(long, value_name = "STYLE", default_value_t = LogStyle::Compact, value_parser = LogStyle::from_str)]
    log: LogStyle,
    /// Write the keys of all SAs to Wireshark's table files in this folder.
    #[arg(long, value_name = "DIR")]
    keylog: Option<PathBuf>,
    /// Write the packets of the outer side to this file.
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Where to listen for commands.
    #[arg(long, value_name = "SOCKET")]
    control: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Socket {
    /// The running gateway's control socket.
    #[arg(long, value_name = "SOCKET", default_value = CONTROL_SOCKET)]
    control: PathBuf,
}

#[derive(Debug, Args)]
struct Named {
    /// Name of a tunnel or of a peer in the configuration.
    name: String,
    #[command(flatten)]
    socket: Socket,
    /// Seconds to wait for the answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
}

/// Runs the command line; errors go to standard error, one line each.
#[must_use]
pub fn main() -> ExitCode {
    match dispatch(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("gateway: {e}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> Result<(), Box<dyn Error>> {
    match cli.command {
        Command::Run(run) => serve(run),
        Command::Demo {
            tun,
            dir,
            log,
            ikev1,
        } => {
            let _log = printing(log);
            Ok(demo::run(dir, wish(log, ikev1), tun)?)
        }
        Command::DemoSide {
            name,
            dir,
            log,
            ikev1,
        } => {
            let _log = printing(log);
            Ok(demo::side(&name, dir, wish(log, ikev1))?)
        }
        Command::Check { config } => check(&config),
        Command::Status {
            socket,
            detail,
            json,
        } => show(&socket.control, detail, json),
        Command::Initiate(named) => command(named, |name| Request::Initiate { name }),
        Command::Delete(named) => command(named, |name| Request::Delete { name }),
        Command::Rekey(named) => command(named, |name| Request::Rekey { name }),
        Command::Redirect { named, to } => command(named, |name| Request::Redirect { name, to }),
        Command::Synchronize {
            named,
            epoch,
            skip,
            peer_skip,
        } => command(named, |name| Request::Synchronize {
            name,
            epoch,
            skip,
            peer_skip,
        }),
    }
}

const fn wish(log: LogStyle, ikev1: bool) -> demo::Wish {
    let version = if ikev1 {
        Version::Ikev1
    } else {
        Version::Ikev2
    };
    demo::Wish { log, version }
}

/// A log that is printed from the start.
fn printing(style: LogStyle) -> Logging {
    let log = log::install(style);
    log.start();
    log
}

fn serve(run: Run) -> Result<(), Box<dyn Error>> {
    let log = log::install(run.log);
    let config = Config::load(&run.config)?;
    let gateway = &config.gateway;
    let tun = Tun::create(&gateway.tun, gateway.mtu)
        .map_err(|e| format!("TUN device {}: {e}", gateway.tun))?;
    let control = run
        .control
        .or_else(|| gateway.control.clone())
        .unwrap_or_else(|| CONTROL_SOCKET.into());
    let options = Options {
        log: Some(run.log),
        prefix: String::new(),
        keylog: run.keylog,
        pcap: run.pcap,
        control: Some(control),
        signals: true,
        confine: true,
    };
    let (mut runner, mut engine) = run::open(config, options, Inside::Tun(tun))?;
    // A thread, and so not before the rights are gone.
    log.start();
    runner.run(&mut engine, |_, _| ControlFlow::<()>::Continue(()))?;
    Ok(())
}

fn check(path: &Path) -> Result<(), Box<dyn Error>> {
    let config = Config::load(path)?;
    // What the file names is looked at too.
    let credentials = Credentials::load(&config)?;
    for peer in &config.peer {
        let policies: Vec<String> = match peer.version {
            Version::Ikev1 => config
                .policies(peer)
                .map(|p| p.priority.get_ref().to_string())
                .collect(),
            Version::Ikev2 => config
                .ikev2_policies(peer)
                .map(|p| p.priority.get_ref().to_string())
                .collect(),
        };
        answer_line!(
            "peer {} ({}), policies {}",
            peer.name.get_ref(),
            peer.version,
            policies.join(" ")
        );
        for tunnel in &peer.tunnel {
            answer_line!(
                "  tunnel {}: {} === {}, {}",
                tunnel.name.get_ref(),
                tunnel.local.get_ref(),
                tunnel.remote.get_ref(),
                tunnel.start(),
            );
        }
    }
    for warning in credentials.warnings() {
        answer_line!("warning: {warning}");
    }
    for warning in config.idle_policies().chain(config.exposed()) {
        answer_line!("warning: {warning}");
    }
    let mut ike = super::glue::ike_config(&config, false)?;
    credentials.configure(&config, &mut ike);
    for warning in super::alike::warnings(&ike) {
        answer_line!("warning: {warning}");
    }
    answer_line!("{}: no mistakes found", path.display());
    Ok(())
}

fn show(socket: &Path, detail: bool, json: bool) -> Result<(), Box<dyn Error>> {
    let reply = control::ask(socket, &Request::Status, Duration::from_secs(5))?;
    let status = match reply {
        Reply::Status(status) => *status,
        Reply::Failed(why) => return Err(why.into()),
        Reply::Done(what) => return Err(format!("unexpected answer: {what}").into()),
    };
    if json {
        answer_line!("{}", serde_json::to_string(&status)?);
        return Ok(());
    }
    answer_line!("{}", status::summary(&status));
    let sessions = status::ikev2_sa(&status);
    if !sessions.is_empty() {
        answer_line!("{sessions}");
    }
    if sessions.is_empty() || status.ike.iter().any(|sa| sa.version == 1) {
        answer_line!("{}", status::isakmp_sa(&status));
    }
    if detail {
        answer_line!("{}", status::isakmp_sa_detail(&status));
    }
    answer(format_args!("{}", status::gre(&status)));
    answer(format_args!("{}", status::ipsec_sa(&status)));
    Ok(())
}

fn command(named: Named, request: impl FnOnce(String) -> Request) -> Result<(), Box<dyn Error>> {
    let patience = Duration::from_secs(named.timeout);
    match control::ask(&named.socket.control, &request(named.name), patience)? {
        Reply::Done(what) => answer_line!("{what}"),
        Reply::Failed(why) => return Err(why.into()),
        Reply::Status(_) => return Err("unexpected answer".into()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
