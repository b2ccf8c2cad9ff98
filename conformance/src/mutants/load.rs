//! Loads mutants from files: the built-in ones, or a folder's.

use std::collections::BTreeSet;
use std::path::Path;

use mock_aquera::Profile;
use serde::Deserialize;

use crate::case::load::LoadError;
use crate::case::over::{self, Placed};
use crate::mutants::file::{Mutant, MutantFile};
use crate::select::{SlugError, check_slug};

include!(concat!(env!("OUT_DIR"), "/mutants.rs"));

/// Returns the mutants that are built in, in the order of their slugs.
///
/// # Errors
/// A file is invalid, which a test rules out.
pub fn built_in() -> Result<Vec<Mutant>, LoadError> {
    all(MUTANTS.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect())
}

/// Returns the mutants of a folder.
///
/// # Errors
/// A file is invalid; the error has the first one.
pub fn folder(folder: &Path) -> Result<Vec<Mutant>, LoadError> {
    all(crate::case::load::texts(folder)?)
}

fn all(files: Vec<(String, String)>) -> Result<Vec<Mutant>, LoadError> {
    let mut mutants: Vec<Mutant> = Vec::new();
    for (file, text) in files {
        for mutant in written(&file, &text)? {
            check(&mutant).map_err(|problem| {
                LoadError::invalid(&file, InvalidMutant { slug: mutant.slug.clone(), source: problem })
            })?;
            mutants.push(mutant);
        }
    }
    mutants.sort_by(|a, b| a.slug.cmp(&b.slug));
    if let Some([mutant, _]) = mutants.array_windows::<2>().find(|[a, b]| a.slug == b.slug) {
        return Err(LoadError::Twice { what: "mutant", name: mutant.slug.clone() });
    }
    Ok(mutants)
}

/// Returns the mutants of a file, each at its places.
fn written(file: &str, text: &str) -> Result<Vec<Mutant>, LoadError> {
    if !over::is_used(text) {
        let read: MutantFile = toml::from_str(text).map_err(|error| LoadError::invalid(file, error))?;
        return Ok(read.mutant);
    }
    let read: WithOver = toml::from_str(text).map_err(|error| LoadError::invalid(file, error))?;
    let mut mutants = Vec::new();
    for item in read.mutant {
        for Placed { words, mut item } in
            over::expand(item).map_err(|error| LoadError::invalid(file, error))?
        {
            if let Some(toml::Value::String(slug)) = item.get_mut("slug") {
                for word in words {
                    append!(*slug, "-{word}");
                }
            }
            mutants.push(Mutant::deserialize(item).map_err(|error| LoadError::invalid(file, error))?);
        }
    }
    Ok(mutants)
}

/// A file with mutants that are made at several places.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WithOver {
    mutant: Vec<toml::Table>,
}

/// An invalid mutant of a server or of a client.
#[derive(Debug, thiserror::Error)]
#[error("invalid mutant `{slug}`")]
pub(crate) struct InvalidMutant<E: std::error::Error + 'static> {
    pub(crate) slug: String,
    pub(crate) source: E,
}

/// The reason why a mutant is invalid.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MutantError {
    #[error(transparent)]
    Slug(#[from] SlugError),
    #[error("`defect` is empty")]
    NoDefect,
    #[error("expected `profile` or `[[mutant.change]]`")]
    NoChange,
    #[error("`found-by` names a case twice")]
    Twice,
    #[error("invalid profile")]
    Profile(#[from] ProfileError),
}

/// The reason why a profile is invalid.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The table cannot be written as TOML.
    #[error(transparent)]
    Table(#[from] toml::ser::Error),
    /// The mock refuses it.
    #[error(transparent)]
    Refused(#[from] mock_aquera::ProfileError),
}

fn check(mutant: &Mutant) -> Result<(), MutantError> {
    check_slug(&mutant.slug)?;
    if mutant.defect.trim().is_empty() {
        return Err(MutantError::NoDefect);
    }
    if mutant.profile.is_none() && mutant.change.is_empty() || mutant.over.is_some() || mutant.cycle.is_some()
    {
        return Err(MutantError::NoChange);
    }
    let named: BTreeSet<_> = mutant.found_by.iter().collect();
    if named.len() != mutant.found_by.len() {
        return Err(MutantError::Twice);
    }
    profile(mutant)?;
    Ok(())
}

/// Returns the profile of a mutant's mock.
pub(crate) fn profile(mutant: &Mutant) -> Result<Profile, ProfileError> {
    let mut text = "name = \"mutant\"\nsummary = \"a mutant\"\nextends = \"rfc\"\n".to_owned();
    if let Some(table) = &mutant.profile {
        text.push_str(&toml::to_string(table)?);
    }
    Ok(Profile::from_toml(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::with_causes;

    #[track_caller]
    fn check(text: &str, told: &str) {
        let error = all(vec![("x.toml".to_owned(), text.to_owned())]).expect_err("a bad mutant");
        let error = with_causes(&error);
        assert!(error.contains(told), "{error}");
    }

    #[test]
    fn invalid_mutant_is_refused_with_the_place() {
        let head = "[[mutant]]\nslug = \"a\"\ndefect = \"d\"\nfound-by = []\n";
        check(head, "invalid mutant `a`: expected `profile` or");
        check(
            &format!("{head}profile = {{ gateway = {{ ptach = \"works\" }} }}\n"),
            "invalid mutant `a`: invalid profile:",
        );
        check(&format!("{head}[[mutant.change]]\nset = {{ \"/a\" = \"{{\" }}\n"), "line 6, column 16");
        check(
            &format!("{head}[[mutant.change]]\nspilt = \"stop\"\n"),
            "unknown field `spilt`; did you mean `split`?",
        );
    }

    #[test]
    fn built_in_mutants_are_valid() {
        built_in().unwrap_or_else(|error| panic!("{}", with_causes(&error)));
    }
}
