//! Valid configurations, and the problems of invalid ones.

mod secrets;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use miette::{GraphicalReportHandler, GraphicalTheme};
use provisioner::config::{Config, ConfigError, Credentials, UpdateMethod};
use provisioner::ids::UserName;
use provisioner::preferences::{Contradiction, Preferences, RawPreferences, RemoveAction};
use secrecy::ExposeSecret;

fn connections(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/connections").join(folder)
}

/// Looks up the environment variables of the tests.
fn env(name: &str) -> Option<String> {
    match name {
        "AQUERA_TOKEN" => Some("s3cret-token".to_owned()),
        "AQUERA_EMPTY" => Some(" ".to_owned()),
        "AQUERA_TWO_LINES" => Some("s3cret\ntoken".to_owned()),
        _ => None,
    }
}

fn load(file: &Path) -> Result<Config, ConfigError> {
    let text = fs::read_to_string(file).unwrap();
    Config::parse_with(&text, file, &env)
}

fn render(error: &dyn miette::Diagnostic) -> String {
    let mut out = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(110);
    handler.render_report(&mut out, error).unwrap();
    out.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn bad_connections_are_refused_with_place_and_way_out() {
    let mut files: Vec<_> =
        fs::read_dir(connections("bad")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut catalogue = String::new();
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        // The bare name keeps this machine's folders out of the snapshot.
        let Err(error) = Config::parse_with(&text, Path::new(name), &env) else {
            panic!("{name} is accepted")
        };
        let rendered = render(&error);
        // The fixture says what must be told; line breaks of the rendering do not count.
        let told: Vec<String> = error
            .problems()
            .iter()
            .map(|problem| format!("{} | {}", problem.message(), problem.way_out()))
            .collect();
        for expected in text.lines().filter_map(|line| line.strip_prefix("# refused: ")) {
            assert!(
                told.iter().any(|told| told.contains(expected)),
                "{name}: {expected:?} is not in {told:#?}"
            );
        }
        if let Some(count) = text.lines().find_map(|line| line.strip_prefix("# problems: ")) {
            assert_eq!(told.len().to_string(), count, "{name}: {told:#?}");
        }
        for text in [&rendered, &format!("{error:?}"), &error.to_string()] {
            assert!(!text.contains("s3cret") && !text.contains("5318008"), "{name} shows a secret: {text}");
        }
        writeln!(catalogue, "━━ {name}\n{rendered}").unwrap();
    }
    insta::assert_snapshot!(catalogue);
}

#[test]
fn files_that_cannot_be_read_are_named() {
    #[track_caller]
    fn check(file: &Path, expected: &str) {
        let error = Config::load(file).unwrap_err();
        assert!(error.to_string().ends_with(expected), "{error}");
        assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    check(&folder.path().join("nobody.toml"), "there is no such file");
    check(folder.path(), "it is a directory");
    let file = folder.path().join("latin1.toml");
    fs::write(&file, b"name = \"caf\xe9\"").unwrap();
    check(&file, "it is not UTF-8");
}

#[test]
fn minimal_connection_has_the_documented_defaults() {
    let file = connections("good").join("bearer-minimal.toml");
    let config = load(&file).unwrap();
    assert_eq!(config.name, "Acme HR to Aquera");
    assert!(config.enabled);
    assert_eq!(config.authentication.scim_url.to_string(), "http://127.0.0.1:8080/scim");
    assert!(matches!(&config.authentication.credentials, Credentials::Bearer { token }
        if token.expose_secret() == "s3cret-token"));
    assert_eq!(RawPreferences::from(config.preferences), RawPreferences::default());
    let options = config.options;
    assert_eq!(options.update_method, UpdateMethod::Auto);
    assert_eq!(options.concurrency.get(), 8);
    assert_eq!(options.max_removals, 500);
    assert_eq!(options.max_removals_percent, 20);
    assert_eq!(options.max_attempts.get(), 5);
    assert_eq!(options.request_timeout, Duration::from_secs(30));
    assert_eq!(options.retry_after_cap, Duration::from_mins(2));
    assert!(options.exclude.is_empty() && !options.clear_missing_attributes);
    assert_eq!(config.source.identity, "file:users.ndjson");
    assert_eq!(config.source.path(), Some(connections("good").join("users.ndjson").as_path()));
    assert!(config.rules.is_empty());
}

#[test]
fn every_option_is_read() {
    let file = connections("good").join("every-option.toml");
    let config = load(&file).unwrap();
    assert!(!config.enabled);
    assert_eq!(config.description.as_deref(), Some("Employees and contractors"));
    assert!(config.authentication.scim_url.is_https());
    // The line break at the end of the file is not part of the password.
    assert!(matches!(&config.authentication.credentials, Credentials::Basic { user, password }
        if user == "hr" && password.expose_secret() == "s3cret password"));
    assert!(!format!("{config:?}").contains("s3cret"));
    let deprovision = config.preferences.deprovisions().unwrap();
    assert_eq!(deprovision.remove_action, RemoveAction::Disable);
    assert!(deprovision.on_rule_deletion);
    let options = &config.options;
    assert_eq!(options.update_method, UpdateMethod::Patch);
    assert_eq!(
        options.exclude.iter().map(UserName::folded).collect::<Vec<_>>(),
        ["admin@example.com", "root"]
    );
    assert_eq!(options.concurrency.get(), 2);
    assert_eq!(options.max_attempts.get(), 1);
    assert_eq!(options.max_removals, 0);
    assert_eq!(options.max_removals_percent, 100);
    assert_eq!(options.request_timeout, Duration::from_secs(5));
    assert_eq!(options.retry_after_cap, Duration::from_mins(2));
    assert!(options.clear_missing_attributes);
    let names: Vec<_> = config.rules.iter().map(|rule| (rule.name.as_str(), rule.enabled)).collect();
    assert_eq!(names, [("employees", true), ("contractors", false)]);
    assert_eq!(config.source.attributes.custom(), ["badgeNumber", "hr.costCenter"]);
}

#[test]
fn settings_of_the_network_are_read() {
    let text = fs::read_to_string(connections("good").join("bearer-minimal.toml")).unwrap();
    let parse = |options: &str| {
        let text = text.replace("[source]", &format!("[connection.options]\n{options}\n[source]"));
        Config::parse_with(&text, Path::new("aquera.toml"), &env).unwrap().network
    };
    let plain = parse("");
    assert!(plain.proxy.is_none() && plain.identity.is_none() && !plain.allow_private);
    let network = parse(
        "allow-private = true\nproxy = \"http://proxy.example.com:3128\"\nproxy-user = \"hr\"\n\
         proxy-password = { env = \"AQUERA_TOKEN\" }",
    );
    assert!(network.allow_private);
    let proxy = network.proxy.clone().unwrap();
    assert_eq!(proxy.url.as_str(), "http://proxy.example.com:3128/");
    assert!(
        proxy
            .credentials
            .is_some_and(|(user, password)| { user == "hr" && password.expose_secret() == "s3cret-token" })
    );
    assert!(!format!("{network:?}").contains("s3cret"));
}

#[cfg(unix)]
#[test]
fn secret_is_the_output_of_a_command_without_its_line_break() {
    let text = fs::read_to_string(connections("good").join("bearer-minimal.toml")).unwrap();
    let token = |words: &str| {
        let text = text.replace("{ env = \"AQUERA_TOKEN\" }", &format!("{{ command = {words} }}"));
        match Config::parse_with(&text, Path::new("aquera.toml"), &env) {
            Ok(config) => match config.authentication.credentials {
                Credentials::Bearer { token } => Ok(token.expose_secret().to_owned()),
                Credentials::Basic { .. } => panic!("a bearer token"),
            },
            Err(error) => Err(error.problems()[0].message().to_owned()),
        }
    };
    assert_eq!(token(r#"["printf", "s3cret\\n"]"#).unwrap(), "s3cret");
    // The words of a shell are arguments like any other.
    assert_eq!(token(r#"["printf", "%s", "$HOME;`id`"]"#).unwrap(), "$HOME;`id`");
    let two_lines = token(r#"["printf", "s%s\\n%s\\n", "3cret", "other"]"#).unwrap_err();
    assert!(two_lines.contains("a line break") && !two_lines.contains("s3cret"), "{two_lines}");
    let failed = token(r#"["sh", "-c", "echo 0ut; echo err0r >&2; exit 3"]"#).unwrap_err();
    assert!(failed.contains("the command `sh` failed: exit status: 3"), "{failed}");
    assert!(!failed.contains("0ut") && !failed.contains("err0r"), "{failed}");
}

#[test]
fn inline_tables_mean_the_same() {
    let config = load(&connections("good").join("inline.toml")).unwrap();
    assert_eq!(config.rules.len(), 1);
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[test]
fn changed_credential_changes_the_fingerprint() {
    let text = fs::read_to_string(connections("good").join("bearer-minimal.toml")).unwrap();
    let fingerprint = |text: &str, token: &str| {
        let env = |_: &str| Some(token.to_owned());
        Config::parse_with(text, Path::new("aquera.toml"), &env).unwrap().authentication.fingerprint()
    };
    let first = fingerprint(&text, "one");
    assert_eq!(first, fingerprint(&text.replace("scim/", "scim"), "one"));
    assert_ne!(first, fingerprint(&text, "two"));
    assert_ne!(first, fingerprint(&text.replace("8080", "8081"), "one"));
}

/// Returns a setting as a line of the table below.
fn row(raw: RawPreferences) -> String {
    let flag = |on: bool| if on { "on " } else { "off" };
    let action = match raw.remove_action {
        Some(RemoveAction::Delete) => "delete ",
        Some(RemoveAction::Disable) => "disable",
        None => "-      ",
    };
    let verdict = match Preferences::try_from(raw) {
        Ok(_) => "valid".to_owned(),
        Err(contradictions) => contradictions
            .iter()
            .map(|found| format!("{}: {found}", found.option()))
            .collect::<Vec<_>>()
            .join("; "),
    };
    format!(
        "{}      {}      {}     {}         {action}       {}        {verdict}",
        flag(raw.enable_users_creation),
        flag(raw.enable_users_updation),
        flag(raw.enable_users_disable),
        flag(raw.enable_users_deprovision),
        flag(raw.deprovision_on_rule_deletion),
    )
}

#[test]
fn settings_match_the_snapshot() {
    let rows: Vec<String> = RawPreferences::all().map(row).collect();
    assert_eq!(rows.iter().filter(|row| row.ends_with("valid")).count(), 22);
    let head = "creation updation disable deprovision remove-action rule-deletion";
    insta::assert_snapshot!(format!("{head}\n{}", rows.join("\n")));
}

#[test]
fn settings_of_a_file_differ_as_the_preferences_do() {
    for raw in RawPreferences::all() {
        let preferences = toml::to_string(&raw).unwrap();
        let text = format!(
            "[connection]\nname = \"x\"\n[connection.authentication]\nscim-url = \"http://localhost/\"\n\
             profile = \"bearer-token\"\noauth-access-token = \"t\"\n[connection.preferences]\n{preferences}\
             [source]\nkind = \"file\"\npath = \"users.csv\"\n"
        );
        let found = Config::parse_with(&text, Path::new("aquera.toml"), &env);
        match Preferences::try_from(raw) {
            Ok(preferences) => assert_eq!(found.unwrap().preferences, preferences),
            Err(contradictions) => {
                let mut options: Vec<_> = contradictions.into_iter().map(Contradiction::option).collect();
                let mut told = found.unwrap_err().contradictions();
                options.sort_unstable();
                told.sort_unstable();
                assert_eq!(told, options, "{raw:?}");
            }
        }
    }
}
