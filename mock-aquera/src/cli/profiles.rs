//! `mock-aquera profiles [NAME|FILE.toml]`.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::Failure;
use crate::profile::{self, Deviation, Difference, Profile};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The profile to show: a built-in one or a file
    #[arg(value_name = "NAME|FILE.toml")]
    name: Option<String>,
    /// Print the profile as a file that can be changed and served
    #[arg(long, requires = "name", conflicts_with = "json")]
    toml: bool,
    /// Print the JSON Schema of a profile file
    #[arg(long, conflicts_with_all = ["name", "toml", "json"])]
    schema: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let mut text = String::new();
    match &options.name {
        None if options.schema => writeln!(text, "{:#}", Profile::schema()),
        None if options.json => list_json(&mut text),
        None => list(&mut text),
        Some(name) => {
            let profile = read(name)?;
            match (options.toml, options.json) {
                (true, _) => write!(text, "{}", profile.to_toml()),
                (_, true) => show_json(&mut text, &profile),
                _ => show(&mut text, &profile),
            }
        }
    }
    .map_err(|error| Failure::failed(error.to_string()))?;
    Ok(io::stdout().write_all(text.as_bytes())?)
}

/// A built-in profile by its name, or the file at a path: what ends in `.toml` or has a separator is a path.
pub(super) fn read(written: &str) -> Result<Profile, Failure> {
    if !profile::is_path(written) {
        return Profile::builtin(written)
            .ok_or_else(|| Failure::usage(format!("find the profile: {}", profile::unknown(written))));
    }
    Profile::from_file(Path::new(written))
        .map_err(|error| Failure::usage(format!("read the profile {written}: {error}")))
}

fn list(text: &mut String) -> fmt::Result {
    let width = Profile::builtins().iter().map(|profile| profile.name.len()).max().unwrap_or_default();
    for profile in Profile::builtins() {
        writeln!(text, "{:width$}  {}", profile.name, profile.summary)?;
    }
    Ok(())
}

fn list_json(text: &mut String) -> fmt::Result {
    for profile in Profile::builtins() {
        writeln!(text, "{}", about(profile))?;
    }
    writeln!(text, "{}", json!({"type": "summary", "profiles": Profile::builtins().len()}))
}

fn about(profile: &Profile) -> Value {
    let Profile { name, summary, extends, source, date, .. } = profile;
    json!({
        "type": "profile", "name": name, "summary": summary, "extends": extends, "source": source, "date": date,
        "advertisesPatch": profile.advertises_patch(),
    })
}

fn show_json(text: &mut String, profile: &Profile) -> fmt::Result {
    writeln!(text, "{}", about(profile))?;
    let differences = profile.differences();
    for Difference { key, value, rfc, meaning } in &differences {
        let line = json!({"type": "difference", "key": key, "value": value, "rfc": rfc, "meaning": meaning});
        writeln!(text, "{line}")?;
    }
    for Deviation { deviation, spec, source } in &profile.deviations {
        let line = json!({"type": "deviation", "deviation": deviation, "spec": spec, "source": source});
        writeln!(text, "{line}")?;
    }
    let (differences, deviations) = (differences.len(), profile.deviations.len());
    writeln!(text, "{}", json!({"type": "summary", "differences": differences, "deviations": deviations}))
}

fn show(text: &mut String, profile: &Profile) -> fmt::Result {
    let Profile { name, summary, .. } = profile;
    writeln!(text, "{name}: {summary}")?;
    if let Some(source) = &profile.source {
        let date = profile.date.as_ref().map(|date| format!(", read {date}")).unwrap_or_default();
        writeln!(text, "Source     {source}{date}")?;
    }
    let claim = if profile.advertises_patch() { "works" } else { "does not work" };
    writeln!(text, "ServiceProviderConfig says that PATCH {claim}.")?;

    let differences = profile.differences();
    writeln!(
        text,
        "{}",
        if differences.is_empty() { "\nEvery switch is where the RFC has it." } else { "" }
    )?;
    for difference in &differences {
        show_difference(text, difference)?;
    }
    for Deviation { deviation, spec, source } in &profile.deviations {
        writeln!(text, "\nDeviation  {deviation}\nFrom       {spec}\nSource     {source}")?;
    }
    if profile.deviations.is_empty() && differences.is_empty() {
        writeln!(text, "No deviation from the RFC is intended.")
    } else {
        writeln!(text, "\nAn approximation from public sources, not a certified copy of any product.")
    }
}

fn show_difference(text: &mut String, difference: &Difference) -> fmt::Result {
    let Difference { key, value, rfc, meaning } = difference;
    match value {
        // What it says is in its meaning already.
        Value::Object(_) => writeln!(text, "[[{key}]]")?,
        value => {
            let rfc = if rfc.is_null() { "not set".to_owned() } else { rfc.to_string() };
            let value = if value.is_null() { "not set".to_owned() } else { value.to_string() };
            writeln!(text, "{key} = {value}  (RFC: {rfc})")?;
        }
    }
    writeln!(text, "    {meaning}")
}
