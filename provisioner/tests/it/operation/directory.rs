//! Several connections: a directory with configurations, each with its own state and lock.

use serde_json::{Value, json};

use crate::program::{err, objects, out, run};
use crate::support::{Bench, user};

/// A directory with the connections `hr` and `it` to two applications of one mock; `it` has two users.
struct Directory {
    bench: Bench,
}

impl Directory {
    async fn new() -> Self {
        let directory = Self { bench: Bench::new("aquera").await };
        directory.write("hr", &[user("1", "ada")]);
        directory.write("it", &[user("1", "bob"), user("2", "brook")]);
        directory
    }

    fn write(&self, name: &str, users: &[Value]) {
        let lines: Vec<String> = users.iter().map(ToString::to_string).collect();
        std::fs::write(self.bench.path(&format!("{name}.ndjson")), lines.join("\n")).unwrap();
        self.configure(name, |text| text);
    }

    fn configure(&self, name: &str, change: impl FnOnce(String) -> String) {
        let url = self.url(name);
        let text = self.bench.config_text();
        let text = text
            .replace(&self.bench.mock.scim_url(), &url)
            .replace("users.ndjson", &format!("{name}.ndjson"));
        let text = text.replace("name = \"test\"", &format!("name = \"{name}\""));
        std::fs::write(self.bench.path(&format!("{name}.toml")), change(text)).unwrap();
    }

    fn url(&self, name: &str) -> String {
        self.bench.mock.scim_url().replace("/scim", &format!("/apps/{name}/scim"))
    }

    async fn run(&self, arguments: &[&str]) -> std::process::Output {
        run(arguments, self.bench.folder.path()).await
    }
}

#[tokio::test]
async fn every_configuration_of_a_directory_is_run_with_its_own_state() {
    for jobs in [&[][..], &["--jobs", "4"]] {
        let directory = Directory::new().await;
        let arguments = [&["sync", "-c", ".", "--json"], jobs].concat();
        let done = directory.run(&arguments).await;
        assert_eq!(done.status.code(), Some(0), "{}", err(&done));
        let lines = objects(&done);
        let connections: Vec<&Value> =
            lines.iter().filter(|line| line["type"] == "user").map(|line| &line["connection"]).collect();
        assert_eq!(connections.iter().filter(|name| ***name == "hr").count(), 1);
        assert_eq!(connections.iter().filter(|name| ***name == "it").count(), 2);
        let total = lines.last().unwrap();
        assert_eq!(total["type"], "summary", "the last object is a summary");
        assert_eq!(total["exitCode"], 0);
        let files: Vec<&Value> =
            total["connections"].as_array().unwrap().iter().map(|one| &one["connection"]).collect();
        assert_eq!(files, ["hr", "it"], "in the order of the files");
        for name in ["hr", "it"] {
            assert!(directory.bench.path(&format!("{name}.db")).exists(), "{name}");
        }
        assert!(!directory.bench.path("aquera.db").exists());
        // Alone it has the same state: nothing is left to do.
        let alone = directory.run(&["sync", "-c", "it.toml", "--json"]).await;
        assert_eq!(objects(&alone).len(), 1, "{}", out(&alone));
    }
}

#[tokio::test]
async fn lines_for_people_have_the_name_of_their_connection() {
    let directory = Directory::new().await;
    directory.configure("it", |text| text.replace(crate::support::TOKEN, "wrong"));
    let done = directory.run(&["sync", "-c", "."]).await;
    assert_eq!(done.status.code(), Some(3));
    let text = out(&done);
    for line in text.lines().filter(|line| !line.starts_with("2 connections")) {
        assert!(line.starts_with("[hr] ") || line.starts_with("[it] "), "{line}");
    }
    assert!(text.contains("[hr] success"), "{text}");
    assert!(err(&done).contains("[it] "), "{}", err(&done));
    assert!(text.contains("2 connections: 1 done, 1 with an exit code other than 0"), "{text}");
}

#[tokio::test]
async fn failing_connection_does_not_stop_the_others_and_the_worst_exit_counts() {
    let directory = Directory::new().await;
    // Before and behind the others in the order of names.
    std::fs::write(directory.bench.path("a.toml"), "[connection]\nname = 7\n").unwrap();
    directory.write("zz", &[]);
    let held = {
        // A state that another run uses.
        let file = std::fs::File::create(directory.bench.path("it.db.lock")).unwrap();
        file.lock().unwrap();
        file
    };
    let done = directory.run(&["sync", "-c", ".", "--json"]).await;
    let total = objects(&done).pop().unwrap();
    let exits: Vec<(Value, Value)> = total["connections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["file"].clone(), one["exitCode"].clone()))
        .collect();
    let named = |name: &str, exit: u8| (json!(format!("./{name}.toml")), json!(exit));
    assert_eq!(exits, [named("a", 2), named("hr", 0), named("it", 2), named("zz", 5)]);
    assert_eq!((done.status.code(), &total["exitCode"]), (Some(2), &json!(2)));
    drop(held);
    std::fs::remove_file(directory.bench.path("a.toml")).unwrap();
    assert_eq!(directory.run(&["sync", "-c", "."]).await.status.code(), Some(5));
}

#[tokio::test]
async fn list_shows_each_connection_with_its_state_and_last_run() {
    let directory = Directory::new().await;
    std::fs::write(directory.bench.path("a.toml"), "[connection]\nname = 7\n").unwrap();
    directory.configure("it", |text| text.replace("[connection]\n", "[connection]\nenabled = false\n"));
    directory.run(&["sync", "-c", "hr.toml"]).await;
    directory.bench.app.clear_journal();
    let listed = directory.run(&["list", "-c", ".", "--json"]).await;
    assert_eq!(listed.status.code(), Some(2), "one configuration is invalid");
    let lines = objects(&listed);
    let shown: Vec<[&Value; 3]> =
        lines.iter().map(|line| [&line["connection"], &line["state"], &line["lastRun"]["exit"]]).collect();
    let (none, text) = (Value::Null, |text: &str| json!(text));
    assert_eq!(
        shown[..3],
        [
            [&none, &text("invalid"), &none],
            [&text("hr"), &text("on"), &json!(0)],
            [&text("it"), &text("off"), &none]
        ]
    );
    let people = out(&directory.run(&["list", "-c", "."]).await);
    let people = people.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(people.contains("hr.toml: \"hr\", on, last run "), "{people}");
    assert!(people.contains("it.toml: \"it\", off, never run"), "{people}");
    let one = directory.run(&["list", "-c", "hr.toml"]).await;
    assert_eq!(one.status.code(), Some(0), "{}", err(&one));
}

#[tokio::test]
async fn directory_is_refused_where_one_connection_is_meant() {
    let directory = Directory::new().await;
    for arguments in [
        &["sync", "-c", ".", "--approve-removals", "1"][..],
        &["sync", "-c", ".", "--approve", "0123456789ab"],
        &["sync", "-c", ".", "--accept-new-source"],
        &["sync", "-c", ".", "--state", "x.db"],
        &["list", "-c", ".", "--state", "x.db"],
        &["status", "-c", "."],
        &["plan", "-c", "."],
        &["forget", "ada", "-c", "."],
    ] {
        let refused = directory.run(arguments).await;
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        let told = err(&refused);
        assert!(told.contains("-c ./NAME.toml") || told.contains("name its file"), "{arguments:?}: {told}");
    }
    let empty = tempfile::tempdir().unwrap();
    let none = run(&["sync", "-c", "."], empty.path()).await;
    assert_eq!(none.status.code(), Some(2));
    assert!(err(&none).contains("no configuration"), "{}", err(&none));
}

/// The first signal ends every run at its next request, and no further connection is begun.
#[cfg(unix)]
#[tokio::test]
async fn interrupt_ends_a_run_over_a_directory() {
    use std::process::Stdio;
    use tokio::io::AsyncReadExt as _;

    let directory = Directory::new().await;
    let mut command = tokio::process::Command::from(crate::program::provisioner(
        &["sync", "-c", ".", "--json"],
        directory.bench.folder.path(),
    ));
    // An application is there from its first request on.
    directory.run(&["sync", "-c", "hr.toml", "--dry-run"]).await;
    let application = directory.bench.mock.application("hr").unwrap();
    let mut held = application.hold(3, mock_aquera::Phase::BeforeEffect);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    held.reached().await;
    let pid = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let mut stderr = tokio::io::BufReader::new(child.stderr.take().unwrap());
    let mut notice = [0; 20];
    stderr.read_exact(&mut notice).await.unwrap();
    held.release();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).await.unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(130), "{text}");
    let total: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(total["connections"].as_array().unwrap().len(), 1, "the second one was not begun: {text}");
    assert!(!directory.bench.path("it.db").exists());
}

#[tokio::test]
async fn options_of_one_connection_are_refused_for_a_directory() {
    let directory = Directory::new().await;
    for (option, value) in [
        ("--report", "html=run.html"),
        ("--metrics", "0"),
        ("--otlp", "http://127.0.0.1:9"),
        ("--state", "x.db"),
        ("--approve-removals", "1"),
    ] {
        let refused = directory.run(&["sync", "-c", ".", option, value]).await;
        assert_eq!(refused.status.code(), Some(2), "{option}");
        assert!(err(&refused).contains(&format!("{option} concerns one connection")), "{}", err(&refused));
    }
    assert!(!directory.bench.path("run.html").exists() && !directory.bench.path("hr.db").exists());
    let jobs = directory.run(&["sync", "-c", "hr.toml", "--jobs", "2"]).await;
    assert_eq!(jobs.status.code(), Some(2));
    assert!(err(&jobs).contains("--jobs concerns a directory"), "{}", err(&jobs));
}
