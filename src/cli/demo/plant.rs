//! The demonstration's configuration: the shipped `config/demo.toml`, on free ports, at the chosen speed.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ring::rand::SecureRandom as _;
use secrecy::SecretString;

use crate::config::{self, Complaints, Loaded};
use crate::field::options::Endpoint;
use crate::web::options::OperatorOptions;

/// The configuration as shipped; valid by itself.
pub(super) const SHIPPED: &str = include_str!("../../../config/demo.toml");

/// The shortest duration that hastening leaves.
const DURATION_MIN_MS: f64 = 20.0;
/// The shortest time between two polls that the configuration takes.
const SCAN_MIN_MS: f64 = 100.0;
/// The shortest silence and grace that the configuration takes: three polls missed, however fast they are.
const SILENCE_MIN_MS: f64 = 3_000.0;
/// The oldest reading that the configuration lets permit a command.
const PERMISSIVE_AGE_MAX_MS: f64 = 5_000.0;

/// A directory of our own, removed at the end.
pub(super) struct TempDir(pub(super) PathBuf);

impl TempDir {
    pub(super) fn create() -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        let path = std::env::temp_dir().join(format!("emberwatch-demo-{}", std::process::id()));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Where the parts of the demonstration are.
pub(super) struct Addresses {
    pub(super) room: SocketAddr,
    pub(super) broker: Option<SocketAddr>,
    pub(super) page: SocketAddr,
}

/// Loads the demonstration's configuration by the way every configuration takes.
pub(super) fn load(dir: &Path, speed: f64, at: &Addresses, token: &str) -> Result<Loaded, Complaints> {
    let file = dir.join("demo.toml");
    // A file that cannot be written is complained about by the loader, which cannot read it.
    let _ = std::fs::write(&file, hasten(&at_home(SHIPPED, dir), speed));
    let mut loaded = config::load(&[file])?;
    for link in &mut loaded.links {
        link.endpoint = Endpoint::tcp(at.room.to_string());
    }
    loaded.mqtt = loaded.mqtt.zip(at.broker).map(|(mut mqtt, broker)| {
        (mqtt.host, mqtt.port) = (broker.ip().to_string(), broker.port());
        mqtt
    });
    if let Some(web) = &mut loaded.web {
        web.listen = at.page;
        web.operators =
            vec![OperatorOptions { name: "you".to_owned(), token: SecretString::from(token.to_owned()) }];
    }
    Ok(loaded)
}

/// The text with the state below this directory: whoever tries it needs no rights, and two of them do not meet.
fn at_home(text: &str, dir: &Path) -> String {
    text.replace("/var/lib/emberwatch-demo", &dir.join("state").display().to_string())
}

/// A token nobody can guess.
pub(super) fn token() -> String {
    let mut bytes = [0_u8; 16];
    let filled = ring::rand::SystemRandom::new().fill(&mut bytes);
    assert!(filled.is_ok(), "the system has no random numbers: no token can be made");
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Divides every quoted duration by `speed`, so that judging keeps pace with a hastened room; within
/// what the configuration takes.
fn hasten(text: &str, speed: f64) -> String {
    let lines = text.split_inclusive('\n').map(|line| {
        let (shortest_ms, longest_ms) = match line.split_once(" =").map(|(key, _)| key) {
            Some("scan") => (SCAN_MIN_MS, f64::MAX),
            Some("after" | "grace") => (SILENCE_MIN_MS, f64::MAX),
            Some("permissive_age_max") => (DURATION_MIN_MS, PERMISSIVE_AGE_MAX_MS),
            _ => (DURATION_MIN_MS, f64::MAX),
        };
        hasten_line(line, |ms| (ms / speed).round().max(shortest_ms.min(ms)).min(longest_ms.max(ms)))
    });
    lines.collect()
}

fn hasten_line(line: &str, hastened_ms: impl Fn(f64) -> f64) -> String {
    let pieces: Vec<String> = line
        .split('"')
        .enumerate()
        .map(|(index, piece)| match milliseconds(piece) {
            Some(ms) if index % 2 == 1 => format!("{}ms", hastened_ms(ms)),
            Some(_) | None => piece.to_owned(),
        })
        .collect();
    pieces.join("\"")
}

fn milliseconds(text: &str) -> Option<f64> {
    let split = text.find(|letter: char| letter.is_ascii_alphabetic())?;
    let factor = match &text[split..] {
        "ms" => 1.0,
        "s" => 1000.0,
        "min" => 60_000.0,
        _ => return None,
    };
    Some(text[..split].parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn hastening_divides_durations_and_nothing_else() {
        let text = "scan = \"1s\" # \"calm\"\nlimit = \"45 degC\"\nwindow = \"1min\"\ntiny = \"30ms\"\nid = \"5s-x\"\n";
        let hastened = hasten(text, 4.0);
        assert_eq!(
            hastened,
            "scan = \"250ms\" # \"calm\"\nlimit = \"45 degC\"\nwindow = \"15000ms\"\ntiny = \"20ms\"\nid = \"5s-x\"\n"
        );
    }

    #[test]
    fn nothing_is_hastened_below_what_the_configuration_takes() {
        assert_eq!(
            hasten("scan = { fast = \"250ms\", slow = \"1s\" }\n", 3.0),
            "scan = { fast = \"100ms\", slow = \"333ms\" }\n"
        );
    }

    #[test]
    fn everything_that_is_kept_is_kept_below_the_directory_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let free = || SocketAddr::from(([127, 0, 0, 1], 1));
        let at = Addresses { room: free(), broker: Some(free()), page: free() };
        let loaded = load(dir.path(), 1.0, &at, "0123456789abcdef").unwrap();
        let mqtt = loaded.mqtt.unwrap();
        let kept = [Some(loaded.state_dir), mqtt.owned_topics, mqtt.spool.map(|spool| spool.directory)];
        for path in kept {
            let path = path.unwrap();
            assert!(path.starts_with(dir.path()), "{}", path.display());
        }
    }

    #[test]
    fn the_demonstration_loads_at_every_speed() {
        let dir = tempfile::tempdir().unwrap();
        let at = Addresses {
            room: SocketAddr::from(([127, 0, 0, 1], 1502)),
            broker: None,
            page: SocketAddr::from(([127, 0, 0, 1], 8080)),
        };
        for speed in [0.1, 0.5, 1.0, 3.0, 5.0, 10.0] {
            let loaded = load(dir.path(), speed, &at, "0123456789abcdef0123456789abcdef");
            assert!(loaded.is_ok(), "speed {speed}");
        }
    }

    #[test]
    fn tokens_differ_and_are_long() {
        assert_eq!(token().len(), 32);
        assert_ne!(token(), token());
    }
}
