//! `dissect`: shows the ISAKMP, ESP, AH, GRE and VRRP of a capture as a tree, as JSON or as a
//! sequence diagram, decrypted where keys are given.

use std::fs;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use examples::dissect::keys::Keys;
use examples::dissect::report::Report;
use examples::dissect::{Decoder, input, ladder};

/// Dissects pcap, pcapng or hex.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// The capture or hex text; standard input when it is absent or `-`.
    file: Option<PathBuf>,
    /// One line of JSON per frame.
    #[arg(long, conflicts_with = "ladder")]
    json: bool,
    /// Write a sequence diagram to this SVG file.
    #[arg(long, value_name = "SVG")]
    ladder: Option<PathBuf>,
    /// Directory with Wireshark's `ikev1_decryption_table`, `ikev2_decryption_table`, `esp_sa`.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// A UDP port that carries IKE or UDP-encapsulated ESP, beside 500 and 4500.
    #[arg(long = "port", value_name = "PORT")]
    ports: Vec<u16>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(code) => code,
        // The reader of a pipe went away.
        Err(error) if error.contains("Broken pipe") => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dissect: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode, String> {
    let bytes = read(arguments)?;
    let keys = match &arguments.keys {
        None => Keys::default(),
        Some(directory) => {
            Keys::read(directory).map_err(|error| format!("{}: {error}", directory.display()))?
        }
    };
    for line in &keys.skipped {
        eprintln!("dissect: key table: {line}");
    }
    let (frames, damage) = input::frames(&bytes);
    let mut decoder = Decoder::new(&keys, &arguments.ports);
    let reports: Vec<Report> = frames
        .iter()
        .filter_map(|frame| decoder.frame(frame))
        .collect();
    let failed = |error: io::Error| error.to_string();
    if let Some(path) = &arguments.ladder {
        fs::write(path, ladder::svg(&reports))
            .map_err(|error| format!("{}: {error}", path.display()))?;
    } else {
        let mut out = io::BufWriter::new(io::stdout().lock());
        for report in &reports {
            if arguments.json {
                writeln!(out, "{}", report.to_json()).map_err(failed)?;
            } else {
                writeln!(out, "{}", report.to_text()).map_err(failed)?;
            }
        }
        out.flush().map_err(failed)?;
    }
    match damage {
        // What was read is shown; the rest is not there to show.
        Some(damage) => Err(damage.to_string()),
        None => Ok(ExitCode::SUCCESS),
    }
}

fn read(arguments: &Arguments) -> Result<Vec<u8>, String> {
    match &arguments.file {
        Some(path) if path.as_os_str() != "-" => {
            fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
        }
        _ => {
            let mut bytes = Vec::new();
            io::stdin()
                .lock()
                .read_to_end(&mut bytes)
                .map_err(|error| error.to_string())?;
            Ok(bytes)
        }
    }
}
