//! What only files can do wrong.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::config::files::read_all;

fn write(path: &Path, text: &str, mode: u32) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn load_paths(paths: &[PathBuf]) -> Complaints {
    let mut desk = Desk::default();
    read_all(&mut desk, paths);
    judge(desk, &env).map_or_else(|complaints| complaints, |loaded| loaded.warnings)
}

/// The codes of the cases in this file.
pub(super) fn reached() -> BTreeSet<Code> {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let mut reached = BTreeSet::new();
    let mut expect = |code: Code, complaints: &Complaints| {
        assert!(codes(complaints).contains(&code), "{code}: {complaints}");
        reached.insert(code);
    };
    expect(Code::Unreadable, &load_paths(&[at("absent.toml")]));
    std::fs::create_dir(at("empty")).unwrap();
    expect(Code::NoFiles, &load_paths(&[at("empty")]));
    expect(Code::NoFiles, &load_paths(&[]));
    write(&at("open.toml"), BASE, 0o666);
    expect(Code::WritableByAll, &load_paths(&[at("open.toml")]));
    write(&at("secret"), "0123456789abcdef", 0o644);
    let text = format!(
        "{BASE}[web]\nlisten = \"127.0.0.1:1\"\n[[web.operator]]\nname = \"kim\"\ntoken = {{ file = \"{}\" }}\n",
        at("secret").display()
    );
    write(&at("web.toml"), &text, 0o640);
    expect(Code::SecretReadable, &load_paths(&[at("web.toml")]));
    let pem = "-----BEGIN X-----";
    write(&at("ca"), pem, 0o644);
    write(&at("key"), pem, 0o640);
    let tls = format!(
        "[link.tls]\naddress = \"plant\"\nca = \"{0}/ca\"\ncertificate = \"{0}/ca\"\nkey = \"{0}/key\"\n",
        dir.path().display()
    );
    let text = BASE.replacen("[link.tcp]\naddress = \"127.0.0.1:1502\"\n", &tls, 1);
    write(&at("tls.toml"), &text, 0o640);
    expect(Code::SecretReadable, &load_paths(&[at("tls.toml")]));
    write(&at("key"), pem, 0o600);
    assert_eq!(codes(&load_paths(&[at("tls.toml")])), [], "a key of one's own");
    std::fs::create_dir(at("profiles")).unwrap();
    write(&at("profiles/x.toml"), "nonsense", 0o644);
    let text = format!("profile_dirs = [\"{}\"]\n{BASE}", at("profiles").display());
    write(&at("profiles.toml"), &text, 0o640);
    expect(Code::BadProfile, &load_paths(&[at("profiles.toml")]));
    reached
}

#[test]
fn a_directory_is_read_in_the_order_of_names_and_only_its_toml() {
    let dir = tempfile::tempdir().unwrap();
    let (plant, rules) = BASE.split_at(BASE.find("[[rule]]").unwrap());
    write(&dir.path().join("10-plant.toml"), plant, 0o640);
    write(&dir.path().join("20-rules.toml"), rules, 0o640);
    write(&dir.path().join("20-rules.toml.bak"), "nonsense", 0o640);
    let found = load_paths(&[dir.path().to_owned()]);
    assert!(found.list.is_empty(), "{found}");
}

#[test]
fn secrets_of_files_and_credentials_are_read_and_trimmed() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("kim"), "file-file-file-file\n", 0o600);
    write(&dir.path().join("lee"), "cred-cred-cred-cred\n", 0o440);
    let text = format!(
        "{BASE}[web]\nlisten = \"127.0.0.1:1\"\n\
         [[web.operator]]\nname = \"kim\"\ntoken = {{ file = \"{}\" }}\n\
         [[web.operator]]\nname = \"lee\"\ntoken = {{ credential = \"lee\" }}\n",
        dir.path().join("kim").display()
    );
    let mut desk = Desk::default();
    desk.complaints.sources.push(Source { path: "x.toml".into(), text });
    let env = |name: &str| (name == "CREDENTIALS_DIRECTORY").then(|| dir.path().display().to_string());
    let web = judge(desk, &env).unwrap().web.unwrap();
    let tokens: Vec<&str> = web.operators.iter().map(|operator| operator.token.expose_secret()).collect();
    assert_eq!(tokens, ["file-file-file-file", "cred-cred-cred-cred"]);
}
