//! The work of an administrator at a terminal: creates a connection, turns it on and off, tests filters and mappings,
//! stops a run.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::{Bench, TOKEN, but, user};

fn program(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provisioner"));
    command.args(arguments).current_dir(folder).env_remove("COLUMNS").env("AQUERA_TOKEN", TOKEN);
    command
}

async fn answered(arguments: &[&str], folder: &Path, answers: &str) -> Output {
    let mut command = program(arguments, folder);
    let answers = answers.to_owned();
    tokio::task::spawn_blocking(move || {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A program that ends early closes its end.
        let _ = child.stdin.take().unwrap().write_all(answers.as_bytes());
        child.wait_with_output().unwrap()
    })
    .await
    .unwrap()
}

async fn run(arguments: &[&str], folder: &Path) -> Output {
    answered(arguments, folder, "").await
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test]
async fn init_writes_a_configuration_that_syncs() {
    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada"), but(user("2", "brook"), json!({ "enabled": false }))]);
    let folder = bench.folder.path();
    // Name, description, URL (a wrong one first), profile, variable, five preferences, Remove Action, rule deletion, source.
    let answers = format!(
        "Acme\nwith \"quotes\"\nnot a url\n{}\n\n\n\n\n\n\ndelete\nmaybe\nn\n\n",
        bench.mock.scim_url()
    );
    let made = answered(&["init"], folder, &answers).await;
    assert_eq!(made.status.code(), Some(0), "{}{}", out(&made), err(&made));
    assert!(err(&made).contains("invalid SCIM URL `not a url`"), "{}", err(&made));
    assert!(out(&made).contains("provisioner check, then provisioner plan"), "{}", out(&made));
    let text = std::fs::read_to_string(bench.path("aquera.toml")).unwrap();
    assert!(text.contains("remove-action = \"delete\""), "{text}");
    assert!(text.contains("oauth-access-token = { env = \"AQUERA_TOKEN\" }"), "{text}");
    assert!(!text.contains(TOKEN), "{text}");

    let checked = run(&["check"], folder).await;
    assert_eq!(checked.status.code(), Some(0), "{}", err(&checked));
    assert!(out(&checked).contains("with \"quotes\""), "the description is shown: {}", out(&checked));
    let synced = run(&["sync"], folder).await;
    assert_eq!(synced.status.code(), Some(0), "{}", err(&synced));
    assert_eq!(bench.accounts(), ["ada true"]);

    let again = run(&["init"], folder).await;
    assert_eq!(again.status.code(), Some(2));
    assert!(err(&again).contains("--force"), "{}", err(&again));
    assert_eq!(std::fs::read_to_string(bench.path("aquera.toml")).unwrap(), text);
}

#[tokio::test]
async fn init_writes_nothing_if_the_test_fails_and_is_not_overridden() {
    let bench = Bench::new("aquera").await;
    let folder = bench.folder.path();
    let questions = format!("\n\n{}\nbasic-auth\nhr\n-\nwrong-secret\n\n\n\n\n\n\n\n", bench.mock.scim_url());
    for (insists, written) in [("\n", false), ("y\n", true)] {
        let made = answered(&["init", "-c", "acme.toml"], folder, &format!("{questions}{insists}")).await;
        assert_eq!(made.status.code(), Some(3), "{}{}", out(&made), err(&made));
        assert!(err(&made).contains("Test Connection Failed"), "{}", err(&made));
        assert!(!format!("{}{}", out(&made), err(&made)).contains("wrong-secret"));
        assert_eq!(bench.path("acme.toml").exists(), written);
        assert_eq!(bench.path("acme.secret").exists(), written);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(bench.path("acme.secret")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "nobody else can read the secret");
    }
    let tested = run(&["test-connection", "-c", "acme.toml"], folder).await;
    assert_eq!(tested.status.code(), Some(3), "{}", err(&tested));
}

#[tokio::test]
async fn init_ends_with_the_answers() {
    let folder = tempfile::tempdir().unwrap();
    let made = answered(&["init"], folder.path(), "Acme\n").await;
    assert_eq!(made.status.code(), Some(2));
    assert!(err(&made).contains("the input ended at \"Description"), "{}", err(&made));
    assert!(!folder.path().join("aquera.toml").exists());
}

#[tokio::test]
async fn toggle_changes_one_value_of_the_file() {
    let mut bench = Bench::new("aquera").await;
    bench.settings.connection = "# the toggle\nenabled = true # since spring";
    bench.users(&[user("1", "ada")]);
    bench.write_config();
    let folder = bench.folder.path().to_owned();
    let before = bench.config_text();

    let off = run(&["disable"], &folder).await;
    assert_eq!(off.status.code(), Some(0), "{}", err(&off));
    assert!(out(&off).contains("is off: nothing is sent"), "{}", out(&off));
    let text = std::fs::read_to_string(bench.path("aquera.toml")).unwrap();
    assert_eq!(text, before.replace("enabled = true # since", "enabled = false # since"));
    assert_eq!(run(&["sync"], &folder).await.status.code(), Some(3));
    assert!(bench.writes().is_empty());
    assert!(out(&run(&["disable"], &folder).await).contains("already off"));

    let on = run(&["enable", "--json"], &folder).await;
    let summary: Value = serde_json::from_slice(&on.stdout).unwrap();
    assert_eq!(
        summary,
        json!({ "type": "summary", "connection": "test", "enabled": true, "changed": true, "exitCode": 0 })
    );
    assert_eq!(std::fs::read_to_string(bench.path("aquera.toml")).unwrap(), before);
    assert_eq!(run(&["sync"], &folder).await.status.code(), Some(0));

    // A connection without the key is on.
    bench.settings.connection = "";
    bench.write_config();
    assert!(out(&run(&["enable"], &folder).await).contains("already on"));
    run(&["disable"], &folder).await;
    assert_eq!(run(&["sync"], &folder).await.status.code(), Some(3));
}

#[tokio::test]
async fn filter_is_tried_on_one_user_or_all() {
    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada"), but(user("2", "brook"), json!({ "title": "Lead" }))]);
    // A test of a filter needs no credential.
    std::fs::write(bench.path("aquera.toml"), bench.config_text().replace(TOKEN, "")).unwrap();
    let folder = bench.folder.path();
    let all = run(&["filter", "try", "title eq \"lead\""], folder).await;
    assert_eq!(out(&all), "the filter matches 1 of 2 users\n  brook (id 2)\n", "{}", err(&all));
    let one = run(&["filter", "try", "title eq \"lead\"", "ADA"], folder).await;
    assert_eq!(out(&one), "the filter does not match ada (id 1)\n");
    let objects = run(&["filter", "try", "title eq \"lead\"", "--json"], folder).await;
    assert!(out(&objects).ends_with("{\"type\":\"summary\",\"users\":2,\"matched\":1,\"exitCode\":0}\n"));
    let nobody = run(&["filter", "try", "title pr", "carol"], folder).await;
    assert_eq!(nobody.status.code(), Some(2));
    assert!(err(&nobody).contains("`carol`"), "{}", err(&nobody));
    let wrong = run(&["filter", "try", "title equals \"lead\""], folder).await;
    assert_eq!(wrong.status.code(), Some(2));
    assert!(err(&wrong).contains("`filter` does not parse"), "{}", err(&wrong));
}

#[tokio::test]
async fn mapping_is_tried_on_one_user() {
    let mut bench = Bench::new("aquera").await;
    bench.settings.rules = "[[rule]]\nname = \"leads\"\nfilter = 'title eq \"Lead\"'\n".to_owned();
    bench.users(&[user("1", "ada"), but(user("2", "brook"), json!({ "title": "Lead" }))]);
    bench.write_config();
    let folder = bench.folder.path();
    let whole = run(&["mapping", "try", "brook"], folder).await;
    assert!(out(&whole).starts_with("rule \"leads\" maps brook (id 2) to\n"), "{}", err(&whole));
    assert!(out(&whole).contains("  title = \"Lead\"\n"), "{}", out(&whole));
    let unowned = run(&["mapping", "try", "ada"], folder).await;
    assert_eq!(unowned.status.code(), Some(1));
    assert!(err(&unowned).contains("no enabled rule matches ada"), "{}", err(&unowned));
    let expression = ["mapping", "try", "ada", "--expression", "user.username + '!'", "--target", "nickName"];
    assert_eq!(out(&run(&expression, folder).await), "  nickName = \"ada!\"\n");
    let absent = run(&["mapping", "try", "ada", "--source", "nickname"], folder).await;
    assert_eq!(out(&absent), "  displayName has no value for ada: it is not written\n", "{}", err(&absent));
    let broken = run(&["mapping", "try", "ada", "--expression", "user.username +"], folder).await;
    assert_eq!(broken.status.code(), Some(2));
    assert!(err(&broken).contains("`expression` does not"), "{}", err(&broken));
}

#[tokio::test]
async fn output_fits_80_columns_and_cannot_steer_the_terminal() {
    let mut bench = Bench::new("no-partial-update").await;
    bench.settings.options = "concurrency = 1".to_owned();
    let hostile = "eve\u{1b}[2J\u{202e}\r\nroot\u{0}";
    let people = [user("1", "ada"), user("2", &"long-name.".repeat(20)), user("3", hostile)];
    bench.users(&people);
    bench.write_config();
    let folder = bench.folder.path().to_owned();
    let mut texts = Vec::new();
    for command in [&["plan"][..], &["sync"], &["explain", "3"], &["status"]] {
        texts.push(run(command, &folder).await);
    }
    bench.users(&people.clone().map(|person| but(person, json!({ "enabled": false }))));
    for command in [&["plan"][..], &["sync", "--approve-removals", "3"], &["status"]] {
        texts.push(run(command, &folder).await);
    }
    for output in &texts {
        let text = out(output);
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
        }
        let steers = |sign: char| sign != '\n' && (sign.is_control() || sign == '\u{202e}');
        assert!(!text.chars().any(steers), "{text:?}");
        assert!(!err(output).chars().any(steers), "{:?}", err(output));
    }
    // The target refuses such a name.
    let failed = out(&texts[1]);
    let told =
        |line: &str| line.starts_with("failed ") && line.contains("eve\\u{1b}[2J\\u{202e}\\r\\nroot\\0");
    assert!(failed.lines().any(told), "{failed}");
    assert!(!out(&texts[0]).contains("success"), "a plan expects: {}", out(&texts[0]));
}

#[cfg(unix)]
#[tokio::test]
async fn interrupted_sync_says_how_far_it_came_and_is_resumed() {
    use mock_aquera::Phase;
    use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

    let mut bench = Bench::new("aquera").await;
    bench.settings.options = "concurrency = 1".to_owned();
    let people = ["ada", "brook", "carol", "dan", "eve"].map(|name| user(name, name));
    bench.users(&people);
    bench.write_config();
    let folder = bench.folder.path().to_owned();
    // Two requests of the test, five look-ups, the first POST and its read-back, then the third POST.
    let mut held = bench.app.hold(11, Phase::BeforeEffect);
    let mut command = tokio::process::Command::from(program(&["sync", "--json"], &folder));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    held.reached().await;
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    let notice = stderr.next_line().await.unwrap().unwrap();
    assert!(notice.contains("a second Ctrl-C stops at once"), "{notice}");
    held.release();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).await.unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(130));
    let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(summary["stopped"]["code"], "interrupted");
    let words = summary["stopped"]["message"].as_str().unwrap();
    assert!(words.contains("3 of 5 users were done, 2 are left"), "{words}");
    assert_eq!(bench.accounts(), ["ada true", "brook true", "carol true"]);

    let resumed = run(&["sync"], &folder).await;
    assert_eq!(resumed.status.code(), Some(0), "{}", err(&resumed));
    assert_eq!(bench.accounts().len(), 5);
}

#[tokio::test]
async fn status_says_when_the_last_full_run_was() {
    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada")]);
    bench.write_config();
    let folder = bench.folder.path();
    run(&["sync"], folder).await;
    assert!(out(&run(&["status"], folder).await).contains("never run in full"));
    run(&["sync", "--full"], folder).await;
    run(&["sync"], folder).await;
    let status = out(&run(&["status"], folder).await);
    assert!(status.contains("\nlast full run 20"), "{status}");
}

#[tokio::test]
async fn toggle_leaves_every_other_byte_as_it_is() {
    let bench = Bench::new("aquera").await;
    let folder = bench.folder.path();
    let rest = "name = \"test\"\n# end\n[connection.authentication]\nscim-url = \"http://127.0.0.1:1/\"\n";
    for (before, after) in [
        (
            format!("[connection]\nenabled =  true # yes\n{rest}"),
            format!("[connection]\nenabled =  false # yes\n{rest}"),
        ),
        (format!("[connection]\n{rest}"), format!("[connection]\nenabled = false\n{rest}")),
        (
            format!("# top\n[ connection ] # x\n{rest}"),
            format!("# top\n[ connection ] # x\nenabled = false\n{rest}"),
        ),
        (
            format!("\u{feff}[connection]\nenabled=true\n{rest}"),
            format!("\u{feff}[connection]\nenabled=false\n{rest}"),
        ),
        (
            "connection = { name = \"x\", enabled = true }\n".to_owned(),
            "connection = { name = \"x\", enabled = false }\n".to_owned(),
        ),
        (
            "connection = { name = \"x\" }\n".to_owned(),
            "connection = { name = \"x\" , enabled = false }\n".to_owned(),
        ),
        (
            "connection.name = \"x\"\n".to_owned(),
            "connection.name = \"x\"\nconnection.enabled = false\n".to_owned(),
        ),
        ("[connection]".to_owned(), "[connection]\nenabled = false\n".to_owned()),
    ] {
        for [before, after] in
            [[before.clone(), after.clone()], [before.replace('\n', "\r\n"), after.replace('\n', "\r\n")]]
        {
            std::fs::write(bench.path("aquera.toml"), &before).unwrap();
            let off = run(&["disable"], folder).await;
            assert_eq!(off.status.code(), Some(0), "{before:?}: {}", err(&off));
            let text = std::fs::read_to_string(bench.path("aquera.toml")).unwrap();
            // A file with a single line has no line break to tell its kind by.
            let text = if before.contains('\n') { text } else { text.replace("\r\n", "\n") };
            let after = if before.contains('\n') { after } else { after.replace("\r\n", "\n") };
            if before.starts_with("connection") {
                assert_eq!(
                    text.split_whitespace().collect::<String>(),
                    after.split_whitespace().collect::<String>()
                );
                assert_eq!(
                    text.matches("\r\n").count(),
                    text.matches('\n').count() * usize::from(before.contains('\r'))
                );
            } else {
                assert_eq!(text, after);
            }
            assert_eq!(run(&["enable"], folder).await.status.code(), Some(0));
        }
    }
}

#[tokio::test]
async fn invalid_argument_of_try_is_reported_with_its_location() {
    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada")]);
    bench.write_config();
    let folder = bench.folder.path();
    let long = format!(
        "{} and enabld eq true and {}",
        vec!["title pr"; 100].join(" and "),
        vec!["email pr"; 100].join(" and ")
    );
    let text = format!("'{}' + user.titel", "x".repeat(3000));
    for (arguments, expected) in [
        (
            vec!["filter", "try", "title eq \"a\" and emial pr"],
            ["read the filter: `emial` is not", "emial pr", "did you mean `email`?"],
        ),
        (
            vec!["filter", "try", "title equals 1"],
            ["read the filter: `filter` does not parse", "title equals 1", "write a SCIM filter"],
        ),
        (
            vec!["filter", "try", &long],
            ["read the filter: `enabld`", " and enabld eq true and ", "did you mean `enabled`?"],
        ),
        (
            vec!["mapping", "try", "ada", "--expression", &text],
            [
                "read --expression: `user.titel`".trim_end_matches("`user.titel`"),
                "x' + user.titel",
                "did you mean `title`?",
            ],
        ),
        (
            vec!["mapping", "try", "ada", "--expression", "user.?titel.orValue('none')"],
            ["read --expression: `titel` is not", ".?titel", "did you mean `title`?"],
        ),
        (
            vec!["mapping", "try", "ada", "--expression", "user[?'titel'].orValue('')"],
            ["read --expression: `titel` is not", "'titel'", "did you mean `title`?"],
        ),
        (
            vec!["mapping", "try", "ada", "--expression", "user.?name.?givn.orValue('')"],
            ["read --expression: `name.givn` is not", ".?givn", "did you mean `name.given`?"],
        ),
        (
            vec!["mapping", "try", "ada", "--source", "emial"],
            ["read --source: `emial` is not", "emial", "did you mean `email`?"],
        ),
        (
            vec!["mapping", "try", "ada", "--source", "email", "--target", "emails[typ"],
            ["read --target: `target` does not parse", "emails[typ", "attribute[type eq"],
        ),
    ] {
        let tried = run(&arguments, folder).await;
        let told = err(&tried);
        let words = told.split_whitespace().filter(|word| *word != "\u{2502}").collect::<Vec<_>>().join(" ");
        assert_eq!(tried.status.code(), Some(2), "{told}");
        for expected in expected {
            assert!(words.contains(expected.trim()), "{expected:?} is not in {told}");
        }
        assert!(
            told.len() < 2000 && !told.contains("what is tried") && !told.contains("line 1"),
            "{} bytes: {told}",
            told.len()
        );
    }
    // A long expression leaves room for its error.
    let failing = format!("'{}' + user.nickname", "x".repeat(3000));
    let failed = run(&["mapping", "try", "ada", "--expression", &failing], folder).await;
    assert_eq!(failed.status.code(), Some(1));
    assert!(err(&failed).contains("the user has no") && err(&failed).len() < 1000, "{}", err(&failed));
}

#[cfg(unix)]
#[tokio::test]
async fn commands_that_only_read_end_at_once_and_say_so() {
    use mock_aquera::Phase;
    use tokio::io::AsyncReadExt as _;

    for (arguments, request) in [
        (vec!["plan"], 4),
        (vec!["test-connection"], 1),
        (vec!["explain", "ada"], 3),
        (vec!["plan", "--json"], 1),
    ] {
        let bench = Bench::new("aquera").await;
        bench.users(&["ada", "brook", "carol"].map(|name| user(name, name)));
        bench.write_config();
        let mut held = bench.app.hold(request, Phase::BeforeEffect);
        let mut command = tokio::process::Command::from(program(&arguments, bench.folder.path()));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        held.reached().await;
        let pid = child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let (mut out, mut err) = (String::new(), String::new());
        child.stdout.take().unwrap().read_to_string(&mut out).await.unwrap();
        child.stderr.take().unwrap().read_to_string(&mut err).await.unwrap();
        assert_eq!(child.wait().await.unwrap().code(), Some(130), "{arguments:?}: {out}{err}");
        assert_eq!(err, "error: interrupted; nothing was written\n", "{arguments:?}");
        if arguments.contains(&"--json") {
            let summary: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
            assert_eq!(summary["exitCode"], json!(130));
            assert_eq!(summary["stopped"]["code"], json!("interrupted"));
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn sync_that_is_interrupted_in_its_look_ups_says_how_many_were_done() {
    use mock_aquera::Phase;
    use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

    let mut bench = Bench::new("aquera").await;
    bench.settings.options = "concurrency = 1".to_owned();
    bench.users(&["ada", "brook", "carol", "dan", "eve"].map(|name| user(name, name)));
    bench.write_config();
    // Two requests of the test, then the third look-up.
    let mut held = bench.app.hold(5, Phase::BeforeEffect);
    let mut command = tokio::process::Command::from(program(&["sync", "--json"], bench.folder.path()));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    held.reached().await;
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    stderr.next_line().await.unwrap().unwrap();
    held.release();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).await.unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(130));
    let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let words = summary["stopped"]["message"].as_str().unwrap();
    assert!(words.ends_with("3 of 5 users were looked up, and nothing was written"), "{words}");
    assert!(bench.writes().is_empty());
}
