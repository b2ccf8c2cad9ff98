//! What the program says once it is ready, and that it is true.

use std::io::Read as _;
use std::process::{Command, Stdio};

use serde_json::{Deserializer, Value, json};

use crate::program::{Running, command, finished};

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

/// Starts with `--json`; gives the ready line and what is on stderr when it is stopped.
fn told(arguments: &[&str]) -> (Value, String) {
    let mut server = Running::start(&[&["--json"], arguments].concat());
    let ready = server.ready();
    server.child.kill().unwrap();
    let mut told = String::new();
    server.child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    (ready, told)
}

#[test]
fn a_server_that_others_can_reach_warns_and_says_where() {
    let (ready, told) = self::told(&["--listen", "0.0.0.0:0"]);
    assert!(
        told.contains("every interface") && told.contains("`mock-token`, which everybody knows"),
        "{told}"
    );
    assert!(told.contains("administration needs no token") && told.contains("--listen 127.0.0.1"), "{told}");
    let port = ready["scimUrl"].as_str().unwrap().split(':').nth(2).unwrap().to_owned();
    for url in ready["scimUrls"].as_array().into_iter().flatten() {
        let url = url.as_str().unwrap();
        assert!(url.starts_with("http://") && url.ends_with(&port) && !url.contains("127.0.0.1"), "{url}");
    }
    let (_, told) =
        self::told(&["--listen", "0.0.0.0:0", "--auth", "bearer:s3cret", "--admin-token", "t0p-s3cret"]);
    assert!(told.contains("with the bearer token of --auth") && !told.contains("s3cret"), "{told}");
    assert!(!told.contains("needs no token"), "{told}");
    let count = |urls: &Value| urls.as_array().map_or(0, Vec::len);
    let scim = count(&ready["scimUrls"]);
    let (ready, told) = self::told(&["--listen", "127.0.0.1:0", "--admin-listen", "*:0"]);
    assert!(told.contains("administration listens at 0.0.0.0"), "{told}");
    assert_eq!(count(&ready["adminUrls"]), scim, "{ready}");
    for url in ready["adminUrls"].as_array().into_iter().flatten() {
        let url = url.as_str().unwrap();
        assert!(url.ends_with("/_mock") && !url.contains("127.0.0.1") && !url.contains("0.0.0.0"), "{url}");
    }
    let (ready, told) = self::told(&["--listen", "127.0.0.1:0"]);
    assert!(!told.contains("WARN") && ready.get("scimUrls").is_none(), "{told}");
}

#[test]
fn addresses_are_understood_in_their_usual_forms() {
    for arguments in [
        &["--listen", "0"][..],
        &["--listen", ":0"],
        &["--listen", "localhost:0"],
        &["--port", "0"],
        &["--listen", "localhost", "--port", "0"],
        &["--listen", "0", "--admin-listen", "0"],
    ] {
        let (ready, _) = told(arguments);
        assert!(ready["scimUrl"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{arguments:?} {ready}");
    }
    let (ready, _) = told(&["--port", "0", "--public-url", "https://scim.example.com/mock/"]);
    assert_eq!(ready["scimUrl"], json!("https://scim.example.com/mock/scim"));
    let (code, _, told) = finished(&["--listen", "127.0.0.1:1", "--port", "2"]);
    assert!(code == 2 && told.contains("port 1, and --port says 2"), "{told}");
    let (code, _, told) = finished(&["--listen", "nonsense:port"]);
    assert!(code == 2 && told.contains("the port `port` is not a number"), "{told}");
    let (code, _, told) = finished(&["--public-url", "scim.example.com"]);
    assert!(code == 2 && told.contains("https://scim.example.com/mock"), "{told}");
}

#[test]
fn a_port_in_use_is_told_with_the_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, _, told) = finished(&["--port", &port]);
    assert!(code == 1 && told.contains(&format!("127.0.0.1:{port}")) && told.contains("--port 0"), "{told}");
    let (code, _, told) = finished(&["--port", "0", "--admin-listen", &port]);
    assert!(code == 1 && told.contains("--admin-listen") && !told.contains("--port 0"), "{told}");
}
