//! `strace`, which sees every system call of the daemon and can kill it at one of them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use emberwatch::clock;
use emberwatch::units::Millis;

/// Of one call, no thread is followed further than this.
pub(crate) const CALLS_MAX: u32 = 200;

/// How long it may take to attach.
const ATTACH_MAX: Millis = Millis::from_secs(10);

/// Lets go of the daemon when dropped.
pub(crate) struct Tracer {
    child: Child,
}

impl Tracer {
    /// Attaches to this process with these arguments, and waits until it has.
    ///
    /// # Errors
    /// What `strace` says where it cannot.
    pub(crate) fn attach(pid: u32, dir: &Path, arguments: &[&str]) -> Result<Self, String> {
        let said = dir.join("strace.err");
        let file = std::fs::File::create(&said).expect("the test's directory takes files");
        let mut command = Command::new("strace");
        command.args(["-f", "-p", &pid.to_string(), "-o"]).arg(dir.join("strace.out")).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        let child = command.spawn().map_err(|error| {
            format!("strace cannot be started ({error}); on Debian: apt-get install strace")
        })?;
        let mut tracer = Self { child };
        let begun = clock::uptime();
        loop {
            let text = std::fs::read_to_string(&said).unwrap_or_default();
            if text.contains("attached") {
                return Ok(tracer);
            }
            let ended = tracer.child.try_wait().ok().flatten().is_some();
            if ended || ATTACH_MAX < clock::uptime().since(begun) {
                return Err(format!("strace did not attach: {text}"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Says what nobody should miss, also where a test that passes says nothing.
pub(crate) fn say_aloud(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// How often any one thread made each call, by what was written to `strace.out`.
pub(crate) fn calls_in(dir: &Path) -> BTreeMap<String, u32> {
    let text = std::fs::read_to_string(dir.join("strace.out")).unwrap_or_default();
    let mut by_thread: BTreeMap<(String, String), u32> = BTreeMap::new();
    for line in text.lines() {
        // `4711 fdatasync(9) = 0`; what is resumed, and signals, are no calls.
        let mut words = line.split_whitespace();
        let (Some(thread), Some(rest)) = (words.next(), words.next()) else { continue };
        let Some((call, _)) = rest.split_once('(') else { continue };
        if !call.is_empty() && call.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
            *by_thread.entry((thread.to_owned(), call.to_owned())).or_default() += 1;
        }
    }
    let mut most: BTreeMap<String, u32> = BTreeMap::new();
    for ((_, call), count) in by_thread {
        let known = most.entry(call).or_default();
        *known = (*known).max(count).min(CALLS_MAX);
    }
    most
}
