//! The page of a replay in a real browser.

use std::path::Path;
use std::process::Command;

use crate::bench::Bench;
use crate::program::{finish, peer};

/// Loads a file in a new browser; what its console said, and the page as it was then.
fn browse(dir: &Path, page: &Path) -> (String, String) {
    let profile = tempfile::tempdir_in(dir).expect("a folder for the browser");
    let mut command = Command::new(peer("chromium"));
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--no-first-run",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--enable-logging=stderr", "--v=0", "--virtual-time-budget=3000", "--dump-dom"])
        .arg(format!("file://{}", page.display()));
    let (code, out, err) = finish(&mut command);
    assert_eq!(code, 0, "{err}");
    let console: Vec<&str> = err.lines().filter(|line| line.contains("CONSOLE")).collect();
    (console.join("\n"), out)
}

#[test]
fn the_page_draws_itself_from_a_file_without_network_and_without_a_complaint() {
    let bench = Bench::new();
    let (code, _, err) = bench.replay(&["--plot", "out.html", "--quiet"]);
    assert!(code == 0 && err.contains("page: out.html"), "{err}");
    let page = bench.path().join("out.html");
    let text = std::fs::read_to_string(&page).expect("written");
    assert!(!text.contains("http://") && !text.contains("https://"), "it asks nobody for anything");
    let (console, dom) = browse(bench.path(), &page);
    assert_eq!(console, "");
    assert!(dom.contains("cut: the countdown of 15 s runs"), "the script has filled the list");
    assert_eq!(dom.matches("<canvas").count(), 3, "levels, temperature, gas");
    assert!(dom.contains("cell-1/temp-max"));
}

#[test]
fn a_name_that_looks_like_a_tag_does_not_break_the_page() {
    let bench = Bench::new();
    let site = std::fs::read_to_string(bench.path().join("site.toml")).expect("written");
    bench.write("site.toml", &site.replace("title = \"Rack 1\"", "title = \"</script><b>Rack & 1\""));
    let (code, _, err) = bench.replay(&["--plot", "out.html", "--quiet"]);
    assert_eq!(code, 0, "{err}");
    let (console, dom) = browse(bench.path(), &bench.path().join("out.html"));
    assert_eq!(console, "");
    assert!(dom.contains("&lt;/script&gt;&lt;b&gt;Rack &amp; 1"), "shown as text");
}
