//! What the program says once it is ready, and that it is true.

use std::process::{Command, Stdio};

use serde_json::{Deserializer, Value, json};

use crate::program::{Running, command};

/// Starts in a folder of its own; gives the banner up to its end, and the folder.
fn started(arguments: &[&str]) -> (Running, tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&["--listen", "127.0.0.1:0"], arguments].concat();
    let mut server = Running::of(command(&arguments).current_dir(folder.path()).spawn().unwrap());
    let mut banner = String::new();
    while !banner.contains("/journal") {
        let line = server.line();
        assert_ne!(line, "", "{banner}");
        banner.push_str(&line);
    }
    (server, folder, banner)
}

fn examples(banner: &str) -> Vec<&str> {
    banner.lines().skip_while(|line| *line != "Try:").skip(1).map(str::trim_start).collect()
}

#[test]
fn it_has_what_one_needs() {
    #[track_caller]
    fn check(arguments: &[&str], parts: &[&str]) {
        let (_server, _folder, banner) = started(arguments);
        for part in parts {
            assert!(banner.contains(part), "{part}: {banner}");
        }
        assert_eq!(examples(&banner).iter().filter(|line| line.starts_with("curl ")).count(), 3, "{banner}");
    }
    check(
        &[],
        &[
            "  SCIM URL   http://127.0.0.1:",
            "/scim\n  Token      mock-token\n",
            "  Profile    aquera (everything works)\n  Faults     none\n  Seed       0\n  Users      3\n",
            "  Admin URL  http://127.0.0.1:",
        ],
    );
    check(
        &[
            "--auth",
            "oauth:crm:s3cret:90s",
            "--auth",
            "basic:ann:pw",
            "--fault",
            "status=503 times=2",
            "--users",
            "7",
        ],
        &[
            "OAuth      client crm, secret s3cret, tokens are good for 90 s\n  Token URL  http://127.0.0.1:",
            "/oauth/token\n  Basic      user ann, password pw\n",
            "Faults     status=503 times=2\n",
            "Users      7\n",
            "\n  TOKEN=$(curl ",
        ],
    );
    // A preset is shown as the rules that it stands for.
    check(
        &["--fault", "rough", "--seed", "4"],
        &["Seed       4\n", "Faults     latency=", "\n             status=503"],
    );
    check(
        &["--tls", "self-signed", "--snapshot", "data.ndjson"],
        &[
            "https://",
            "CA file    mock-aquera-ca.pem,",
            "Snapshot   data.ndjson\n",
            "curl --cacert 'mock-aquera-ca.pem' ",
        ],
    );
}

/// Whether lines for curl can be run. Where all is checked, it has to be there.
fn has_curl() -> bool {
    let found = Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_ok();
    assert!(found || std::env::var_os("CI").is_none(), "curl is missing");
    found
}

#[test]
fn its_lines_work_when_pasted() {
    if !has_curl() {
        return;
    }
    for arguments in [
        &[][..],
        &["--auth", "none"],
        &["--auth", "basic:o'hara:p w$"],
        &["--auth", "oauth:crm:s3'cret"],
        &["--tls", "self-signed", "--auth", "oauth:crm:s3cret"],
        &["--tls", "self-signed", "--tls-ca", "the ca.pem"],
        &["--admin-listen", "127.0.0.1:0", "--admin-token", "top-s3cret"],
    ] {
        let (_server, folder, banner) = started(arguments);
        let script = examples(&banner).join("\n");
        let run = Command::new("sh")
            .args(["-ec", &script])
            .current_dir(folder.path())
            .envs([("no_proxy", "*"), ("CURL_HOME", "/nonexistent")])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{arguments:?} {script}: {told}");
        let answers: Vec<Value> = Deserializer::from_slice(&run.stdout)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&run.stdout)));
        let [list, user, journal] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!((&list["totalResults"], &list["itemsPerPage"]), (&json!(3), &json!(2)), "{arguments:?}");
        assert_eq!(user["userName"], json!("new.person@example.com"), "{arguments:?}");
        let statuses: Vec<&Value> = journal.as_array().unwrap().iter().map(|each| &each["status"]).collect();
        assert!(statuses.ends_with(&[&json!(200), &json!(201)]), "{arguments:?} {statuses:?}");
    }
}
