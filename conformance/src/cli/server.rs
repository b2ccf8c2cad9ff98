//! `conformance server`.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tokio::sync::watch;

use crate::case::{Case, Volume};
use crate::causes::with_causes;
use crate::cli::progress::Progress;
use crate::cli::reporting::{Choice, Ending, Reporting, Strictness};
use crate::cli::signal::{interrupt, tell, what_stays};
use crate::cli::time::positive_time;
use crate::cli::{Complaint, cases, diff, runtime};
use crate::exit::Exit;
use crate::format;
use crate::report::{CaseResult, Report, SELECTED, Verdict, labels};
use crate::server::cost::Cost;
use crate::server::discovery::{Blank, Facts};
use crate::server::preflight::{preflight, try_creation};
use crate::server::sweep::Staying;
use crate::server::{
    self, DEACTIVATED, HINT, INTERRUPTED, KEPT, LEFT_BEHIND, OF_OTHERS, Options, PREFIX, UNSEARCHED,
    WITHOUT_DELETE,
};
use crate::subject::server::client::{Client, ClientError, Credentials, Manners};

#[derive(Debug, Args)]
pub(super) struct Server {
    /// The SCIM base URL, as in https://example.com/scim/v2
    #[arg(value_name = "URL", required_unless_present = "list")]
    url: Option<String>,
    #[command(flatten)]
    access: Access,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    strictness: Strictness,
    /// Number of cases to run in parallel
    #[arg(long, value_name = "N", default_value = "8")]
    jobs: NonZeroUsize,
    /// Leave what is made at the server, to look at it
    #[arg(long)]
    keep: bool,
    /// A user to start from, as JSON; `{{unique}}` in it becomes a unique name
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Size of the run: `small` makes a few resources at a time, `normal` dozens, `large` hundreds. The cost is told before
    /// the first request that writes
    #[arg(long, value_name = "SIZE", default_value = "normal")]
    volume: Volume,
    /// Case files in place of those built in
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
    /// Play only the cases that failed, warned or broke off in this JSON report
    #[arg(long, value_name = "REPORT.json")]
    again: Option<PathBuf>,
    #[command(flatten)]
    reporting: Reporting,
}

/// The options of the connection to the subject.
#[derive(Debug, Args)]
pub(super) struct Access {
    /// Send this token
    #[arg(long, value_name = "TOKEN", env = "CONFORMANCE_BEARER", hide_env_values = true)]
    bearer: Option<String>,
    /// Send this user and password
    #[arg(
        long,
        value_name = "USER:PASSWORD",
        env = "CONFORMANCE_BASIC",
        hide_env_values = true,
        conflicts_with = "bearer"
    )]
    basic: Option<String>,
    /// Send this header field with every request; repeatable
    #[arg(long, value_name = "NAME:VALUE")]
    header: Vec<String>,
    /// Time to wait for a response: seconds, or with a unit as in 500ms or 2m
    #[arg(long, value_name = "TIME", default_value = "30", value_parser = positive_time)]
    timeout: Duration,
    /// Maximum number of requests a second
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// Slow down to no fewer requests a second than this where the server answers 429 or 503
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    min_rate: f64,
    /// Send a request that was answered 429, 502, 503 or 504 again, at most N times. Each time waits as many seconds as
    /// Retry-After says (or until its date), without one 1 s, then 2, 4, 8, 16 and 32 s; a request that would wait for
    /// more than 120 s in all is given up. A creation answered 502, 503 or 504 is looked up by its name first, and what it made
    /// is deleted
    #[arg(long, value_name = "N", default_value_t = 10)]
    retries: u32,
    /// Trust the certificates of this PEM file too: those of an authority, or that of a server which signed itself
    #[arg(long = "ca-file", visible_alias = "ca", value_name = "FILE.pem")]
    ca_file: Option<PathBuf>,
    /// Take any certificate of the server, unverified
    #[arg(long, conflicts_with = "ca_file")]
    insecure: bool,
}

impl Access {
    /// Returns a client for the service below a URL.
    pub(super) fn client(&self, url: &str) -> Result<Client, Complaint> {
        let credentials = match (&self.bearer, &self.basic) {
            (Some(token), _) => Credentials::Bearer(token.clone()),
            (None, Some(pair)) => {
                let (user, password) =
                    pair.split_once(':').ok_or_else(|| Complaint::usage("--basic wants USER:PASSWORD"))?;
                Credentials::Basic { user: user.to_owned(), password: password.to_owned() }
            }
            (None, None) => Credentials::None,
        };
        let headers = self
            .header
            .iter()
            .map(|field| {
                let (name, value) =
                    field.split_once(':').ok_or_else(|| Complaint::usage("--header wants NAME:VALUE"))?;
                Ok((name.trim().to_owned(), value.trim().to_owned()))
            })
            .collect::<Result<_, Complaint>>()?;
        let positive = |number: f64, option: &str| {
            if number.is_finite() && number > 0.0 {
                Ok(number)
            } else {
                Err(Complaint::usage(format!("{option} wants a number above 0")))
            }
        };
        let manners = Manners {
            timeout: self.timeout.min(Duration::from_hours(24)),
            rate: self.rate.map(|rate| positive(rate, "--rate")).transpose()?,
            min_rate: positive(self.min_rate, "--min-rate")?,
            retries: self.retries,
            headers,
            ca_file: self.ca_file.clone(),
            insecure: self.insecure,
            ..Manners::default()
        };
        let client = Client::new(url, credentials, manners).map_err(|error| no_client(&error))?;
        client.notify_with(tell);
        Ok(client)
    }
}

/// Describes the reason why no client can be created, and the option that helps.
fn no_client(error: &ClientError) -> Complaint {
    let next = match error {
        ClientError::CredentialsInUrl => ": give them with --bearer or --basic",
        ClientError::QueryInUrl => {
            ": give the base URL alone, and what the query says, such as an API key, with --header NAME:VALUE"
        }
        ClientError::Url(_) | ClientError::Tls(_) | ClientError::Http(_) => "",
    };
    Complaint::usage(format!("{}{next}", with_causes(error)))
}

impl Server {
    pub(super) fn run(&self) -> Result<Exit, Complaint> {
        let all = cases::load(self.cases.as_deref())?;
        let catalogue: Vec<_> = all.iter().map(|case| case.id.clone()).collect();
        let again = self.again.as_deref().map(not_passed).transpose()?;
        let is_judged = |case: &Case| {
            let is_again = again.as_ref().is_none_or(|ids| ids.contains(&case.id));
            self.strictness.takes(case.level) && case.volume <= self.volume && is_again
        };
        let judged = all.into_iter().filter(is_judged).collect();
        let cases = self.choice.choose(judged)?;
        if self.choice.list {
            let ids: Vec<_> = cases.iter().map(|case| case.id.clone()).collect();
            return Choice::print("case", &ids, self.reporting.json);
        }
        if cases.is_empty() {
            let why = if again.is_some() {
                "no case of the report is to be played again"
            } else {
                "no case is selected"
            };
            return Err(Complaint::usage(why));
        }
        let client = self.access.client(self.url.as_deref().unwrap_or_default())?;
        let blank = template(self.template.as_deref())?;
        let seed = self.choice.seed.unwrap_or_else(any_seed);
        let ending = self.reporting.open(client.redactor().own_requests(blank.templates.get("user")))?;
        let runtime = runtime()?;
        let note = |report: &mut Report| {
            self.choice.note(report);
            self.strictness.note(report);
            if let Some(file) = &self.again {
                report.facts.insert(SELECTED.to_owned(), format!("again: {}", file.display()));
            }
        };
        let facts = runtime.block_on(test_connection(&client, "server", seed, note, &ending))?;
        let stays = if self.keep { "; --keep: nothing is deleted" } else { "" };
        let cost = Cost::of(&cases, &facts);
        eprintln!("{}: {cost}, named {PREFIX}{}-…{stays}", client.base(), server::run_name(seed));
        let progress = Progress::new(cases.len(), "cases");
        let notices = progress.clone();
        client.notify_with(move |line| notices.say(line));
        let mut trouble = Ok(());
        let keep = self.keep;
        let (mut report, interrupted) = runtime.block_on(async {
            let (stopper, stop) = watch::channel(false);
            client.stop_with(stop.clone());
            let stays = what_stays(client.base(), &server::run_name(seed));
            let above = progress.clone();
            tokio::spawn(interrupt(stopper, stays, keep, move |line| above.say(line)));
            let options = Options {
                jobs: self.jobs.get(),
                seed,
                keep,
                keep_exchanges: self.reporting.keep_exchanges,
                blank,
                stop: stop.clone(),
            };
            let told = |case: &CaseResult| {
                progress.inc();
                if trouble.is_ok() {
                    trouble = ending.tell("case", case);
                }
            };
            let report = server::run(client, facts, &cases, options, told).await;
            let interrupted = *stop.borrow();
            Ok::<_, Complaint>((report, interrupted))
        })?;
        progress.end();
        trouble?;
        note(&mut report);
        let mut told = String::new();
        if interrupted {
            let untried = report.cases.iter().filter(|case| is_untried(case)).count();
            told = cut_short(untried, report.cases.len(), "cases");
        }
        told.push_str(&last_lines(&report));
        let exit = ending.finish(report, catalogue)?;
        eprint!("{told}");
        // Half a run proves nothing.
        Ok(if interrupted { Exit::Broken } else { exit })
    }
}

/// Tests the connection. Where no case can be run, writes the reports that say why, and ends with that.
pub(super) async fn test_connection(
    client: &Client,
    suite: &str,
    seed: u64,
    note: impl FnOnce(&mut Report),
    ending: &Ending,
) -> Result<Facts, Complaint> {
    let tested = match preflight(client).await {
        Ok(facts) => try_creation(client, &facts).await.map(|()| facts),
        Err(unusable) => Err(unusable),
    };
    match tested {
        Ok(facts) => Ok(facts),
        Err(unusable) => {
            let why = unusable.to_string();
            let mut report = Report::not_judged(suite, client.base(), unusable.into());
            report.seed = seed;
            note(&mut report);
            Err(ending.not_judged(report, &why))
        }
    }
}

/// Returns the ids of the cases of a report that are worth playing again.
fn not_passed(file: &Path) -> Result<BTreeSet<String>, Complaint> {
    let is_open = |case: &CaseResult| matches!(case.verdict, Verdict::Fail | Verdict::Warn | Verdict::Error);
    let report = diff::read(file)?;
    Ok(report.cases.into_iter().filter(is_open).map(|case| case.id).collect())
}

/// Whether a case was not tried because the run was interrupted.
fn is_untried(case: &CaseResult) -> bool {
    case.verdict == Verdict::Skipped && case.because.as_deref() == Some(INTERRUPTED)
}

/// Returns the line about an interrupted run.
pub(super) fn cut_short(untried: usize, of: usize, what: &str) -> String {
    match untried {
        0 => format!("interrupted: all {of} {what} were tried before\n"),
        _ => format!(
            "interrupted: {untried} of {of} {what} were not tried to the end, so nothing is said of these\n"
        ),
    }
}

/// Returns the notes after the verdicts: resources that stay behind, and hints.
fn last_lines(report: &Report) -> String {
    let mut lines = String::new();
    let clean = format!("conformance clean {}", report.subject);
    if let Some(left) = report.facts.get(LEFT_BEHIND) {
        let count = left.split(", ").count();
        let some: Vec<_> = left.split(", ").take(5).collect();
        let more = if count > some.len() { " …" } else { "" };
        let deactivated = report.facts.get(DEACTIVATED).and_then(|count| count.parse().ok()).unwrap_or(0);
        let without_delete = report.facts.get(WITHOUT_DELETE).and_then(|fact| {
            let (count, status) = fact.split_once(", ")?;
            Some((count.parse().ok()?, status.parse().ok()?))
        });
        let staying = Staying { all: count, deactivated, without_delete };
        append!(
            lines,
            "warning: {} stayed at the server, which did not delete them: {}{more}\n{}",
            labels::count(count, "resource"),
            format::one_line(&some.join(", ")),
            way_out(staying, &clean)
        );
    }
    if let Some(unsearched) = report.facts.get(UNSEARCHED) {
        append!(
            lines,
            "warning: what the run may have left could not be searched to the end: {}\n",
            format::one_line(unsearched)
        );
    }
    if let Some(kept) = report.facts.get(KEPT) {
        let stay = if kept.starts_with("1 ") { "stays" } else { "stay" };
        append!(
            lines,
            "note: {kept} {stay} at the server, as --keep says, named {PREFIX}{}-…; remove them: {clean}\n",
            server::run_name(report.seed)
        );
    }
    if let Some(others) = report.facts.get(OF_OTHERS) {
        append!(lines, "note: {others} named {PREFIX}… of other runs at the server; remove them: {clean}\n");
    }
    if let Some(hint) = report.facts.get(HINT) {
        append!(lines, "hint: {}\n", format::one_line(hint));
    }
    lines
}

/// Returns the way to remove resources that stay: `clean` cannot delete a resource that the server keeps after a DELETE,
/// or any if the server has no DELETE.
pub(super) fn way_out(staying: Staying, clean: &str) -> String {
    let mut lines = String::new();
    for sentence in staying.by_hand() {
        append!(lines, "{sentence}\n");
    }
    if staying.removable() > 0 {
        append!(lines, "remove them: {clean}\n");
    }
    lines
}

/// Returns the bodies to start from, with a user from a file.
pub(super) fn template(file: Option<&Path>) -> Result<Blank, Complaint> {
    let mut blank = Blank::default();
    if let Some(file) = file {
        let bad = |problem: String| Complaint::usage(format!("{}: {problem}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| bad(error.to_string()))?;
        let body: Value = serde_json::from_str(&text).map_err(|error| bad(format!("not JSON: {error}")))?;
        if !body.is_object() {
            return Err(bad("expected a JSON object, a user to start from".to_owned()));
        }
        let mut unknown = Vec::new();
        unknown_placeholders(&body, &mut unknown);
        if let Some(name) = unknown.first() {
            return Err(bad(format!("unknown placeholder `{{{{{name}}}}}`; did you mean `{{{{unique}}}}`?")));
        }
        blank.templates.insert("user".to_owned(), body);
    }
    Ok(blank)
}

/// Collects the placeholders of a template other than `unique`.
fn unknown_placeholders<'a>(template: &'a Value, found: &mut Vec<&'a str>) {
    match template {
        Value::String(text) => {
            let placed = text.split("{{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0));
            found.extend(placed.filter(|name| *name != "unique"));
        }
        Value::Array(elements) => elements.iter().for_each(|element| unknown_placeholders(element, found)),
        Value::Object(members) => members.values().for_each(|member| unknown_placeholders(member, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Returns a random seed that is short enough to be typed.
pub(super) fn any_seed() -> u64 {
    RandomState::new().build_hasher().finish() >> 32
}
