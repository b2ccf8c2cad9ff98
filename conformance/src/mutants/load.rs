//! Mutants out of files: those that are built in, or a folder's.

use std::collections::BTreeSet;
use std::path::Path;

use mock_aquera::Profile;
use serde_json::Value;

use crate::case::load::LoadError;
use crate::mutants::file::{Mutant, MutantFile};
use crate::mutants::operations;
use crate::select::check_slug;

include!(concat!(env!("OUT_DIR"), "/mutants.rs"));

/// The mutants that are built in, in the order of their slugs.
///
/// # Errors
/// Where one is not as it should be, which a test rules out.
pub fn built_in() -> Result<Vec<Mutant>, LoadError> {
    all(MUTANTS.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect())
}

/// The mutants of a folder.
///
/// # Errors
/// With the first file that is not as it should be.
pub fn folder(folder: &Path) -> Result<Vec<Mutant>, LoadError> {
    all(crate::case::load::texts(folder)?)
}

fn all(files: Vec<(String, String)>) -> Result<Vec<Mutant>, LoadError> {
    let mut mutants: Vec<Mutant> = Vec::new();
    for (file, text) in files {
        let bad = |problem: String| LoadError::Bad { file: file.clone(), problem };
        let read: MutantFile = toml::from_str(&text).map_err(|error| bad(error.to_string()))?;
        for mutant in read.mutant {
            check(&mutant).map_err(|problem| bad(format!("mutant `{}`: {problem}", mutant.slug)))?;
            mutants.push(mutant);
        }
    }
    mutants.sort_by(|a, b| a.slug.cmp(&b.slug));
    if let Some([mutant, _]) = mutants.array_windows::<2>().find(|[a, b]| a.slug == b.slug) {
        return Err(LoadError::Bad {
            file: mutant.slug.clone(),
            problem: "two mutants have this slug".to_owned(),
        });
    }
    Ok(mutants)
}

fn check(mutant: &Mutant) -> Result<(), String> {
    check_slug(&mutant.slug)?;
    if mutant.defect.trim().is_empty() {
        return Err("`defect` is empty".to_owned());
    }
    if mutant.profile.is_none() && mutant.change.is_empty() {
        return Err("neither `profile` nor `[[mutant.change]]`: nothing is wrong with it".to_owned());
    }
    let named: BTreeSet<_> = mutant.found_by.iter().collect();
    if named.len() != mutant.found_by.len() {
        return Err("a case is named twice in `found-by`".to_owned());
    }
    profile(mutant)?;
    for (index, change) in mutant.change.iter().enumerate() {
        let texts = change.body_set.values().chain(change.set.values()).chain(&change.set_value);
        for text in texts {
            serde_json::from_str::<Value>(text)
                .map_err(|error| format!("change {}: not JSON ({error}): {text}", index + 1))?;
        }
        if let Some(path) = &change.set_operation_path {
            operations::Path::parse(path);
        }
    }
    Ok(())
}

/// The profile of a mutant's mock.
pub(crate) fn profile(mutant: &Mutant) -> Result<Profile, String> {
    let mut text = "name = \"mutant\"\nsummary = \"a mutant\"\nextends = \"rfc\"\n".to_owned();
    if let Some(table) = &mutant.profile {
        text.push_str(&toml::to_string(table).map_err(|error| format!("profile: {error}"))?);
    }
    Profile::from_toml(&text).map_err(|error| format!("profile: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, told: &str) {
        let error = all(vec![("x.toml".to_owned(), text.to_owned())]).expect_err("a bad mutant");
        assert!(error.to_string().contains(told), "{error}");
    }

    #[test]
    fn bad_mutants_are_refused_with_the_place() {
        let head = "[[mutant]]\nslug = \"a\"\ndefect = \"d\"\nfound-by = []\n";
        check(head, "mutant `a`: neither `profile` nor");
        check(&format!("{head}profile = {{ gateway = {{ ptach = \"works\" }} }}\n"), "mutant `a`: profile:");
        check(&format!("{head}[[mutant.change]]\nset = {{ \"/a\" = \"{{\" }}\n"), "change 1: not JSON");
        check(&format!("{head}[[mutant.change]]\nspilt = \"stop\"\n"), "unknown field `spilt`");
    }

    #[test]
    fn those_built_in_are_good() {
        built_in().unwrap_or_else(|error| panic!("{error}"));
    }
}
