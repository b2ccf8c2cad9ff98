//! `conformance explain`.

use std::path::PathBuf;

use clap::Args;
use cli_support::suggest::did_you_mean;

use crate::case::{Case, describe};
use crate::cli::{Complaint, cases, client, say};
use crate::client::case as client_case;
use crate::exit::Exit;
use crate::matrix::cell::{Cell, Extent};
use crate::probe::report as probe;
use crate::probe::variant::Variant;
use crate::probe::variant::load::built_in;
use crate::report::{Report, labels};
use crate::requirement::current_id;

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// Id of a case of `server` or `client`, a variant of `probe`, or a cell of `matrix`
    #[arg(value_name = "ID")]
    id: String,
    /// Also print its result in this JSON report
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Case files in place of those built in
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
}

impl Explain {
    pub(super) fn run(&self) -> Result<Exit, Complaint> {
        let variants = built_in().map_err(Complaint::broken_by)?;
        let id = self.full_id(variants);
        let ended = self.report.as_ref().map(|file| ended(file, &id)).transpose()?;
        let cases = cases::load(self.cases.as_deref())?;
        let clients = client::load(None)?.cases;
        let text = self.text(&id, &cases, &clients, variants)?;
        say(&format!("{text}{}", ended.unwrap_or_default())).map(|()| Exit::Passed)
    }

    /// Returns the id, in full if it is the slug of a variant alone.
    fn full_id(&self, variants: &[Variant]) -> String {
        let variant = variants.iter().find(|variant| variant.slug == self.id);
        variant.map_or_else(|| current_id(&self.id).into_owned(), probe::id)
    }

    fn text(
        &self,
        id: &str,
        cases: &[Case],
        clients: &[client_case::Case],
        variants: &[Variant],
    ) -> Result<String, Complaint> {
        if let Some(case) = cases.iter().find(|case| case.id == id) {
            return Ok(describe::describe(case));
        }
        let is_place = |case: &&Case| case.id.strip_prefix(id).is_some_and(|rest| rest.starts_with('/'));
        let places: Vec<_> = cases.iter().filter(is_place).collect();
        if let Some(first) = places.first().filter(|_| id.matches('/').count() == 2) {
            let ids = places.iter().fold(String::new(), |ids, case| ids + "  " + &case.id + "\n");
            let count = labels::count(places.len(), "place");
            return Ok(format!(
                "{}\nThe rule is played at {count}; the first is above:\n{ids}",
                describe::describe(first)
            ));
        }
        if let Some(case) = clients.iter().find(|case| case.id() == id) {
            return Ok(case.describe());
        }
        if id == probe::ACTIVE_TYPE {
            return Ok(probe::describe_active_type());
        }
        if let Some(variant) = variants.iter().find(|variant| probe::id(variant) == id) {
            return Ok(probe::describe(variant));
        }
        if let Some(cell) = Cell::all(Extent::Every).iter().find(|cell| cell.id() == id) {
            return Ok(format!("{}\n{}\n\nRun it alone: {}\n", cell.id(), cell.title(), cell.command()));
        }
        let ids = cases.iter().map(|case| case.id.clone()).chain(clients.iter().map(client_case::Case::id));
        let ids: Vec<String> = ids.chain(variants.iter().map(probe::id)).collect();
        let meant = did_you_mean(id, ids.iter().map(String::as_str));
        Err(Complaint::usage(format!(
            "unknown id `{}`{meant}\nAll ids: conformance cases, conformance client --list, conformance matrix --list; those of probe are in its report",
            self.id
        )))
    }
}

/// Returns the result of a case in a report.
fn ended(file: &std::path::Path, id: &str) -> Result<String, Complaint> {
    let bad = |problem: String| Complaint::usage(format!("{}: {problem}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| bad(error.to_string()))?;
    let report: Report =
        serde_json::from_str(&text).map_err(|error| bad(format!("no report of conformance: {error}")))?;
    let case = report.cases.iter().find(|case| case.id == id);
    let case = case.ok_or_else(|| bad(format!("`{id}` is not in it")))?;
    let mut text = format!("\nIn that report  {}\n", case.verdict.as_str());
    if let Some(because) = &case.because {
        append!(text, "Because         {because}\n");
    }
    if !case.expected.is_null() {
        append!(text, "Expected        {}\nGot             {}\n", case.expected, case.actual);
    }
    Ok(text)
}
