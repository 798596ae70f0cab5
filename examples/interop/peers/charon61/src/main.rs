//! strongSwan 6.1 as a program: the daemon that the crate `strongswan` embeds, ended by SIGTERM.

use std::path::Path;

fn main() {
    let Some(config) = std::env::args().nth(1) else {
        eprintln!("usage: charon61 STRONGSWAN.CONF");
        std::process::exit(2);
    };
    if let Err(error) = strongswan::start_daemon(Path::new(&config)) {
        eprintln!("charon61: {config}: {error}");
        std::process::exit(1);
    }
    // The daemon has threads of its own.
    loop {
        std::thread::park();
    }
}
