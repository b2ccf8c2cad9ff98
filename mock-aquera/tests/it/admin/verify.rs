//! `mock-aquera verify`: expectations from a shell.

use mock_aquera::MockAquera;
use serde_json::{Value, json};

use crate::client::{Client, start, user};
use crate::program::{command, finished, written};

/// 1: POST ida, 2: PATCH of ida, 3: a list.
async fn some_history(mock: &MockAquera) {
    let scim = Client::of(mock);
    let ida = scim.post("/Users", &user("ida", json!({"title": "Buyer"}))).await.id();
    let change = json!([{"op": "replace", "path": "title", "value": "Head of it"}]);
    scim.patch(&format!("/Users/{ida}"), &change).await;
    scim.get("/Users?count=1").await;
}

/// Runs the program beside the server, which lives in this process.
async fn verify(arguments: &[&str]) -> (i32, String, String) {
    let arguments: Vec<String> =
        ["verify"].iter().chain(arguments).map(|argument| (*argument).to_owned()).collect();
    let run = move || finished(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test]
async fn expectations_that_are_satisfied_end_with_0() {
    let mock = start().await;
    some_history(&mock).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: Value| format!("@{}", written(folder.path(), name, &text.to_string()));
    let one =
        file("one.json", json!({"request": {"method": "POST", "status": 201}, "times": {"exactly": 1}}));
    let two = file("two.json", json!([{"request": {"userName": "ida"}}, {"times": {"atMost": 3}}]));
    let address = mock.addr().to_string();
    for (server, expectations, count) in [
        (mock.scim_url(), vec!["POST /Users status=201 times=1"], 1),
        (mock.admin_url(), vec!["method=PATCH patch-path=title times=1..2", "PUT times=never"], 2),
        (address, vec!["PATCH body/Operations/0/value=\"Head of it\"", "header.accept=*/*"], 2),
        (format!("http://{}", mock.addr()), vec![one.as_str(), two.as_str()], 3),
        (mock.scim_url(), vec![r#"{"request":{"path":"/Users","method":"GET"},"times":1}"#], 1),
    ] {
        let (code, out, err) = verify(&[&[server.as_str()], expectations.as_slice()].concat()).await;
        assert_eq!((code, err.as_str()), (0, ""), "{server} {expectations:?}: {out}");
        assert_eq!(out.lines().filter(|line| line.starts_with("ok      expected ")).count(), count, "{out}");
        assert!(out.ends_with(&format!("\n{count} of {count} satisfied\n")), "{out}");
    }
}

#[tokio::test]
async fn expectation_that_is_not_satisfied_ends_with_1_and_its_nearest_miss() {
    let mock = start().await;
    some_history(&mock).await;
    let url = mock.scim_url();
    let (code, out, err) = verify(&[&url, "POST /Users status=409", "GET /Users times=1"]).await;
    assert_eq!((code, err.as_str()), (1, ""), "{out}");
    let expected = "FAILED  expected POST /Users with status 409 at least once, but it never came
        nearest of 3 looked at: number 1, POST /scim/Users
          status is 201, expected 409
ok      expected GET /Users exactly once, and it came once
1 of 2 satisfied
";
    assert_eq!(out, expected);
    let (code, out, _) = verify(&[&url, "--json", "POST status=409", "PATCH times=never"]).await;
    assert_eq!(code, 1);
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "{out}");
    assert_eq!((&lines[0]["type"], &lines[0]["satisfied"]), (&json!("expectation"), &json!(false)));
    assert_eq!(lines[0]["nearestMiss"]["differences"], json!(["status is 201, expected 409"]));
    assert_eq!((&lines[1]["matched"], &lines[1]["nearestMiss"]), (&json!(1), &Value::Null));
    assert_eq!(lines[2], json!({"type": "summary", "satisfied": 0, "failed": 2}));
}

#[tokio::test]
async fn redacted_value_is_refused_and_its_presence_is_compared() {
    let mock = start().await;
    let scim = Client::of(&mock);
    let ida = scim.post("/Users", &user("ida", json!({"password": "s3cret-1"}))).await.id();
    let change = json!([{"op": "replace", "path": "password", "value": "s3cret-2"}]);
    scim.patch(&format!("/Users/{ida}"), &change).await;
    let url = mock.scim_url();
    for (expectation, part) in [
        ("POST header.Authorization=\"Bearer SOMETHING-ELSE\"", "header Authorization"),
        ("POST header.Authorization=\"Bearer mock-token\" times=never", "header Authorization"),
        ("POST header.cookie=SOMETHING-ELSE", "header cookie"),
        ("POST header.x-api-key=SOMETHING-ELSE", "header x-api-key"),
        ("POST body/password=SOMETHING-ELSE", "bodyAt /password"),
        ("POST body/password=SOMETHING-ELSE times=never", "bodyAt /password"),
        (r#"POST body-includes={"password":"SOMETHING-ELSE"}"#, "bodyIncludes"),
        (r#"body-includes={"Operations":[{"path":"password","value":"SOMETHING-ELSE"}]}"#, "bodyIncludes"),
        (r#"body-includes="{\"filter\":\"password eq \\\"SOMETHING-ELSE\\\"\"}""#, "bodyIncludes"),
        (r#"PATCH patch-path="x[password eq \"SOMETHING-ELSE\"]""#, "patchPath"),
    ] {
        let (code, out, err) = verify(&[&url, expectation]).await;
        assert_eq!((code, out.as_str()), (2, ""), "{expectation}: {err}");
        assert!(err.contains(part) && err.contains("`[redacted]`"), "{expectation}: {err}");
        assert!(!err.contains("SOMETHING-ELSE"), "{err}");
    }
    let present = [
        "POST header.Authorization=[redacted] times=1",
        "POST header.Authorization=\"Bearer [redacted]\" times=1",
        "POST body/password=[redacted] times=1",
        r#"POST body-includes={"password":"[redacted]"} times=1"#,
        r#"body-includes={"Operations":[{"path":"password","value":"[redacted]"}]} times=1"#,
        "header.Authorization=\"Basic [redacted]\" times=never",
        "header.x-api-key=[redacted] times=never",
    ];
    let (code, out, err) = verify(&[&[url.as_str()], &present[..]].concat()).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    // Nothing in this expectation is a secret by its name, and the journal cannot tell whether it came.
    for times in ["times=never", "times=1"] {
        let (code, out, err) =
            verify(&[&url, &format!("PATCH body/Operations/0/value=SOMETHING-ELSE {times}")]).await;
        assert_eq!((code, err.as_str()), (1, ""), "{out}");
        assert!(out.contains("body /Operations/0/value is redacted and can't be compared"), "{out}");
    }
}

#[tokio::test]
async fn url_with_a_path_leaves_no_trace_in_the_journal() {
    let mock = start().await;
    mock.create_application("hr", mock_aquera::ApplicationConfig::default()).unwrap();
    let origin = format!("http://{}", mock.addr());
    for (path, code) in [
        ("/scim/Users", 0),
        ("/scim/Users/1", 0),
        ("/scim/v2/", 0),
        ("/apps/hr/scim/Users", 0),
        ("/apps/hr", 0),
        ("/apps/hr/oauth/token", 0),
        ("/oauth/token", 0),
        ("/_mock/applications/hr/journal", 0),
        ("/nowhere", 3),
    ] {
        let url = format!("{origin}{path}");
        let (ended, out, err) = verify(&[&url, "POST times=never"]).await;
        assert_eq!(ended, code, "{path}: {out}{err}");
    }
    for name in ["default", "hr"] {
        assert!(mock.application(name).unwrap().journal().is_empty(), "{name}");
    }
    // The application is that of the URL.
    some_history(&mock).await;
    assert_eq!(verify(&[&format!("{origin}/apps/hr/scim/Users"), "POST times=never"]).await.0, 0);
    assert_eq!(verify(&[&format!("{origin}/_mock/applications/hr"), "POST times=never"]).await.0, 0);
    assert_eq!(verify(&[&format!("{origin}/scim/Users"), "POST times=1"]).await.0, 0);
}

#[tokio::test]
async fn each_application_has_its_own_journal() {
    let mock = start().await;
    let hr = mock.create_application("hr", mock_aquera::ApplicationConfig::default()).unwrap();
    some_history(&mock).await;
    let default = mock.scim_url();
    assert_eq!(verify(&[&default, "POST"]).await.0, 0);
    assert_eq!(verify(&[&hr.scim_url(), "POST"]).await.0, 1);
    assert_eq!(verify(&[&default, "POST", "--app", "hr"]).await.0, 1);
    assert_eq!(verify(&[&hr.scim_url(), "POST", "--app", "default"]).await.0, 0);
    let (code, _, err) = verify(&[&default, "POST", "--app", "nobody"]).await;
    assert!(code == 2 && err.contains("unknown application `nobody`"), "{err}");
    let (code, _, err) = verify(&[&default, "POST", "--app", "a/b"]).await;
    assert!(code == 2 && err.contains("use --app a/b"), "{err}");
}

#[tokio::test]
async fn administration_of_its_own_is_asked_with_its_token() {
    let builder = MockAquera::builder().admin_listen(([127, 0, 0, 1], 0).into()).admin_token("top-s3cret");
    let mock = builder.start().await.unwrap();
    some_history(&mock).await;
    let admin = mock.admin_url();
    assert_eq!(verify(&[&admin, "POST times=1", "--token", "top-s3cret"]).await.0, 0);
    let (code, out, err) = verify(&[&admin, "POST"]).await;
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    assert!(err.contains("administration needs its token") && err.contains("--token"), "{err}");
    let (code, _, err) = verify(&[&admin, "POST", "--token", "wr0ng"]).await;
    assert!(code == 2 && !err.contains("wr0ng"), "{err}");
    // Administration is not beside the SCIM endpoints.
    let (code, _, err) = verify(&[&mock.scim_url(), "POST", "--token", "top-s3cret"]).await;
    assert!(code == 3 && err.contains("find the administration of a mock-aquera at 127.0.0.1:"), "{err}");
}

#[tokio::test]
async fn bad_input_ends_with_2_and_a_server_that_is_not_there_with_3() {
    let mock = start().await;
    let url = mock.scim_url();
    let url = url.as_str();
    let folder = tempfile::tempdir().unwrap();
    let broken = format!("@{}", written(folder.path(), "broken.json", "{\"times\":1}\n{\"times\":\"x\"}"));
    for (arguments, parts) in [
        (&[][..], &["<URL|EXPECTATION>"][..]),
        (&[url], &["an expectation is missing", "POST /Users status=201 times=1"]),
        (&[url, "POTS /Users"], &["unknown word `POTS`; did you mean `POST`?"]),
        (&[url, "staus=201"], &["`staus`", "did you mean `status`?"]),
        (&[url, "POST times=x"], &["invalid `times=x`"]),
        (&[url, r#"{"times":"x"}"#], &["line 1, column 10: invalid `times`: expected a whole number from 0"]),
        (&[url, r#"{"time":1}"#], &["unknown key `time`; did you mean `times`?"]),
        (&[url, broken.as_str()], &["broken.json: line 2, column 10: invalid `times`"]),
        (&[url, "method=POTS"], &["verify POTS: ", "there is no method `POTS`; did you mean `POST`?"]),
        (&[url, "GET /Userz"], &["did you mean `/Users`?"]),
        (&[url, "GET status=999"], &["a status from 200 to 599"]),
        (&[url, "POST body//active=false times=3..1"], &["`times=3..1` can never match"]),
        (&[url, "@nowhere.json"], &["read nowhere.json: "]),
        (&["ftp://x", "POST"], &["http://HOST:PORT"]),
        (&[url, "POST", "--tokn", "x"], &["--token"]),
    ] {
        let (code, out, err) = verify(arguments).await;
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        for part in parts {
            assert!(err.contains(part), "{arguments:?}: {err}\nlacks {part}");
        }
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (code, out, err) = verify(&[&port.to_string(), "POST"]).await;
    assert_eq!((code, out.as_str()), (3, ""), "{err}");
    assert!(err.contains(&format!("reach 127.0.0.1:{port}")), "{err}");
}

#[tokio::test]
async fn expectations_are_read_from_standard_input() {
    let mock = start().await;
    some_history(&mock).await;
    let url = mock.scim_url();
    let output = tokio::task::spawn_blocking(move || {
        use std::io::Write as _;
        let mut child = command(&["verify", &url, "-"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
        let lines = "{\"request\":{\"method\":\"POST\"},\"times\":1}\n{\"request\":{\"method\":\"PATCH\"}}\n";
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    });
    let output = output.await.unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && out.ends_with("2 of 2 satisfied\n"), "{out}");
}

#[test]
fn help_of_verify_is_as_it_was() {
    let (code, help, _) = finished(&["verify", "--help"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!("verify_help", help);
}
