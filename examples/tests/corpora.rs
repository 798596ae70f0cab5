//! Replays the committed fuzz corpora through the bodies of the fuzz targets: what once was found stays found.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]
#![allow(missing_docs, unreachable_pub)]

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::path::Path;

#[test]
fn a18_every_seed_of_every_target_passes() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let mut replayed = 0;
    for (name, target) in targets::ALL {
        target(&[]);
        let Ok(folder) = corpora.join(name).read_dir() else {
            panic!("{name} has no corpus");
        };
        let mut seeds: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
        seeds.sort();
        assert!(!seeds.is_empty(), "{name} has an empty corpus");
        for seed in seeds {
            let data = std::fs::read(&seed).unwrap();
            if std::panic::catch_unwind(|| target(&data)).is_err() {
                panic!("{name} fails on {}", seed.display());
            }
            replayed += 1;
        }
    }
    assert!(replayed > 100, "only {replayed} seeds");
}

#[test]
fn every_corpus_and_every_binary_has_a_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    for folder in ["corpus", "fuzz_targets"] {
        for entry in root.join(folder).read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                continue;
            }
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(
                targets::ALL.iter().any(|(target, _)| *target == name),
                "{folder}/{name}"
            );
        }
    }
}
