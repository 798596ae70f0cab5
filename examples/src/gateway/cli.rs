//! The commands of the `gateway` binary.

use super::{
    config::Config,
    control::{self, Reply, Request},
    status,
};
use clap::{Args, Parser, Subcommand};
use std::{
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
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
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("gateway: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<(), Box<dyn Error>> {
    match cli.command {
        Command::Check { config } => check(&config),
        Command::Status {
            socket,
            detail,
            json,
        } => show(&socket.control, detail, json),
        Command::Initiate(named) => command(named, |name| Request::Initiate { name }),
        Command::Delete(named) => command(named, |name| Request::Delete { name }),
        Command::Rekey(named) => command(named, |name| Request::Rekey { name }),
    }
}

fn check(path: &Path) -> Result<(), Box<dyn Error>> {
    let config = Config::load(path)?;
    for peer in &config.peer {
        let policies: Vec<_> = config
            .policies(peer)
            .map(|p| p.priority.get_ref().to_string())
            .collect();
        println!(
            "peer {} ({}), policies {}",
            peer.name.get_ref(),
            peer.version,
            policies.join(" ")
        );
        for tunnel in &peer.tunnel {
            println!(
                "  tunnel {}: {} === {}, {}",
                tunnel.name.get_ref(),
                tunnel.local.get_ref(),
                tunnel.remote.get_ref(),
                tunnel.start,
            );
        }
    }
    println!("{}: no mistakes found", path.display());
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
        println!("{}", serde_json::to_string(&status)?);
        return Ok(());
    }
    println!("{}", status::summary(&status));
    println!("{}", status::isakmp_sa(&status));
    if detail {
        println!("{}", status::isakmp_sa_detail(&status));
    }
    print!("{}", status::ipsec_sa(&status));
    Ok(())
}

fn command(named: Named, request: impl FnOnce(String) -> Request) -> Result<(), Box<dyn Error>> {
    let patience = Duration::from_secs(named.timeout);
    match control::ask(&named.socket.control, &request(named.name), patience)? {
        Reply::Done(what) => println!("{what}"),
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
