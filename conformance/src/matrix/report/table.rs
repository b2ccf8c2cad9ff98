//! Per profile, a table of settings by scenarios; then one of the other sequences by profiles.

use std::collections::BTreeMap;

use crate::matrix::cell::{Cell, Kind};
use crate::matrix::model::{Method, builtins};
use crate::matrix::run::{LastWord, Played, Verdict};
use crate::matrix::scenario::{self, Scenario};
use crate::matrix::setting::Setting;

/// The meaning of the letters.
pub const LEGEND: &str = "\
What a run did for the user, in one letter:
  C created   L linked   U updated   D disabled   E enabled   X deleted   = nothing to write   . nothing to say
  u unsynced (no account, and none made)   p partial (account left as it is)   P partial, the rest was written
  f failed, as it must under this profile   o the connection could not be used
  ! NOT AS EXPECTED   ? the harness broke
One letter stands for update-method put, patch and auto alike; three stand for put, patch, auto in this order.
Settings: C creation, U updation, D disable, Remove Action where deprovision is on, R deprovision on rule deletion.
";

/// Returns the letter of one cell.
pub(crate) fn letter(played: &Played) -> char {
    match &played.verdict {
        Verdict::Fail(_) => '!',
        Verdict::Error(_) => '?',
        Verdict::Pass => played.last.as_ref().map_or('=', last_letter),
    }
}

fn last_letter(last: &LastWord) -> char {
    if last.unusable {
        return 'o';
    }
    let Some([operation, outcome, _]) = &last.line else { return '.' };
    match (outcome.as_str(), operation.as_str()) {
        ("failed", _) => 'f',
        ("unsynced", _) => 'u',
        ("partial", "none" | "link") => 'p',
        ("partial", _) => 'P',
        (_, "create") => 'C',
        (_, "link") => 'L',
        (_, "update") => 'U',
        (_, "disable") => 'D',
        (_, "enable") => 'E',
        (_, "delete") => 'X',
        _ => '=',
    }
}

/// Returns the letters of the cells of one square, by method, or one letter if they agree. If cells of one method
/// differ, the worst is shown.
fn square(letters: &BTreeMap<Method, Vec<char>>) -> String {
    let worst = |letters: &Vec<char>| {
        let trouble = letters.iter().find(|letter| "!?".contains(**letter));
        let same = letters.windows(2).all(|pair| pair[0] == pair[1]);
        trouble.or(letters.first().filter(|_| same)).copied().unwrap_or('*')
    };
    let by_method: Vec<char> = letters.values().map(worst).collect();
    match by_method.as_slice() {
        [] => "-".to_owned(),
        [first, rest @ ..] if rest.iter().all(|letter| letter == first) => first.to_string(),
        all => all.iter().collect(),
    }
}

fn label(setting: Setting) -> String {
    let flag = |on: bool, letter: char| if on { letter } else { '-' };
    format!(
        "{}{}{} {:<7} {}",
        flag(setting.creation, 'C'),
        flag(setting.updation, 'U'),
        flag(setting.disable, 'D'),
        if setting.deprovision { setting.remove_action.as_str() } else { "-" },
        flag(setting.on_rule_deletion, 'R'),
    )
}

/// Returns every table for which there are results.
pub fn tables(cells: &[Cell], results: &[Played]) -> String {
    let mut text = String::new();
    let basics = scenario::basics();
    let mut shown = false;
    for profile in builtins() {
        let here = |cell: &&(&Cell, &Played)| {
            cell.0.kind() == Kind::Matrix && cell.0.target().is_some_and(|target| target.profile == *profile)
        };
        let all: Vec<(&Cell, &Played)> = cells.iter().zip(results).collect();
        let here: Vec<(&Cell, &Played)> = all.iter().filter(here).copied().collect();
        if here.is_empty() {
            continue;
        }
        if !shown {
            text.push_str(LEGEND);
            text.push_str("Scenarios:\n");
            for (number, scenario) in basics.iter().enumerate() {
                append!(text, "  {:>2} {:<21} {}\n", number + 1, scenario.slug, scenario.title);
            }
            shown = true;
        }
        text.push_str(&profile_table(profile.name, &basics, &here));
    }
    text.push_str(&sequence_table(cells, results));
    text
}

fn profile_table(profile: &str, basics: &[Scenario], cells: &[(&Cell, &Played)]) -> String {
    let mut squares: BTreeMap<(Setting, &str), BTreeMap<Method, Vec<char>>> = BTreeMap::new();
    for (cell, played) in cells {
        if let (Some(target), Some(scenario)) = (cell.target(), cell.scenario()) {
            let square = squares.entry((cell.setting, scenario.slug)).or_default();
            square.entry(target.method).or_default().push(letter(played));
        }
    }
    let mut text = format!("\nprofile {profile}\n{:<13}", "");
    for number in 1..=basics.len() {
        append!(text, " {number:>3}");
    }
    text.push('\n');
    for setting in Setting::valid() {
        if !squares.keys().any(|(of, _)| *of == setting) {
            continue;
        }
        let mut row = label(setting);
        for scenario in basics {
            let square = squares.get(&(setting, scenario.slug)).map_or_else(|| "-".to_owned(), square);
            append!(row, " {square:>3}");
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

fn sequence_table(cells: &[Cell], results: &[Played]) -> String {
    let mut squares: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    for (cell, played) in cells.iter().zip(results).filter(|(cell, _)| cell.kind() == Kind::Sequence) {
        if let (Some(target), Some(scenario)) = (cell.target(), cell.scenario()) {
            let (run, passed) = squares.entry((scenario.slug, target.profile.name)).or_default();
            *run += 1;
            *passed += usize::from(played.verdict == Verdict::Pass);
        }
    }
    if squares.is_empty() {
        return String::new();
    }
    let profiles: Vec<&str> = builtins()
        .iter()
        .map(|profile| profile.name)
        .filter(|name| squares.keys().any(|(_, profile)| profile == name))
        .collect();
    let mut text =
        "\nOther sequences: cells passed, or passed/run where some did not, by profile\n".to_owned();
    for (number, profile) in profiles.iter().enumerate() {
        append!(text, "  {:>2} {profile}\n", number + 1);
    }
    append!(text, "{:<33}", "");
    for number in 1..=profiles.len() {
        append!(text, " {number:>5}");
    }
    text.push('\n');
    for scenario in scenario::all() {
        if !squares.keys().any(|(slug, _)| *slug == scenario.slug) {
            continue;
        }
        let mut row = format!("{:<33}", scenario.slug);
        for profile in &profiles {
            let square = match squares.get(&(scenario.slug, profile)) {
                None => "-".to_owned(),
                Some((run, passed)) if run == passed => run.to_string(),
                Some((run, passed)) => format!("{passed}/{run}!"),
            };
            append!(row, " {square:>5}");
        }
        text.push_str(&row);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(letters: [&[char]; 3], expected: &str) {
        let letters = Method::ALL.into_iter().zip(letters.map(<[char]>::to_vec)).collect();
        assert_eq!(square(&letters), expected);
    }

    #[test]
    fn square_of_equal_cells_is_one_letter() {
        check([&['D', 'D'], &['D', 'D'], &['D', 'D']], "D");
        check([&['D', 'D'], &['f', 'f'], &['D', 'D']], "DfD");
        check([&['D', '!'], &['D', 'D'], &['D', 'D']], "!DD");
        check([&['D', 'U'], &['D', 'D'], &['D', 'D']], "*DD");
    }
}
