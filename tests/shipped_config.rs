//! Everything under `config/` is valid as it stands.
#![expect(clippy::unwrap_used, reason = "a shipped file that cannot be read fails the test")]

use std::path::{Path, PathBuf};

use emberwatch::config::{self, Look};
use emberwatch::field::profile::{self, Profile};

fn toml_files(directory: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let files = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|ext| ext == "toml")).collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds no files", directory.display());
    files
}

#[test]
fn every_shipped_configuration_loads_without_a_complaint() {
    for file in toml_files("config") {
        match config::load(std::slice::from_ref(&file)) {
            Ok(loaded) => {
                let doubtful = loaded.warnings.render(Look::Plain);
                assert_eq!(loaded.warnings.warnings(), 0, "{}:\n{doubtful}", file.display());
                assert!(!loaded.site.rules.is_empty() && !loaded.site.sequences.is_empty());
            }
            Err(complaints) => panic!("{}:\n{}", file.display(), complaints.render(Look::Plain)),
        }
    }
}

#[test]
fn every_shipped_profile_parses_and_its_examples_hold() {
    let files = toml_files("config/profiles");
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        let profile = Profile::parse(&text, &file.display().to_string());
        let profile = profile.unwrap_or_else(|faults| panic!("{faults:#?}"));
        assert!(!profile.examples.is_empty(), "{} has no worked example", file.display());
        let wrong = profile.run_examples();
        assert!(wrong.is_empty(), "{}: {wrong:#?}", file.display());
        assert!(!profile.source.is_empty(), "{} names no source", file.display());
    }
    assert_eq!(profile::builtin().len(), files.len(), "every file is built in, and nothing else");
}

#[test]
fn the_example_writes_nothing_as_shipped() {
    use emberwatch::safety::sequence::spec::Mode;
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/emberwatch.toml");
    let loaded =
        config::load(&[example]).unwrap_or_else(|complaints| panic!("{}", complaints.render(Look::Plain)));
    assert!(loaded.site.sequences.iter().all(|sequence| sequence.mode != Mode::Armed));
}

/// What is commented out because it needs a secret loads all the same.
#[test]
fn the_nut_server_of_the_example_loads_when_it_is_uncommented() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("password");
    std::fs::write(&secret, "correct-horse").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/emberwatch.toml");
    let text = std::fs::read_to_string(example).unwrap();
    let (before, rest) = text.split_once("\n# [nut]\n").unwrap();
    let (nut, after) = rest.split_once("\n\n").unwrap();
    let nut: Vec<&str> = nut.lines().map(|line| line.strip_prefix("# ").unwrap_or("")).collect();
    let reference = format!("{{ file = \"{}\" }}", secret.display());
    let nut = nut.join("\n").replace("{ credential = \"nut-upsmon\" }", &reference);
    let file = dir.path().join("site.toml");
    std::fs::write(&file, format!("{before}\n[nut]\n{nut}\n\n{after}")).unwrap();
    match config::load(&[file]) {
        Ok(loaded) => {
            assert_eq!(loaded.warnings.warnings(), 0, "{}", loaded.warnings.render(Look::Plain));
            assert_eq!(loaded.nut.unwrap().upses[0].feeds.len(), 1);
        }
        Err(complaints) => panic!("{}", complaints.render(Look::Plain)),
    }
}
