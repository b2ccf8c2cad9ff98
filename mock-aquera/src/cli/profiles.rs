//! `mock-aquera profiles [NAME]`.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

use super::Failure;
use crate::profile::{self, Profile};

pub(super) fn run(name: Option<&str>) -> Result<(), Failure> {
    let mut text = String::new();
    match name {
        None => list(&mut text),
        Some(name) => match Profile::builtin(name) {
            Some(profile) => show(&mut text, &profile),
            None => return Err(Failure::usage(format!("show a profile: {}", profile::unknown(name)))),
        },
    }
    .map_err(|error| Failure::failed(error.to_string()))?;
    Ok(io::stdout().write_all(text.as_bytes())?)
}

fn list(text: &mut String) -> fmt::Result {
    let width = Profile::builtins().iter().map(|profile| profile.name.len()).max().unwrap_or_default();
    for profile in Profile::builtins() {
        writeln!(text, "{:width$}  {}", profile.name, profile.summary)?;
    }
    Ok(())
}

fn show(text: &mut String, profile: &Profile) -> fmt::Result {
    let claim =
        if profile.advertises_patch() { "says that PATCH works" } else { "says that PATCH does not work" };
    writeln!(text, "{}: {}\nServiceProviderConfig {claim}.", profile.name, profile.summary)?;
    for deviation in &profile.deviations {
        let profile::Deviation { deviation, spec, source } = deviation;
        writeln!(text, "\nDeviation  {deviation}\nFrom       {spec}\nSource     {source}")?;
    }
    if profile.deviations.is_empty() {
        writeln!(text, "No deviation from the RFC is intended.")
    } else {
        writeln!(text, "\nAn approximation from public sources, not a certified copy of any product.")
    }
}
