//! `vrrp run FILE`, `vrrp check FILE`, `vrrp status`, `vrrp track NAME up|down`.

use super::{config, control, daemon};
use crate::process::{self, answer_line, files};
use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, Parser)]
#[command(name = "vrrp", about = "A VRRP daemon, versions 2 and 3")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the virtual routers of a configuration file until SIGTERM or SIGINT.
    Run {
        /// The TOML file.
        file: PathBuf,
    },
    /// Check a configuration file.
    Check {
        /// The TOML file.
        file: PathBuf,
    },
    /// Show the virtual routers of a running daemon.
    Status {
        /// Its Unix socket.
        #[arg(long, default_value = config::DEFAULT_SOCKET)]
        socket: PathBuf,
    },
    /// Tell a running daemon that a tracked object is up or down.
    Track {
        /// Its Unix socket.
        #[arg(long, default_value = config::DEFAULT_SOCKET)]
        socket: PathBuf,
        /// The object's name in the configuration.
        name: String,
        /// `up` or `down`.
        #[arg(value_parser = ["up", "down"])]
        state: String,
    },
}

/// What `main` does.
#[must_use]
pub fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run { file } => {
            config::load(&file)
                .map_err(|e| e.to_string())
                .and_then(|config| {
                    let warnings: Vec<String> = exposed(&config, &file).into_iter().collect();
                    daemon::run(config, &warnings).map_err(|e| e.to_string())
                })
        }
        Command::Check { file } => match config::load(&file) {
            Ok(config) => {
                if let Some(warning) = exposed(&config, &file) {
                    answer_line!("warning: {warning}");
                }
                answer_line!(
                    "{}: {} virtual routers",
                    file.display(),
                    config.routers.len()
                );
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        },
        Command::Status { socket } => show(&socket, "status"),
        Command::Track {
            socket,
            name,
            state,
        } => show(&socket, &format!("track {state} {name}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("vrrp: {what}");
            ExitCode::FAILURE
        }
    }
}

/// What is wrong with the mode of a file with passwords in it.
fn exposed(config: &config::Config, file: &std::path::Path) -> Option<String> {
    let mut routers = config.routers.iter();
    let secret = routers.any(|router| router.protocol.password.is_some());
    secret.then(|| files::exposed(file)).flatten()
}

fn show(socket: &std::path::Path, request: &str) -> Result<(), String> {
    let answer = control::ask(socket, request).map_err(|e| format!("{}: {e}", socket.display()))?;
    match answer.strip_prefix("error: ") {
        Some(what) => Err(what.trim_end().to_owned()),
        None => {
            process::answer(format_args!("{answer}"));
            Ok(())
        }
    }
}
