//! From text to a [`Profile`], with what it extends laid under it, and back.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{Profile, builtin, difference};
use crate::nearest::nearest;

/// Why a text is no [`Profile`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// The text itself is wrong.
    #[error("line {line}, column {column}: {message}")]
    Malformed {
        /// From one.
        line: usize,
        /// In characters, from one.
        column: usize,
        /// What is wrong and what was probably meant.
        message: String,
    },
    /// A value that came without a text, as JSON, is wrong.
    #[error("{0}")]
    BadValue(String),
    /// What it extends is not there.
    #[error("`extends`: {0}")]
    NoParent(String),
    /// What it extends is wrong itself.
    #[error("`extends`: in {parent}: {error}")]
    BadParent {
        /// The name or the file.
        parent: String,
        /// What is wrong there.
        error: Box<ProfileError>,
    },
    /// It extends itself, maybe by way of others.
    #[error("`extends` goes in a circle: {0}")]
    Circle(String),
    /// The file can't be read.
    #[error("{0}")]
    Unreadable(String),
}

/// Where a profile is read from: what `extends` is relative to, and what extends what on the way here.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// Absent: no file, so that only built-in profiles can be extended.
    folder: Option<PathBuf>,
    chain: Vec<String>,
}

impl Profile {
    /// Reads the text of a profile that extends nothing or a built-in one.
    ///
    /// # Errors
    /// What is wrong, with its line and column, and the nearest name for a key or value that doesn't exist.
    pub fn from_toml(text: &str) -> Result<Self, ProfileError> {
        profile(text, &mut Place::default())
    }

    /// Reads a profile file, which may extend a file beside it.
    ///
    /// # Errors
    /// As [`Self::from_toml`], or that a file can't be read.
    pub fn from_file(path: &Path) -> Result<Self, ProfileError> {
        file(path, &mut Place::default())
    }

    /// Reads a profile that is JSON already and extends nothing or a built-in one.
    ///
    /// # Errors
    /// What is wrong, and the nearest name for a key or value that doesn't exist.
    pub fn from_json(value: &Value) -> Result<Self, ProfileError> {
        let bad = |error: serde_json::Error| ProfileError::BadValue(explained(&error.to_string()));
        let own: Self = serde_json::from_value(value.clone()).map_err(bad)?;
        if let Some((_, message)) = complaint(&own) {
            return Err(ProfileError::BadValue(message));
        }
        let written = serde_json::from_value(value.clone()).map_err(bad)?;
        laid_over(own, written, &mut Place::default())
    }

    /// The file of this profile: what isn't as the RFC has it.
    pub fn to_toml(&self) -> String {
        let (own, rfc) = (whole_toml(self), whole_toml(&Self::new("", "")));
        let defaults: HashSet<(&str, &str)> = lines(&rfc).collect();
        let mut text = String::new();
        let mut section = "";
        for (of, line) in lines(&own).filter(|line| of_interest(line, &defaults)) {
            if of != section || is_repeated(line) {
                text.push('\n');
                if !is_repeated(line) {
                    text.push_str(of);
                    text.push('\n');
                }
                section = of;
            }
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// Everything about this profile, whether or not it is as the RFC has it.
    pub fn to_json(&self) -> Value {
        Value::Object(difference::serialised(self))
    }
}

/// Everything, in the order of the fields. A profile is strings, numbers, lists and tables with strings for keys,
/// which is all that TOML asks for.
fn whole_toml(profile: &Profile) -> String {
    toml::to_string(profile).unwrap_or_default()
}

/// The lines of what [`whole_toml`] wrote, each with the header that it stands under. The header of one of several
/// tables is a line of its own.
fn lines(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut section = "";
    text.lines().filter(|line| !line.is_empty()).filter_map(move |line| {
        if line.starts_with('[') {
            section = line;
            return is_repeated(line).then_some((section, line));
        }
        Some((section, line))
    })
}

fn is_repeated(line: &str) -> bool {
    line.starts_with("[[")
}

/// One of several tables is kept whole; of the others, what isn't as the RFC has it.
fn of_interest((section, line): &(&str, &str), defaults: &HashSet<(&str, &str)>) -> bool {
    is_repeated(section) || !defaults.contains(&(section, line))
}

/// Reads a text and whatever it extends.
pub(super) fn profile(text: &str, place: &mut Place) -> Result<Profile, ProfileError> {
    let own: Profile = toml::from_str(text).map_err(|error| malformed(text, &error))?;
    if let Some((limit, message)) = complaint(&own) {
        let at = text.match_indices("[[rate-limit]]").nth(limit).map_or(0, |(at, _)| at);
        return Err(at_byte(text, at, message));
    }
    let written: Map<String, Value> = toml::from_str(text).map_err(|error| malformed(text, &error))?;
    laid_over(own, written, place)
}

fn file(path: &Path, place: &mut Place) -> Result<Profile, ProfileError> {
    let text = fs::read_to_string(path).map_err(|error| ProfileError::Unreadable(error.to_string()))?;
    let name = path.canonicalize().unwrap_or_else(|_| path.to_owned()).display().to_string();
    enter(place, name)?;
    place.folder = Some(path.parent().unwrap_or(Path::new("")).to_owned());
    profile(&text, place)
}

fn enter(place: &mut Place, name: String) -> Result<(), ProfileError> {
    let known = place.chain.contains(&name);
    place.chain.push(name);
    if known { Err(ProfileError::Circle(place.chain.join(" extends "))) } else { Ok(()) }
}

/// Lays what is written over what it extends: tables key by key, everything else whole; deviations are added.
fn laid_over(
    own: Profile,
    mut written: Map<String, Value>,
    place: &mut Place,
) -> Result<Profile, ProfileError> {
    let Some(parent) = own.extends.clone() else { return Ok(own) };
    let base = extended(&parent, place).map_err(|error| match error {
        ProfileError::Circle(_) | ProfileError::NoParent(_) => error,
        error => ProfileError::BadParent { parent: parent.clone(), error: Box::new(error) },
    })?;
    written.remove("deviation");
    let mut whole = difference::serialised(&base);
    overlay(&mut whole, written);
    let mut profile: Profile = serde_json::from_value(Value::Object(whole))
        .map_err(|error| ProfileError::BadValue(explained(&error.to_string())))?;
    profile.deviations.extend(own.deviations);
    Ok(profile)
}

fn extended(name: &str, place: &mut Place) -> Result<Profile, ProfileError> {
    if !is_path(name) {
        let text = builtin::text(name).ok_or_else(|| ProfileError::NoParent(super::unknown(name)))?;
        enter(place, name.to_owned())?;
        return profile(text, place);
    }
    match &place.folder {
        Some(folder) => file(&folder.join(name), place),
        None => Err(ProfileError::NoParent(format!(
            "`{name}` is a file, and this profile was not read from one; give the name of a built-in profile"
        ))),
    }
}

/// What ends in `.toml` or has a separator is a file and no built-in profile.
pub(crate) fn is_path(written: &str) -> bool {
    let path = Path::new(written);
    path.extension().is_some_and(|extension| extension == "toml") || path.components().count() > 1
}

fn overlay(under: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Object(under)), Value::Object(over)) => overlay(under, over),
            (_, value) => drop(under.insert(key, value)),
        }
    }
}

/// The first rate limit that can't be meant, and why.
fn complaint(profile: &Profile) -> Option<(usize, String)> {
    let mut limits = profile.rate_limits.iter().enumerate();
    limits.find_map(|(at, limit)| limit.complaint().map(|complaint| (at, complaint.to_owned())))
}

fn malformed(text: &str, error: &toml::de::Error) -> ProfileError {
    at_byte(text, error.span().map_or(0, |span| span.start), explained(error.message().trim_end()))
}

fn at_byte(text: &str, at: usize, message: String) -> ProfileError {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    ProfileError::Malformed {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        message,
    }
}

/// serde names the unknown word first and the known ones after it, all in backticks. Where one is near, the others
/// only hide it.
fn explained(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let what = match message.split_once(" `") {
        Some(("unknown field", _)) => "key",
        Some(("unknown variant", _)) => "word",
        _ => return message.to_owned(),
    };
    let Some(written) = quoted.next() else { return message.to_owned() };
    if let Some(near) = nearest(written, quoted) {
        return format!("unknown {what} `{written}`; did you mean `{near}`?");
    }
    let sections = difference::sections_with(written);
    if what == "key" && !sections.is_empty() {
        return format!("unknown key `{written}` here; it belongs in [{}]", sections.join("] or ["));
    }
    message.replacen("unknown field", "unknown key", 1).replacen("unknown variant", "unknown word", 1)
}
