//! What is shipped beside the binary: the service unit as systemd reads it, and the licences.
#![expect(clippy::unwrap_used, reason = "a shipped file that cannot be read fails the test")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The unit's lines that say something, each as `Key=value`.
fn unit() -> Vec<String> {
    let text = read("systemd/emberwatch.service");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// All values of one directive, in order.
fn values(key: &str) -> Vec<String> {
    let lines = unit();
    let values = lines.iter().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.map(str::to_owned).collect()
}

/// Every word of one directive, over all its lines.
fn words(key: &str) -> Vec<String> {
    values(key).iter().flat_map(|value| value.split_whitespace()).map(str::to_owned).collect()
}

/// The names in `{ credential = "name" }`, commented examples included.
fn credentials_named_in(text: &str) -> Vec<&str> {
    let mut names: Vec<&str> = text
        .split("credential = \"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .filter(|name| *name != "name")
        .collect();
    names.dedup();
    names
}

#[test]
fn systemd_has_no_complaint_and_the_exposure_is_low() {
    let script = root().join("systemd/verify");
    let out = Command::new(&script).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{}:\n{said}", script.display());
}

#[test]
fn a_broken_call_or_configuration_is_not_started_again_and_all_else_is() {
    assert_eq!(words("RestartPreventExitStatus"), ["2", "78"]);
    for line in ["Restart=always", "RestartSec=1s", "StartLimitIntervalSec=0"] {
        assert!(unit().iter().any(|have| have == line), "the unit lacks {line}");
    }
}

#[test]
fn the_exit_codes_that_the_unit_knows_are_the_programs_own() {
    let emberwatch = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_emberwatch")).args(args).output().unwrap();
        output.status.code().unwrap().to_string()
    };
    let empty = tempfile::tempdir().unwrap();
    let empty = empty.path().to_str().unwrap();
    let prevented = words("RestartPreventExitStatus");
    assert_eq!(prevented[0], emberwatch(&["run", "--no-such-flag"]));
    assert_eq!(prevented[1], emberwatch(&["run", "--config", empty]));
}

#[test]
fn the_service_starts_the_command_that_the_program_has() {
    let start = values("ExecStart");
    let [start] = start.as_slice() else { panic!("one ExecStart, not {start:?}") };
    let words: Vec<&str> = start.split_whitespace().collect();
    assert_eq!(words, ["/usr/bin/emberwatch", "run", "--config", "/etc/emberwatch"]);
}

/// What the sandbox and the supervision rest on. The exposure alone would not notice some of them missing.
const DIRECTIVES: [&str; 49] = [
    "Type=notify",
    "User=emberwatch",
    "Group=emberwatch",
    "WatchdogSec=10s",
    "KillSignal=SIGTERM",
    "TimeoutStopSec=5s",
    "UMask=0077",
    "StateDirectory=emberwatch",
    "StateDirectoryMode=0700",
    "RuntimeDirectory=emberwatch",
    "ConfigurationDirectory=emberwatch",
    "ConfigurationDirectoryMode=0750",
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateMounts=yes",
    "PrivateDevices=yes",
    "PrivateUsers=yes",
    "DevicePolicy=closed",
    "ProtectProc=invisible",
    "ProcSubset=pid",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "RestrictNamespaces=yes",
    "RemoveIPC=yes",
    "KeyringMode=private",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "IPAddressDeny=any",
    "IPAddressAllow=localhost",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @resources",
    "MemoryMax=256M",
    "TasksMax=64",
    "LimitNOFILE=8192",
    "LimitCORE=0",
    "OOMScoreAdjust=-900",
    "WantedBy=multi-user.target",
];

#[test]
fn the_sandbox_and_the_supervision_are_complete() {
    let unit = unit();
    let missing: Vec<&str> =
        DIRECTIVES.into_iter().filter(|wanted| !unit.iter().any(|line| line == wanted)).collect();
    assert!(missing.is_empty(), "the unit lacks {missing:#?}");
}

#[test]
fn every_credential_that_the_example_names_has_a_line_to_uncomment() {
    let unit = read("systemd/emberwatch.service");
    let example = read("config/emberwatch.toml");
    let names = credentials_named_in(&example);
    assert!(!names.is_empty(), "the example shows how to refer to a secret");
    for name in names {
        let line = format!("#LoadCredential={name}:/etc/emberwatch/secrets/{name}");
        assert!(unit.lines().any(|have| have == line), "the unit lacks {line}");
    }
}

#[test]
fn the_example_keeps_its_state_where_the_service_may_write() {
    let state = format!("state_dir = \"/var/lib/{}\"", values("StateDirectory").concat());
    let example = read("config/emberwatch.toml");
    assert!(example.lines().any(|line| line == state), "the example lacks {state}");
}

#[test]
fn the_licences_that_the_package_names_are_shipped() {
    let manifest = read("Cargo.toml");
    assert!(manifest.lines().any(|line| line == "license = \"MIT OR Apache-2.0\""));
    assert!(read("LICENSE-MIT").starts_with("Copyright (c) 2026 The emberwatch developers"));
    let apache = read("LICENSE-APACHE");
    assert!(apache.contains("Apache License") && apache.contains("END OF TERMS AND CONDITIONS"));
}
