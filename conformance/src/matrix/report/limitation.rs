//! The known limitation in one table: a Remove Action against a service provider with and without partial updates.

use crate::matrix::cell::{Cell, Kind};
use crate::matrix::model::Method;
use crate::matrix::run::{LastWord, Played, Verdict};

/// The cells that the table is made of.
pub const SELECTION: &str = "scenario=deleted & auth=bearer & (profile=aquera | profile=no-partial-update) & \
     setting=create+update+disable+deprovision-by-*&!setting=*rules";

/// Returns the table, in Markdown.
pub fn table(cells: &[Cell], results: &[Played]) -> String {
    let mut rows = Vec::new();
    for action in ["delete", "disable"] {
        for method in Method::ALL {
            let squares = ["aquera", "no-partial-update"].map(|profile| {
                let wanted = |(cell, _): &(&Cell, &Played)| {
                    cell.kind() == Kind::Matrix
                        && cell.property("remove-action").as_deref() == Some(action)
                        && cell
                            .target()
                            .is_some_and(|target| target.method == method && target.profile.name == profile)
                        && cell.scenario().is_some_and(|scenario| scenario.slug == "deleted")
                };
                cells
                    .iter()
                    .zip(results)
                    .find(wanted)
                    .map_or_else(|| "not run".to_owned(), |(_, played)| said(played))
            });
            rows.push(format!("| `{action}` | `{}` | {} | {} |\n", method.as_str(), squares[0], squares[1]));
        }
    }
    let mut text = "| Remove Action | `update-method` | partial updates work (`aquera`) \
         | no partial updates (`no-partial-update`) |\n|---|---|---|---|\n"
        .to_owned();
    text.extend(rows);
    text
}

fn said(played: &Played) -> String {
    let last = match (&played.verdict, &played.last) {
        (Verdict::Pass, Some(last)) => last,
        (Verdict::Pass, None) => return "nothing was said".to_owned(),
        (Verdict::Fail(_), _) => return "NOT AS EXPECTED".to_owned(),
        (Verdict::Error(_), _) => return "the harness broke".to_owned(),
    };
    let LastWord { line, account, .. } = last;
    let account = match account {
        Some(true) => "the account stays active",
        Some(false) => "the account is inactive",
        None => "the account is gone",
    };
    match line {
        None => account.to_owned(),
        Some([operation, outcome, reason]) => format!("{operation}: {outcome}, `{reason}`; {account}"),
    }
}
