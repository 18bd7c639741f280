//! Programs as children: their output in files, a deadline for everything, and an end by their own id.

use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use emberwatch::clock;
use emberwatch::units::Millis;
use rustix::process::{Pid, Signal, kill_process};

/// Longer than this nothing here takes, unless it fails.
pub(crate) const DEADLINE: Millis = Millis::from_secs(30);

/// Looks until `found` gives something; fails after the deadline, in the words of `failure`.
pub(crate) fn until<T>(failure: impl Fn() -> String, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = clock::uptime();
    loop {
        if let Some(it) = found() {
            return it;
        }
        assert!(clock::uptime().since(begun) < DEADLINE, "waited too long for {}", failure());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A child, killed when dropped.
pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    out: PathBuf,
    err: PathBuf,
}

impl Program {
    /// Starts `command`; what it says goes to files in `dir`.
    pub(crate) fn start(dir: &Path, name: &str, command: &mut Command) -> Self {
        let (out, err) = (dir.join(format!("{name}.out")), dir.join(format!("{name}.err")));
        let file = |path: &Path| std::fs::File::create(path).expect("the test's directory takes files");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(file(&out))
            .stderr(file(&err))
            .spawn()
            .unwrap_or_else(|error| panic!("{}", missing(&format!("{name} ({error})"))));
        let stdin = child.stdin.take();
        Self { child, stdin, out, err }
    }

    pub(crate) fn out(&self) -> String {
        read(&self.out)
    }

    pub(crate) fn err(&self) -> String {
        read(&self.err)
    }

    /// Waits for a line on stdout that holds `text`, and returns it.
    pub(crate) fn line(&self, text: &str) -> String {
        let find = |all: String| all.lines().find(|line| line.contains(text)).map(str::to_owned);
        until(|| format!("`{text}`; stdout:\n{}\nstderr:\n{}", self.out(), self.err()), || find(self.out()))
    }

    /// Waits until it ends by itself, and returns its exit code.
    pub(crate) fn code(&mut self) -> i32 {
        let (out, err) = (self.out.clone(), self.err.clone());
        let failure = || format!("the end; stdout:\n{}\nstderr:\n{}", read(&out), read(&err));
        until(failure, || self.child.try_wait().expect("our own child")).code().expect("ended by no signal")
    }

    /// Asks it to end by SIGTERM; returns its exit code and how long it took.
    pub(crate) fn terminate(&mut self) -> (i32, Millis) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        let begun = clock::uptime();
        kill_process(id, Signal::TERM).expect("our own child");
        (self.code(), clock::uptime().since(begun))
    }

    /// Kills it, as a power failure would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("our own child");
        self.child.wait().expect("our own child");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// How a failure speaks of a peer that is not there.
pub(crate) fn missing(what: &str) -> String {
    format!("{what} is missing or does not start; run ./test once: it installs what the tests need")
}

/// emberwatch itself.
pub(crate) fn emberwatch(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
    command.args(args);
    command
}

/// A peer that Debian packages.
pub(crate) fn peer(name: &str) -> PathBuf {
    let folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"];
    let found = folders.map(|folder| Path::new(folder).join(name)).into_iter().find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{}", missing(name)))
}

/// Python with pymodbus.
pub(crate) fn python(script: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = std::env::var_os("EMBERWATCH_PYTHON")
        .map_or_else(|| root.join("target/peers/bin/python"), PathBuf::from);
    assert!(path.exists(), "{}", missing(&format!("Python with pymodbus at {}", path.display())));
    let mut command = Command::new(path);
    command.arg("-u").arg(root.join("tests/peers").join(script));
    command
}

/// Runs a command to its end and returns exit code, stdout and stderr.
pub(crate) fn finish(command: &mut Command) -> (i32, String, String) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut program = Program::start(dir.path(), "command", command);
    drop(program.stdin.take());
    let code = program.code();
    (code, program.out(), program.err())
}

/// A port of loopback that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").port()
}
