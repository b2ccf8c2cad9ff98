//! Text of others that would steer a terminal or forge a line, in every command and every place of the output.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::json;

use crate::scripted::{Answer, Asked, target};
use crate::support::{Bench, TOKEN, but, user};

/// A line break with a line behind it, colours, a change of direction, and C1 controls.
const HOSTILE: &str = "eve\r\nFORGED\u{1b}[31m\u{202e}x\u{9b}2J\u{2028}y\u{7f}";

async fn run(arguments: &[&str], folder: &Path, answers: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provisioner"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_remove("COLUMNS")
        .env("NO_COLOR", "1")
        .env("AQUERA_TOKEN", TOKEN);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let answers = answers.to_owned();
    tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), answers.as_bytes());
        child.wait_with_output().unwrap()
    })
    .await
    .unwrap()
}

fn steers(sign: char) -> bool {
    (sign.is_control() && sign != '\n')
        || matches!(sign, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{200f}')
}

#[track_caller]
fn check(output: &Output, arguments: &[&str]) {
    for (stream, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(!text.contains(steers), "{arguments:?} steers by {stream}: {text:?}");
        for line in text.lines() {
            assert!(!line.trim_start_matches(['│', '|', ' ']).starts_with("FORGED"), "{arguments:?}: {text}");
            // A letter may have a few marks, not hundreds.
            assert!(!line.contains(&"\u{301}".repeat(20)) || line.starts_with('{'), "{arguments:?}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_of_others_cannot_steer_the_terminal_or_forge_a_line() {
    let refuses = |asked: &Asked| match asked.method.as_str() {
        "GET" => Answer::list(&[]),
        _ => Answer::error(400, &format!("{HOSTILE}: {}", "no ".repeat(9))),
    };
    let refusing = target(refuses).await;
    let name = format!("{HOSTILE}\0{}", "a\u{301}".to_owned() + &"\u{301}".repeat(300));
    let users = [
        but(user(HOSTILE, &name), json!({ HOSTILE: 1, "title": HOSTILE })),
        but(user("2", &name.to_uppercase()), json!({ HOSTILE: 1 })),
    ];
    let toml = serde_json::to_string(HOSTILE).unwrap().replace('\u{7f}', "\\u007f");
    for refuse in [false, true] {
        let mut bench = Bench::new("aquera").await;
        bench.settings.scim_url = Some(refusing.clone()).filter(|_| refuse);
        bench.settings.options = "max-attempts = 1".to_owned();
        bench.settings.rules = format!(
            "[[rule]]\nname = {toml}\n[[rule.mapping]]\nsource = \"username\"\ntarget = \"userName\"\n\
             [[rule.mapping]]\nexpression = \"user.title == {} ? user.nickname : user.email\"\ntarget = \"title\"\n",
            "'Lead'"
        );
        bench.users(&users);
        bench.write_config();
        let folder = bench.folder.path();
        let commands: [&[&str]; 30] = [
            &["check"],
            &["check", "--json"],
            &["test-connection"],
            &["plan", "--out", "plan.json"],
            &["plan", "--json"],
            &["sync"],
            &["apply", "plan.json"],
            &["sync", "--full", "--json"],
            &["status"],
            &["status", "--json"],
            &["explain", HOSTILE],
            &["explain", "2"],
            &["explain", "2", "--json"],
            &["explain", "FORGED\nFORGED"],
            &["filter", "try", "title pr"],
            &["filter", "try", "title pr", HOSTILE],
            &["filter", "try", "title pr", "--json"],
            &["filter", "try", HOSTILE],
            &["filter", "try", "title eq \"\nFORGED\u{1b}\u{202e}\" and emial pr"],
            &["mapping", "try", HOSTILE],
            &["mapping", "try", "2", "--source", HOSTILE],
            &["mapping", "try", "2", "--source", "title", "--target", HOSTILE],
            &["mapping", "try", "2", "--expression", HOSTILE],
            &["mapping", "try", "2", "--expression", "'\\nFORGED\u{1b}' + user.nickname"],
            &["mapping", "try", HOSTILE, "--expression", "user.username"],
            &["apply", HOSTILE],
            &["status", "-c", HOSTILE],
            &["status", "--state", "."],
            &[HOSTILE],
            &["sync", "--allow-empty-scope", HOSTILE, HOSTILE],
        ];
        for arguments in commands {
            check(&run(arguments, folder, "").await, arguments);
        }
        bench.users(&users[..0]);
        check(&run(&["sync"], folder, "").await, &["sync without users"]);
        std::fs::write(bench.path("users.ndjson"), format!("{{{toml}:1,{toml}:2}}\n{{\"id\":{toml}}}\n"))
            .unwrap();
        check(&run(&["check"], folder, "").await, &["check a broken source"]);
        let answers = format!("{HOSTILE}\n{HOSTILE}\nhttp://{HOSTILE}\n");
        check(&run(&["init", "-c", "new.toml"], folder, &answers).await, &["init"]);
        check(&run(&["disable"], folder, "").await, &["disable"]);
        // The file itself: in a comment, in a key, in a value that is wrong.
        let text = bench.config_text();
        for wrong in [
            format!("# {HOSTILE}\n{text}"),
            text.replace("[source]", &format!("{toml} = 1\n[source]")),
            text.replace("kind = \"file\"", &format!("kind = {toml}")),
            text.replace("target = \"title\"", &format!("target = {toml}")),
            text.replace("[[rule]]", "# \u{202e}\u{9b}31m\n[[rule]]\nfilter = 'emial pr'"),
        ] {
            std::fs::write(bench.path("aquera.toml"), wrong).unwrap();
            for command in ["check", "sync", "enable"] {
                check(&run(&[command], folder, "").await, &[command, "with a wrong file"]);
            }
        }
    }
}
