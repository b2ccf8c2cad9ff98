//! The program as a process of its own.

mod command_line;

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::client::Client;

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-aquera"));
    command
        .args(arguments)
        .env_remove("COLUMNS")
        .env_remove("MOCK_AQUERA_ADMIN_TOKEN")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) fn finished(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command(arguments).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A running server; killed at the end.
pub(crate) struct Running {
    pub(crate) child: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::of(command(arguments).spawn().unwrap())
    }

    pub(crate) fn of(mut child: Child) -> Self {
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    /// Ends it, and gives all that it wrote to stderr.
    pub(crate) fn stopped(&mut self) -> String {
        self.child.kill().unwrap();
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        stderr
    }

    pub(crate) fn ready(&mut self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|_| {
            let mut stderr = String::new();
            self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
            panic!("not ready: {line}{stderr}")
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn written(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn it_serves_what_the_options_say() {
    let folder = tempfile::tempdir().unwrap();
    let users = written(
        folder.path(),
        "users.ndjson",
        "{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],\"userName\":\"loaded\"}\n\n",
    );
    let profile = written(
        folder.path(),
        "own.toml",
        "name = \"own\"\nsummary = \"mine\"\nextends = \"no-delete\"\n[gateway]\npatch = \"answers-501\"\n",
    );
    let port_file = folder.path().join("port");
    let mut server = Running::start(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--json",
        "--load",
        &users,
        "--users",
        "2",
        "--profile",
        &profile,
        "--auth",
        "basic:ann:a:b",
        "--auth",
        "bearer:mock-token",
        "--seed",
        "7",
        "--fault",
        "status=503 times=1",
        "--port-file",
        port_file.to_str().unwrap(),
    ]);
    let ready = server.ready();
    let port: u16 = std::fs::read_to_string(&port_file).unwrap().trim().parse().unwrap();
    assert_eq!(
        ready,
        json!({"type": "ready", "scimUrl": format!("http://127.0.0.1:{port}/scim"),
            "adminUrl": format!("http://127.0.0.1:{port}/_mock"), "seed": 7, "profile": "own"})
    );
    let client = Client::at(ready["scimUrl"].as_str().unwrap());
    client.get("/Users").await.scim_error(503, None);
    let list = client.get("/Users").await.json();
    assert_eq!((&list["totalResults"], &list["Resources"][0]["userName"]), (&json!(3), &json!("loaded")));
    let config = client.get("/ServiceProviderConfig").await.json();
    assert_eq!(config["patch"]["supported"], json!(false));

    let url = ready["scimUrl"].as_str().unwrap();
    assert_eq!(finished(&["healthcheck", url]), (0, String::new(), String::new()));
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_in_order() {
    let mut server = Running::start(&["--listen", "127.0.0.1:0", "--json"]);
    server.ready();
    let killed = Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(server.line().trim(), r#"{"applications":1,"type":"summary"}"#);
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn bad_input_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| written(folder.path(), name, text);
    let user = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"a"}"#;
    let broken = file("broken.ndjson", &format!("{user}\n\n{{\"userName\" \"b\"}}\n"));
    let twice = file("twice.ndjson", &format!("{user}\n\n{user}\n"));
    let nameless = file("nameless.ndjson", r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]}"#);
    let strange = file("strange.ndjson", &format!("{user}\n{}", r#"{"schemas":["urn:x"],"userName":"b"}"#));
    let group = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"g","members":[{"value":"x"}]}"#;
    let lost = file("lost.ndjson", &format!("{group}\n{user}"));
    let rules = file("rules.txt", "status=503\nstatuss=503\n");
    let profile = file("own.toml", "name = \"own\"\nsumary = \"x\"\n");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();

    #[track_caller]
    fn check(arguments: &[&str], code: i32, parts: &[&str]) {
        let (status, out, err) = finished(arguments);
        assert_eq!((status, out.as_str()), (code, ""), "{arguments:?} {err}");
        for part in parts {
            assert!(err.contains(part), "{arguments:?}: {err} lacks {part}");
        }
        assert!(!err.contains("hunter2"), "{err}");
    }
    let free = ["--listen", "127.0.0.1:0"];
    let with = |more: &[&'static str]| [&free[..], more].concat();
    check(&with(&["--auth", "token:hunter2"]), 2, &["--auth number 1", "bearer:TOKEN"]);
    check(
        &with(&["--auth", "bearer:fine", "--auth", "basic:hunter2"]),
        2,
        &["number 2", "basic:USER:PASSWORD"],
    );
    check(&with(&["--profile", "no-delet"]), 2, &["did you mean `no-delete`?"]);
    check(&with(&["--profile", "missing.toml"]), 2, &["missing.toml"]);
    check(
        &["--listen", "127.0.0.1:0", "--profile", &profile],
        2,
        &["own.toml: line 2", "did you mean `summary`?"],
    );
    check(&with(&["--fault", "status=9"]), 2, &["--fault", "200 to 599"]);
    check(&with(&["--listn", "x"]), 2, &["--listen"]);
    check(
        &["--listen", "127.0.0.1:0", "--load", &broken],
        2,
        &["broken.ndjson:3:13", "`:` is expected here"],
    );
    check(&["--listen", "127.0.0.1:0", "--load", &twice], 2, &["twice.ndjson:3", "there twice"]);
    check(&["--listen", "127.0.0.1:0", "--load", &strange], 2, &["strange.ndjson:2", "write `schemas`"]);
    check(&["--listen", "127.0.0.1:0", "--load", &lost], 2, &["lost.ndjson:1", "members[0]"]);
    check(&["--listen", "127.0.0.1:0", "--faults", &rules], 2, &["rules.txt: line 2", "`status`"]);
    check(&with(&["--faults", "nowhere.txt"]), 2, &["--faults nowhere.txt"]);
    check(&with(&["--token-lifetime", "5m"]), 2, &["--token-lifetime", "oauth:CLIENT:SECRET"]);
    check(
        &with(&["--auth", "oauth:c:hunter2", "--token-lifetime", "5"]),
        2,
        &["--token-lifetime", "ms, s, m or h"],
    );
    check(&with(&["--journal-bytes", "1kb"]), 2, &["--journal-bytes", "KiB"]);
    check(&with(&["--snapshot-every", "5s"]), 2, &["--snapshot"]);
    check(
        &["--listen", "127.0.0.1:0", "--snapshot", &rules],
        2,
        &["rules.txt:1", "no snapshot", "move it away"],
    );
    check(&["--listen", "127.0.0.1:0", "--load", &nameless], 2, &["nameless.ndjson:1", "userName"]);
    check(&with(&["--load", "nowhere.ndjson"]), 2, &["nowhere.ndjson"]);
    check(&["--listen", &taken], 1, &[&taken, "--listen", "port 0"]);
    check(&["profiles", "aqera"], 2, &["did you mean `aquera`?"]);
    check(&["healthcheck", "ftp://x"], 2, &["http://HOST:PORT"]);
}

#[test]
fn unwritable_files_are_told_before_anything_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(path("folder")).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let (nowhere, port) = (path("no/port"), path("port"));
    let ca = path("ca.pem");
    for (arguments, part) in [
        (vec!["--port-file", &nowhere], format!("failed to write the port to {nowhere}: ")),
        (vec!["--port-file", &path("folder")], "it is a folder; --port-file names another file".to_owned()),
        (vec!["--tls", "self-signed", "--tls-ca", &path("no/ca.pem")], "no/ca-key.pem: ".to_owned()),
        (vec!["--tls", "self-signed", "--tls-ca", &ca, "--port-file", &nowhere], format!("to {nowhere}: ")),
    ] {
        // The port is taken: if anything was started, that would be told.
        let (code, out, err) = finished(&[&["--listen", &taken], arguments.as_slice()].concat());
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.contains(&part), "{err}\nlacks {part}");
    }
    assert!(!Path::new(&ca).exists());
    // What was tried with does not stay.
    assert_eq!(finished(&["--listen", &taken, "--port-file", &port]).0, 1);
    let left: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["folder"]);
}

#[test]
fn a_healthcheck_of_nothing_fails() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (code, _, err) = finished(&["healthcheck", &format!("http://127.0.0.1:{port}")]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains(&port.to_string()), "{err}");
}

#[test]
fn profiles_are_listed_and_shown() {
    insta::assert_snapshot!(finished(&["profiles"]).1);
    let each: Vec<String> = mock_aquera::Profile::builtins()
        .iter()
        .map(|profile| finished(&["profiles", &profile.name]))
        .map(|(code, out, err)| {
            assert_eq!((code, err.as_str()), (0, ""));
            out
        })
        .collect();
    insta::assert_snapshot!("each_profile", each.join("\n----\n\n"));
}

#[test]
fn a_profile_is_printed_as_a_file_that_can_be_used_again() {
    let (code, text, err) = finished(&["profiles", "--toml", "miro"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "own.toml", &text);
    let of = |name: &str| finished(&["profiles", name]);
    assert_eq!(of(&file), of("miro"));
    assert_ne!(of(&file), of("slack"));
    assert_eq!(finished(&["profiles", "--toml", &file]).1, text);

    let bad = written(
        folder.path(),
        "bad.toml",
        "name = \"x\"\nsummary = \"y\"\nextends = \"own.toml\"\n[lists]\n",
    );
    let (code, out, err) = of(&bad);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("bad.toml: line 4, column 2: unknown key `lists`; did you mean `list`?"), "{err}");
}

#[test]
fn profiles_are_told_to_programs() {
    let lines = |arguments: &[&str]| -> Vec<Value> {
        let (code, out, err) = finished(arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}");
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let all = lines(&["profiles", "--json"]);
    let (summary, profiles) = all.split_last().unwrap();
    assert_eq!(summary, &json!({"type": "summary", "profiles": profiles.len()}));
    assert_eq!((&profiles[0]["type"], &profiles[0]["name"]), (&json!("profile"), &json!("aquera")));

    let one = lines(&["profiles", "--json", "no-put"]);
    assert_eq!(one[0]["name"], json!("no-put"));
    assert_eq!(
        one[1],
        json!({"type": "difference", "key": "gateway.put", "value": "html-404", "rfc": "works",
            "meaning": "What becomes of a PUT: answers a 404 in HTML, as for a path that doesn't exist."})
    );
    assert_eq!(one[2]["type"], json!("deviation"));
    assert_eq!(one[3], json!({"type": "summary", "differences": 1, "deviations": 1}));

    let (code, schema, _) = finished(&["profiles", "--schema"]);
    let schema: Value = serde_json::from_str(&schema).unwrap();
    assert_eq!((code, &schema), (0, &mock_aquera::Profile::schema()));
    for arguments in [
        &["profiles", "--toml"][..],
        &["profiles", "--schema", "rfc"],
        &["profiles", "--toml", "--json", "rfc"],
    ] {
        assert_eq!(finished(arguments).0, 2, "{arguments:?}");
    }
}

#[test]
fn it_says_what_it_is() {
    let (code, out, _) = finished(&["--version"]);
    assert_eq!((code, out.as_str()), (0, concat!("mock-aquera ", env!("CARGO_PKG_VERSION"), "\n")));
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (code, out, err) = finished(&["completions", shell]);
        assert!(code == 0 && out.contains("mock-aquera") && err.is_empty(), "{shell}: {err}");
    }
    let (code, help, _) = finished(&["--help"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!("help", help);
}

/// What a server that was started with these options tells of some requests on stderr.
async fn told(options: &[&str], rust_log: Option<&str>) -> String {
    let mut command = command(&[&["--listen", "127.0.0.1:0", "--json", "--users", "1"], options].concat());
    command.env_remove("RUST_LOG");
    if let Some(filter) = rust_log {
        command.env("RUST_LOG", filter);
    }
    let mut server = Running::of(command.spawn().unwrap());
    let ready = server.ready();
    let url = ready["scimUrl"].as_str().unwrap().to_owned();
    let scim = Client::at(url.clone());
    assert_eq!(scim.get("/Users").await.status, 200);
    let http = crate::client::http();
    for token in ["hunter2", "Bearer hunter2"] {
        let asked = http.get(format!("{url}/Users?access_token=hunter2")).bearer_auth(token).send().await;
        assert_eq!(asked.unwrap().status(), 401);
    }
    scim.get("/v2/Users").await.scim_error(404, None);
    Client::at(url.replace("/scim", "")).get("/Users").await.scim_error(404, None);
    Client::at(url.replace("/scim", "/apps/x/scim")).get("/Users/nobody").await.scim_error(404, None);
    assert_eq!(scim.get("/Users?count=0").await.status, 503);
    let mut stderr = server.child.stderr.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        text
    });
    let ended = Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status().unwrap();
    assert!(ended.success() && server.child.wait().unwrap().success());
    reader.join().unwrap()
}

#[cfg(unix)]
#[tokio::test]
async fn each_request_is_told_in_a_line_without_secrets() {
    let fault = ["--fault", "status=503 path=/Users nth=2"];
    let text = told(&fault, None).await;
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(" GET /")).collect();
    assert_eq!(lines.len(), 7, "{text}");
    assert_eq!(lines[0], "200 GET /scim/Users");
    assert!(lines[1].starts_with("401 GET /scim/Users?access_token="), "{text}");
    assert!(lines[1].ends_with("  unknown access token"), "{text}");
    assert!(lines[2].contains("the scheme Bearer in front of it twice"), "{text}");
    assert!(
        lines[3].starts_with("404 GET /scim/v2/Users  nothing is at /v2/Users; the base URL is http://127"),
        "{text}"
    );
    assert!(
        lines[4].starts_with("404 GET /Users  nothing is at /Users; the base URL is http://127"),
        "{text}"
    );
    assert!(lines[4].ends_with("/scim/Users?"), "{text}");
    assert!(lines[5].starts_with("404 GET /apps/x/scim/Users/nobody  no user has the id `nobody`"), "{text}");
    assert!(
        lines[6].starts_with("503 GET /scim/Users?count=0  fault status=503 path=/Users nth=2"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");

    for (options, rust_log) in [(&["--quiet"][..], None), (&["-q"], None), (&[], Some("warn"))] {
        let text = told(&[&fault, options].concat(), rust_log).await;
        assert!(!text.contains(" GET /"), "{options:?} {rust_log:?}: {text}");
    }
    let text = told(&fault, Some("mock_aquera::requests=off,info")).await;
    assert!(!text.contains(" GET /") && text.contains("stopping"), "{text}");
}

#[cfg(unix)]
#[tokio::test]
async fn server_goes_on_and_ends_though_nobody_reads_its_lines() {
    let mut server = Running::start(&["--listen", "127.0.0.1:0", "--json"]);
    let ready = server.ready();
    let scim = Client::at(ready["scimUrl"].as_str().unwrap());
    // More than a pipe holds.
    let path = format!("/Users/{}", "x".repeat(250));
    for _ in 0..600 {
        assert_eq!(scim.get(&path).await.status, 404);
    }
    let ended = Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status().unwrap();
    assert!(ended.success() && server.child.wait().unwrap().success());
}

#[test]
fn fault_that_can_never_strike_is_refused_at_the_start() {
    for (rule, part) in [
        ("status=503 path=/scim/Users", "write `path=/Users`"),
        ("status=503 method=POTS", "did you mean `POST`?"),
        ("status=503 method=GET patch-path=active", "leaves them out"),
        ("status=503 type=Usr", "there is no resource type `Usr`; did you mean `User`?"),
        ("status=503 path=/Usrs/*", "did you mean `/Users`?"),
        ("chaos", "the presets are mild, rough and hostile"),
    ] {
        let (code, _, err) = finished(&["--listen", "127.0.0.1:0", "--fault", rule]);
        assert!(code == 2 && err.contains(part), "{rule}: {code} {err}");
    }
}
