//! The action for GitHub and the template for GitLab: their shell is taken out and run.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use conformance::report::json;
use mock_aquera::{Auth, MockAquera};

const TOKEN: &str = "s3cr3t-token-of-the-test";

fn read(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join(name);
    std::fs::read_to_string(file).expect(name)
}

/// The block behind `key: |` (or `- |`) that follows the line `after`, without its indentation.
fn block(text: &str, after: &str, key: &str) -> String {
    let mut lines = text.lines().skip_while(|line| line.trim() != after);
    let head = lines.by_ref().find(|line| line.trim() == key).expect("the block");
    let indented = head.len() - head.trim_start().len();
    let body: Vec<&str> = lines
        .take_while(|line| line.trim().is_empty() || line.len() - line.trim_start().len() > indented)
        .collect();
    let least = body
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min();
    let least = least.expect("a line");
    body.iter().map(|line| line.get(least..).unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The names of the `env:` of a step, or of the `variables:` of a job.
fn names(text: &str, after: &str, key: &str) -> Vec<String> {
    block(text, after, key)
        .lines()
        .filter_map(|line| Some(line.split_once(':')?.0.to_owned()))
        .filter(|name| !name.starts_with('#'))
        .collect()
}

/// A place where a step runs.
struct Runner {
    folder: tempfile::TempDir,
    variables: BTreeMap<String, String>,
}

impl Runner {
    /// All variables that a step declares are set, as a runner sets them: to nothing, where nobody says otherwise.
    fn new(declared: Vec<String>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut variables: BTreeMap<String, String> =
            declared.into_iter().map(|name| (name, String::new())).collect();
        for (name, file) in [("GITHUB_OUTPUT", "output"), ("GITHUB_STEP_SUMMARY", "summary")] {
            variables.insert(name.to_owned(), folder.path().join(file).display().to_string());
        }
        variables.insert("CONFORMANCE_PROGRAM".to_owned(), env!("CARGO_BIN_EXE_conformance").to_owned());
        variables.insert("CONFORMANCE_REPORTS".to_owned(), "conformance-reports".to_owned());
        Self { folder, variables }
    }

    fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn run(&self, shell: &str, script: &str) -> Output {
        Command::new(shell)
            .args(["-e", "-c", script])
            .current_dir(self.folder.path())
            .env_remove("GITHUB_ACTIONS")
            .envs(&self.variables)
            .output()
            .expect("the shell runs")
    }

    /// A program that writes down its arguments, one a line, and the credentials in its environment.
    fn stand_in(&self, name: &str, more: &str) -> String {
        let file = self.path(name);
        let script = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$@\" > \"{0}/arguments\"\n\
             echo \"bearer=${{CONFORMANCE_BEARER-unset}} basic=${{CONFORMANCE_BASIC-unset}}\" > \"{0}/credentials\"\n{more}\n",
            self.folder.path().display()
        );
        std::fs::write(&file, script).expect("a script");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("it may be run");
        file.display().to_string()
    }
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn github() -> (String, Runner) {
    let action = read("action.yml");
    let runner = Runner::new(names(&action, "id: judge", "env:"))
        .set("CONFORMANCE_FORMATS", "json junit html markdown badge");
    (block(&action, "id: judge", "run: |"), runner)
}

fn gitlab() -> (String, Runner) {
    let template = read("ci/gitlab.yml");
    (block(&template, "script:", "- |"), Runner::new(names(&template, ".conformance:", "variables:")))
}

/// The step runs the matrix, with a selection that must not be taken apart, and writes its reports.
#[track_caller]
fn check_matrix(shell: &str, script: &str, runner: Runner) -> Runner {
    let runner = runner
        .set("CONFORMANCE_COMMAND", "matrix")
        .set("CONFORMANCE_SELECT", "kind=refusal & setting!=none")
        .set("CONFORMANCE_SEED", "7")
        .set("CONFORMANCE_ARGUMENTS", "--table\nnone\n--jobs\n2");
    let output = runner.run(shell, script);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let report = json::read(&runner.read("conformance-reports/report.json")).expect("a report");
    assert_eq!((report.suite.as_str(), report.seed, report.summary.pass), ("matrix", 7, 42));
    assert!(runner.read("conformance-reports/junit.xml").contains("tests=\"42\""));
    assert!(runner.read("conformance-reports/report.html").contains("</html>"));
    runner
}

#[test]
fn the_action_runs_the_program() {
    let (script, runner) = github();
    let runner = check_matrix("bash", &script, runner);
    assert_eq!(runner.read("output"), "exit-code=0\nreports=conformance-reports\n");
    assert!(
        runner.read("summary").starts_with("### Conformance (matrix): ✅ 42 cells passed"),
        "{}",
        runner.read("summary")
    );
    assert!(runner.read("conformance-reports/report.md").contains("42 cells passed"));
    assert!(runner.read("conformance-reports/badge.svg").contains("42 passed"));
}

#[test]
fn the_template_runs_the_program() {
    let (script, runner) = gitlab();
    for shell in ["bash", "sh"] {
        let runner =
            Runner { folder: tempfile::tempdir().expect("a folder"), variables: runner.variables.clone() };
        check_matrix(shell, &script, runner);
    }
}

/// The program is called with these arguments, gets the token by its environment, and its exit code is the step's.
#[track_caller]
fn check_call(script: &str, runner: Runner, expected: &[&str]) -> Runner {
    let program = runner.stand_in("stand-in", "exit 1");
    let runner = runner
        .set("CONFORMANCE_PROGRAM", program)
        .set("CONFORMANCE_COMMAND", "server")
        .set("CONFORMANCE_URL", "https://scim.example.com/v2?a=b c")
        .set("CONFORMANCE_BEARER", TOKEN)
        .set("CONFORMANCE_LEVEL", "must")
        .set("CONFORMANCE_BASELINE", "known failures.toml")
        .set("CONFORMANCE_SELECT", "$(touch owned) `touch owned` ; touch owned");
    let output = runner.run("bash", script);
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let arguments = runner.read("arguments");
    let arguments: Vec<&str> = arguments.lines().collect();
    assert_eq!(arguments[..5], *expected);
    assert!(!arguments.iter().any(|argument| argument.contains(TOKEN)), "{arguments:?}");
    assert!(!told(&output).contains(TOKEN), "{}", told(&output));
    assert_eq!(runner.read("credentials"), format!("bearer={TOKEN} basic=unset\n"));
    assert!(!runner.path("owned").exists(), "an input is no script");
    runner
}

const CALL: [&str; 5] = [
    "server",
    "https://scim.example.com/v2?a=b c",
    "--select=$(touch owned) `touch owned` ; touch owned",
    "--level=must",
    "--baseline=known failures.toml",
];

#[test]
fn tokens_are_passed_in_the_environment() {
    let (script, runner) = github();
    let runner = check_call(&script, runner, &CALL);
    assert_eq!(runner.read("output"), "exit-code=1\nreports=conformance-reports\n");
    let (script, runner) = gitlab();
    check_call(&script, runner, &CALL);
}

#[test]
fn invalid_inputs_are_reported() {
    let (script, runner) = github();
    let output = runner.set("CONFORMANCE_COMMAND", "server").run("bash", &script);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("the input url is missing"), "{}", told(&output));
    let (script, runner) = github();
    let runner = runner.set("CONFORMANCE_COMMAND", "matrix").set("CONFORMANCE_FORMATS", "json pdf");
    let output = runner.run("bash", &script);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("unknown format 'pdf'"), "{}", told(&output));
    let (script, runner) = gitlab();
    let output = runner.set("CONFORMANCE_COMMAND", "probe").run("bash", &script);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("CONFORMANCE_URL is missing"), "{}", told(&output));
}

#[test]
fn the_action_builds_the_program_or_takes_the_one_that_is_there() {
    let action = read("action.yml");
    let script = block(&action, "id: build", "run: |");
    let runner = Runner::new(names(&action, "id: build", "env:"));
    let output = runner.run("bash", &script);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert_eq!(runner.read("output"), format!("program={}\n", env!("CARGO_BIN_EXE_conformance")));

    // A cargo that makes the program without the time that takes.
    let runner = Runner::new(names(&action, "id: build", "env:"));
    let folder = runner.folder.path().display().to_string();
    let build = format!(
        "mkdir -p '{folder}/conformance-build/release' && ln -s '{}' '{folder}/conformance-build/release/conformance'",
        env!("CARGO_BIN_EXE_conformance")
    );
    runner.stand_in("cargo", &build);
    let path = format!("{folder}:{}", std::env::var("PATH").expect("a path"));
    let runner = runner
        .set("CONFORMANCE_PROGRAM", "")
        .set("PATH", path)
        .set("RUNNER_TEMP", folder.clone())
        .set("GITHUB_ACTION_PATH", "/the action");
    let output = runner.run("bash", &script);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let arguments = "build\n--release\n--locked\n-p\nconformance\n--manifest-path\n/the action/Cargo.toml\n--target-dir\n";
    assert!(runner.read("arguments").starts_with(arguments), "{}", runner.read("arguments"));
    assert_eq!(runner.read("output"), format!("program={folder}/conformance-build/release/conformance\n"));
}

#[test]
fn the_template_installs_the_program() {
    let template = read("ci/gitlab.yml");
    let script = block(&template, "before_script:", "- |");
    let runner = Runner::new(names(&template, ".conformance:", "variables:")).set("CONFORMANCE_PROGRAM", "");
    let output = runner.run("sh", &script);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("CONFORMANCE_SOURCE is missing"), "{}", told(&output));
    let build = format!(
        "mkdir -p .conformance/bin && ln -s '{}' .conformance/bin/conformance",
        env!("CARGO_BIN_EXE_conformance")
    );
    runner.stand_in("cargo", &build);
    let path = format!("{}:{}", runner.folder.path().display(), std::env::var("PATH").expect("a path"));
    let runner = runner
        .set("PATH", path)
        .set("CONFORMANCE_SOURCE", "https://git.example/conformance")
        .set("CONFORMANCE_REF", "v1");
    let output = runner.run("sh", &script);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let arguments = "install\n--locked\n--git\nhttps://git.example/conformance\n--branch\nv1\n";
    assert!(runner.read("arguments").starts_with(arguments), "{}", runner.read("arguments"));
}

#[test]
fn no_input_is_part_of_a_script() {
    let action = read("action.yml");
    for id in ["id: build", "id: judge"] {
        assert!(!block(&action, id, "run: |").contains("${{"), "{id}");
    }
    // Every input is used, and every variable is one.
    let inputs: Vec<&str> = block_of_inputs(&action);
    for input in &inputs {
        assert!(action.contains(&format!("inputs.{input} ")), "{input} is used");
    }
    for used in action.split("inputs.").skip(1) {
        let name: String = used.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        assert!(inputs.contains(&name.as_str()), "{name} is an input");
    }
}

fn block_of_inputs(action: &str) -> Vec<&str> {
    action
        .lines()
        .skip_while(|line| *line != "inputs:")
        .skip(1)
        .take_while(|line| !line.starts_with("outputs:"))
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| line.trim().trim_end_matches(':'))
        .collect()
}

/// A case that passes, and one that no server can pass.
const CASES: &str = r#"
[[case]]
slug = "created-can-be-read"
title = "what was created can be read"
level = "must"
requirement = "A user that was created is there."
mend = "Keep it."
needs = ["User"]
[[case.step]]
create = "User"
as = "ada"
[[case.step]]
read = "ada"
expect = [{ status = [200] }]

[[case]]
slug = "is-a-teapot"
title = "a user that is not there is a teapot"
level = "must"
requirement = "Whoever asks for nobody is answered 418."
mend = "Answer 418."
needs = ["User"]
[[case.step]]
send = "GET /Users/nobody"
expect = [{ status = [418] }]
"#;

/// Against a mock, with cases of its own.
#[tokio::test(flavor = "multi_thread")]
async fn servers_are_judged() {
    let mock = MockAquera::builder().auth(Auth::bearer(TOKEN)).start().await.expect("a mock");
    for (script, runner) in [github(), gitlab()] {
        let folder = runner.path("cases/rfc7644/3.3");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("users.toml"), CASES).expect("a file");
        let runner = runner
            .set("CONFORMANCE_COMMAND", "server")
            .set("CONFORMANCE_URL", mock.scim_url())
            .set("CONFORMANCE_BEARER", TOKEN)
            .set("CONFORMANCE_ARGUMENTS", "--cases=cases");
        let output = runner.run("bash", &script);
        assert_eq!(output.status.code(), Some(1), "{}", told(&output));
        let report = json::read(&runner.read("conformance-reports/report.json")).expect("a report");
        let summary = report.summary;
        assert_eq!((summary.pass, summary.fail, summary.error), (1, 1, 0), "{}", told(&output));
        for file in ["report.json", "junit.xml", "report.html", "badge.svg"] {
            let text = runner.read(&format!("conformance-reports/{file}"));
            assert!(!text.is_empty() && !text.contains(TOKEN), "{file}");
        }
        assert!(runner.read("conformance-reports/report.html").contains("Answer 418."));
        assert!(!told(&output).contains(TOKEN));
    }
}
