//! What is wrong with the command line or the environment is told in plain words.

use std::io::Read as _;

use crate::client::http;
use crate::program::{Running, command, finished};

#[test]
fn number_that_is_none_is_told_in_plain_words() {
    for (arguments, part) in [
        (&["--port", "x"][..], "'x' for '--port <PORT>': expected a whole number"),
        (&["--port", ""], "expected a whole number"),
        (&["--port", "99999"], "expected a whole number from 0 to 65535"),
        (&["--seed", "x"], "'x' for '--seed <N>': expected a whole number"),
        (&["--seed", "1.5"], "expected a whole number"),
        (&["--users", "x"], "expected a whole number"),
        (&["--users", "1000001"], "expected a whole number from 0 to 1000000"),
        (&["--users", "99999999999999999999999"], "the number is too large"),
        (&["--journal-limit", "x"], "expected a whole number"),
        (&["serve", "--journal-limit", "99999999999999999999999"], "the number is too large"),
        (&["--seed", "invalid digit found in string"], "'--seed <N>': expected a whole number"),
    ] {
        let (code, out, err) = finished(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains(part), "{arguments:?}: {err}");
        let reason = err.rsplit("': ").next().unwrap();
        for foreign in ["invalid digit", "target type", " is not in ", "cannot parse"] {
            assert!(!reason.contains(foreign), "{arguments:?}: {err}");
        }
    }
}

/// What a server writes to stderr with this in its environment, while it answers one request.
async fn told(filter: &str) -> String {
    let mut command = command(&["--listen", "127.0.0.1:0", "--json"]);
    let mut server = Running::of(command.env("RUST_LOG", filter).spawn().unwrap());
    let url = server.ready()["scimUrl"].as_str().unwrap().to_owned();
    assert_eq!(http().get(format!("{url}/Users")).send().await.unwrap().status(), 401);
    // Lines come in the order of their events, and the last one is written before the end.
    let stopped = std::process::Command::new("kill").arg(server.child.id().to_string()).status().unwrap();
    assert!(stopped.success());
    server.child.wait().unwrap();
    let mut text = String::new();
    server.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    text
}

#[cfg(unix)]
#[tokio::test]
async fn empty_rust_log_is_as_none() {
    for filter in ["", " "] {
        let text = told(filter).await;
        assert!(text.contains("401 GET /scim/Users"), "{filter:?}: {text}");
        assert!(!text.contains("RUST_LOG"), "{filter:?}: {text}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn rust_log_that_cannot_be_read_is_told_with_the_way_out() {
    for (filter, part) in [
        ("garbage==", "`garbage==`"),
        ("mock_aquera=dbug", "did you mean `debug`?"),
        ("dbug", "did you mean `debug`?"),
        ("info,wran", "did you mean `warn`?"),
    ] {
        let text = told(filter).await;
        assert!(text.contains("RUST_LOG") && text.contains(part), "{filter:?}: {text}");
        assert!(text.contains("401 GET /scim/Users"), "{filter:?}: {text}");
    }
    for filter in
        ["info", "mock_aquera=debug,hyper=off", "mock_aquera", "WARN", "info,mock_aquera::requests=off"]
    {
        let text = told(filter).await;
        assert!(!text.contains("RUST_LOG"), "{filter:?}: {text}");
    }
}
