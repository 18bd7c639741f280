//! A machine: NUT's upsmon in the foreground, with a configuration of its own and a harmless shutdown.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::program::{Program, missing, until};
use super::room::PASSWORD;

/// One upsmon.
pub(crate) struct Machine {
    pub(crate) program: Program,
    pub(crate) name: String,
    /// What it leaves behind when it is killed.
    pid_file: PathBuf,
    dir: PathBuf,
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.program.kill();
        let _may_never_have_been = std::fs::remove_file(&self.pid_file);
    }
}

impl Machine {
    /// `role`: primary or secondary; `upses`: those whose power it draws, one supply each.
    pub(crate) fn start(dir: &Path, name: &str, port: u16, role: &str, upses: &[&str]) -> Self {
        Self::start_with(dir, name, port, role, upses, "")
    }

    /// The same, with more of a configuration.
    pub(crate) fn start_with(
        dir: &Path,
        name: &str,
        port: u16,
        role: &str,
        upses: &[&str],
        more: &str,
    ) -> Self {
        let dir = dir.join(name);
        std::fs::create_dir(&dir).expect("a new folder");
        let path = |file: &str| dir.join(file).display().to_string();
        let notify = dir.join("notify");
        let script = format!("#!/bin/sh\necho \"$NOTIFYTYPE $UPSNAME\" >> {}\n", path("events"));
        std::fs::write(&notify, script).expect("written");
        executable(&notify);
        let mut text = format!(
            "MINSUPPLIES 1\nSHUTDOWNCMD \"touch {}\"\nPOWERDOWNFLAG \"{}\"\nNOTIFYCMD \"{}\"\nPOLLFREQ 1\n\
             POLLFREQALERT 1\nHOSTSYNC 5\nDEADTIME 4\nNOCOMMWARNTIME 2\nFINALDELAY 0\n{more}\n",
            path("down"),
            path("powerdown"),
            notify.display(),
        );
        for ups in upses {
            let line = format!("MONITOR {ups}@127.0.0.1:{port} 1 {role} {PASSWORD} {role}\n");
            text.push_str(&line);
        }
        for event in [
            "ONLINE", "ONBATT", "LOWBATT", "FSD", "COMMOK", "COMMBAD", "SHUTDOWN", "REPLBATT", "NOCOMM",
            "NOPARENT",
        ] {
            text.extend(["NOTIFYFLAG ", event, " EXEC\n"]);
        }
        std::fs::write(dir.join("upsmon.conf"), text).expect("written");
        // Two upsmon of one name take each other for one that runs already.
        let own =
            dir.parent().and_then(Path::file_name).map_or(String::new(), |own| own.display().to_string());
        let own = format!("upsmon{own}-{name}");
        let mut command = Command::new(upsmon());
        command.arg0(&own).args(["-F", "-p", "-D"]).env("NUT_CONFPATH", &dir).env("NUT_STATEPATH", &dir);
        let program = Program::start(&dir, "upsmon", &mut command);
        Self { program, name: name.to_owned(), pid_file: PathBuf::from(format!("/run/nut/{own}.pid")), dir }
    }

    /// Whether its shutdown command was run.
    pub(crate) fn is_down(&self) -> bool {
        self.dir.join("down").exists()
    }

    /// What upsmon told: `FSD ups-a@…`.
    pub(crate) fn events(&self) -> String {
        std::fs::read_to_string(self.dir.join("events")).unwrap_or_default()
    }

    fn log(&self) -> String {
        format!("{}:\n{}\n{}\n{}", self.name, self.events(), self.program.out(), self.program.err())
    }

    pub(crate) fn until_event(&self, event: &str) {
        until(|| format!("{event} of {}", self.log()), || self.events().contains(event).then_some(()));
    }

    pub(crate) fn until_down(&self) {
        until(|| format!("the shutdown of {}", self.log()), || self.is_down().then_some(()));
    }

    pub(crate) fn assert_up(&mut self) {
        assert!(!self.is_down(), "{}", self.log());
        assert!(self.program.child.try_wait().expect("our own child").is_none(), "{}", self.log());
    }
}

/// The program itself: Debian's `upsmon` in the path asks a file of the machine first whether it may run.
fn upsmon() -> PathBuf {
    let found = ["/lib/nut/upsmon", "/usr/lib/nut/upsmon", "/usr/sbin/upsmon"].map(PathBuf::from);
    found.into_iter().find(|path| path.exists()).unwrap_or_else(|| panic!("{}", missing("upsmon")))
}

fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("our own file");
}
