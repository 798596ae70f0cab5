//! What the guides in `docs/` show is true: files are read, commands exist, and the log says what they quote.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]

use std::collections::VecDeque;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use crypto_suite::{AeadId, GroupId, ProtectionId};
use ike_sm::config::v2::IkeProposal;
use ike_sm::config::{
    ChildConfig, Config, Identity, IkeVersion, PeerConfig, Prefix, PskOwner, RemoteIdentity,
};
use ike_sm::{Action, Actions, ChildSuite, Command, Endpoint, Event, Selector};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

/// Longer than an attempt lasts that nobody answers.
const PATIENCE: Duration = Duration::from_secs(300);

/// Two configurations that fit each other, as two gateways of the file have them.
fn configs() -> [Config; 2] {
    let end = |own: u8, peer: u8| {
        let address = |host: u8| IpAddr::from([192, 0, 2, host]);
        let net = |host: u8| Selector::subnet([10, 10, host, 0].into(), 24).unwrap();
        let mut entry = PeerConfig::new("peer");
        entry.addresses.push(address(peer));
        entry.local_address = Some(address(own));
        entry
            .children
            .push(ChildConfig::new("net", net(own), net(peer)));
        let mut config = Config::default();
        config.peers.push(entry);
        let owner = PskOwner::Prefix(Prefix::host(address(peer)));
        config.psks.insert(owner, b"a long secret"[..].into());
        config
    };
    [end(1, 2), end(2, 1)]
}

/// What both ends log while the first one calls the second; `cut`: nothing arrives.
fn log_of(configs: [Config; 2], cut: bool) -> Vec<String> {
    let mut ends = configs.map(|c| Endpoint::new(c, &crypto_suite::DEFAULT).unwrap());
    let mut rng = ChaCha20Rng::from_seed([7; 32]);
    let (mut wire, mut lines) = (VecDeque::new(), Vec::new());
    let (mut now, mut actions) = (Duration::ZERO, Actions::new());
    let initiate = Command::Initiate {
        peer: "peer".into(),
        children: vec![],
    };
    let mut end = 0;
    let _ = ends[0].handle(Event::Command(initiate), now, &mut rng, &mut actions);
    loop {
        for action in actions.drain() {
            match action {
                Action::Send { path, datagram } if !cut => {
                    wire.push_back((1 - end, path, datagram))
                }
                Action::Report(record) => {
                    let text = record.compact().to_string();
                    lines.extend(text.lines().map(str::to_owned));
                }
                _ => {}
            }
        }
        if let Some((to, path, datagram)) = wire.pop_front() {
            end = to;
            // What one end sends from here to there the other one sees the other way round.
            let mut path = path;
            std::mem::swap(&mut path.local, &mut path.remote);
            let message = &datagram[..];
            let event = Event::Datagram { path, message };
            let _ = ends[end].handle(event, now, &mut rng, &mut actions);
            continue;
        }
        let due = (0..2).filter_map(|n| Some((ends[n].next_deadline()?.at, n)));
        match due.min().filter(|(at, _)| *at < PATIENCE) {
            Some((at, n)) => {
                (now, end) = (at, n);
                let _ = ends[end].handle(Event::Deadline, now, &mut rng, &mut actions);
            }
            None => break,
        }
    }
    lines
}

/// The logs of what goes wrong in `debugging.md`.
fn logs() -> Vec<Vec<String>> {
    let with = |change: &dyn Fn(&mut Config)| {
        let [a, mut b] = configs();
        change(&mut b);
        log_of([a, b], false)
    };
    let aead = |id| vec![ChildSuite::Esp(ProtectionId::Aead(id))];
    let [mut chacha, mut gcm] = configs();
    chacha.peers[0].children[0].suites = aead(AeadId::ChaCha20Poly1305);
    gcm.peers[0].children[0].suites = aead(AeadId::Aes256Gcm16);
    let [mut old, new] = configs();
    old.peers[0].version = IkeVersion::V1;
    vec![
        log_of(configs(), true),
        log_of([old, new], false),
        log_of([chacha, gcm], false),
        with(&|b| {
            let mut proposal = IkeProposal::aead();
            proposal.groups = vec![GroupId::Ecp521];
            b.peers[0].v2.proposals = vec![proposal];
        }),
        with(&|b| {
            let owner = PskOwner::Prefix(Prefix::host([192, 0, 2, 1].into()));
            b.psks.insert(owner, b"another"[..].into());
        }),
        with(&|b| {
            let other = Identity::Fqdn("branch.example".into());
            b.peers[0].remote_id = RemoteIdentity::Is(other);
        }),
        with(&|b| {
            let other = Selector::subnet([10, 10, 9, 0].into(), 24).unwrap();
            b.peers[0].children[0].remote = other.into();
        }),
    ]
}

/// The guides, by name.
fn guides() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    all.sort();
    assert!(all.len() >= 4, "{all:?}");
    all
}

/// The blocks of a guide that are in this language, without what a list puts before their lines.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<(usize, Option<String>)> = None;
    for line in text.lines() {
        let bare = line.trim_start();
        match (&mut open, bare.strip_prefix("```")) {
            (None, Some(word)) => {
                let indent = line.len() - bare.len();
                open = Some((indent, (word == language).then(String::new)));
            }
            (Some(_), Some(_)) => found.extend(open.take().unwrap().1),
            (Some((indent, Some(block))), None) => {
                block.push_str(line.get(*indent..).unwrap_or(""));
                block.push('\n');
            }
            _ => {}
        }
    }
    assert!(open.is_none(), "a block does not end");
    found
}

#[test]
fn the_log_says_what_the_guide_quotes() {
    let logs = logs();
    let all = guides();
    let (_, text) = all.iter().find(|(name, _)| name == "debugging.md").unwrap();
    let quoted = blocks(text, "text");
    assert!(quoted.len() >= 7, "{quoted:#?}");
    for block in &quoted {
        // In this order, in one of the logs; what stands between is left out.
        let shown = |log: &Vec<String>| {
            let mut log = log.iter();
            block
                .lines()
                .all(|line| log.any(|logged| logged.trim_end() == line))
        };
        assert!(logs.iter().any(shown), "in no log:\n{block}\n{logs:#?}");
    }
    let hint = "notified: NO_PROPOSAL_CHOSEN (not authenticated: a hint at most)";
    assert!(text.contains(hint) && logs.iter().flatten().any(|line| line.contains(hint)));
}

#[test]
fn the_files_of_the_guides_are_sound() {
    let mut count = 0;
    for (name, text) in guides() {
        for block in blocks(&text, "toml") {
            let config = examples::gateway::config::Config::parse(&name, &block);
            let config = config.unwrap_or_else(|e| panic!("{name}: {e}\n{block}"));
            examples::gateway::glue::ike_config(&config, false).unwrap();
            count += 1;
        }
    }
    assert!(count >= 4, "{count} files");
}

/// What a program of ours says of itself.
fn help(program: &str, words: &[&str]) -> String {
    let binary = match program {
        "gateway" => env!("CARGO_BIN_EXE_gateway"),
        "dissect" => env!("CARGO_BIN_EXE_dissect"),
        other => panic!("`{other}` is no program of ours"),
    };
    let mut command = std::process::Command::new(binary);
    let output = command.args(words).arg("--help").output().unwrap();
    assert!(output.status.success(), "{program} {words:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_commands_of_the_guides_exist() {
    let mut count = 0;
    for (name, text) in guides() {
        let scripts = blocks(&text, "sh").concat();
        let inline = text.split('`').skip(1).step_by(2);
        let lines = scripts.lines().chain(inline);
        for line in lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            let known = match words[..] {
                ["gateway", command, ..] => help("gateway", &[command]),
                ["dissect", _, ..] => help("dissect", &[]),
                _ => continue,
            };
            for option in words.iter().filter(|word| word.starts_with("--")) {
                assert!(known.contains(option), "{name}: {line}: {option}\n{known}");
            }
            count += 1;
        }
    }
    assert!(count >= 8, "{count} commands");
}

#[test]
fn the_rust_of_the_guides_is_compiled() {
    let library = include_str!("../src/lib.rs");
    for (name, text) in guides() {
        let compiled = library.contains(&format!("include_str!(\"../../docs/{name}\")"));
        assert_eq!(compiled, !blocks(&text, "rust").is_empty(), "{name}");
        for word in ["rust,", "rs\n", "ignore", "no_run"] {
            assert!(!text.contains(&format!("```{word}")), "{name}: {word}");
        }
    }
}
