//! Telling people, against the programs that they use: a Prometheus Alertmanager, a mail server, TLS as openssl makes
//! its certificates; and `emberwatch notify test`.
#![expect(clippy::unwrap_used, reason = "tests")]

mod alertmanager;
mod mail;
#[path = "../support/notify.rs"]
#[expect(dead_code, reason = "the tests of webhooks use the rest of it")]
mod notify;
#[path = "../support/site.rs"]
mod site;
mod tls;
mod trial;

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{Instant, sleep};

const MISSING: &str = "run ./test once: it installs what the tests need";
const DEADLINE: Duration = Duration::from_secs(30);

/// Asks again and again until there is an answer.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited too long for {what}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// A program that Debian packages.
fn program(name: &str) -> PathBuf {
    let folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    let found = folders.map(|folder| Path::new(folder).join(name)).into_iter().find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name} is missing: {MISSING}"))
}

async fn output(command: &mut Command) -> Output {
    let run = command.stdin(Stdio::null()).kill_on_drop(true).output();
    tokio::time::timeout(DEADLINE, run).await.expect("it ends").expect(MISSING)
}

/// A port of loopback that was free a moment ago.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Runs openssl in a folder.
async fn openssl(folder: &Path, line: &str) {
    let mut command = Command::new(program("openssl"));
    let done = output(command.args(line.split(' ')).current_dir(folder)).await;
    assert!(done.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Makes `ca.pem`, and for each name `NAME.pem` and `NAME.key`: for which host, signed by it or by itself, and for how
/// many days.
async fn certificates(folder: &Path, names: &[(&str, &str, bool, i32)]) {
    openssl(folder, "ecparam -name prime256v1 -genkey -noout -out ca.key").await;
    openssl(folder, "req -x509 -new -key ca.key -days 2 -subj /CN=authority -out ca.pem").await;
    for (name, host, signed, days) in names {
        openssl(folder, &format!("ecparam -name prime256v1 -genkey -noout -out {name}.sec1")).await;
        openssl(folder, &format!("pkcs8 -topk8 -nocrypt -in {name}.sec1 -out {name}.key")).await;
        openssl(folder, &format!("req -new -key {name}.key -subj /CN={name} -out {name}.csr")).await;
        let more = format!("subjectAltName={host}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n");
        std::fs::write(folder.join(format!("{name}.ext")), more).unwrap();
        let by = match signed {
            true => "-CA ca.pem -CAkey ca.key -CAcreateserial".to_owned(),
            false => format!("-signkey {name}.key"),
        };
        openssl(
            folder,
            &format!("x509 -req -in {name}.csr {by} -days {days} -extfile {name}.ext -out {name}.pem"),
        )
        .await;
    }
}
