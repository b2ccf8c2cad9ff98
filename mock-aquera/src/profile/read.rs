//! From text to a [`Profile`], with what it extends laid under it, and back.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{Profile, builtin, difference};
use crate::parse_message;
use crate::units::suggest::nearest;

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
        let Value::Object(written) = value else {
            return Err(ProfileError::BadValue("expected an object".to_owned()));
        };
        let own: Self = from_tree(value.clone())?;
        if let Some((_, message)) = complaint(&own) {
            return Err(ProfileError::BadValue(message));
        }
        laid_over(own, written.clone(), &mut Place::default())
    }

    /// The file of this profile: what isn't as the RFC has it.
    pub fn to_toml(&self) -> String {
        // A profile is strings, numbers, lists and tables with strings for keys, which is all that TOML asks for.
        let table = |profile| crate::or_default(toml::Table::try_from(profile), "write a profile as TOML");
        let mut own = table(self);
        retain_differences(&mut own, &table(&Self::new("", "")));
        own.to_string()
    }

    /// Everything about this profile, whether or not it is as the RFC has it.
    pub fn to_json(&self) -> Value {
        Value::Object(difference::serialised(self))
    }
}

/// Leaves in a table what isn't as the RFC has it. One of several tables is kept whole.
fn retain_differences(own: &mut toml::Table, rfc: &toml::Table) {
    own.retain(|key, value| match (value, rfc.get(key)) {
        (toml::Value::Table(own), Some(toml::Value::Table(rfc))) => {
            retain_differences(own, rfc);
            !own.is_empty()
        }
        (value, regular) => Some(&*value) != regular,
    });
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
    if let Some(path) = list_for_table(&written, &difference::serialised(&own)) {
        let message = format!("invalid `{path}`: expected a table of switches, got a list");
        return Err(ProfileError::BadValue(message));
    }
    let Some(parent) = own.extends.clone() else { return Ok(own) };
    let base = extended(&parent, place).map_err(|error| match error {
        ProfileError::Circle(_) | ProfileError::NoParent(_) => error,
        error => ProfileError::BadParent { parent: parent.clone(), error: Box::new(error) },
    })?;
    written.remove("deviation");
    let mut whole = difference::serialised(&base);
    overlay(&mut whole, written);
    let mut profile: Profile = from_tree(Value::Object(whole))?;
    profile.deviations.extend(own.deviations);
    Ok(profile)
}

fn from_tree(value: Value) -> Result<Profile, ProfileError> {
    parse_message::read_value(value).map_err(|(path, said)| ProfileError::BadValue(explained(&said, &path)))
}

/// The path of a list where a table belongs: serde would take its elements for the switches, in their order.
fn list_for_table(written: &Map<String, Value>, whole: &Map<String, Value>) -> Option<String> {
    written.iter().find_map(|(key, value)| match (value, whole.get(key)?) {
        (Value::Array(_), Value::Object(_)) => Some(key.clone()),
        (Value::Object(written), Value::Object(whole)) => {
            list_for_table(written, whole).map(|below| format!("{key}.{below}"))
        }
        _ => None,
    })
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
    at_byte(text, error.span().map_or(0, |span| span.start), explained(error.message().trim_end(), ""))
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

/// What the library says, in plain words. A key that belongs in another section is told where.
fn explained(said: &str, path: &str) -> String {
    if let Some(rest) = said.strip_prefix("unknown field `") {
        let mut quoted = rest.split('`').step_by(2);
        let written = quoted.next().unwrap_or_default();
        let sections = difference::sections_with(written);
        if nearest(written, quoted).is_none() && !sections.is_empty() {
            return format!("unknown key `{written}` here; it belongs in [{}]", sections.join("] or ["));
        }
        return parse_message::words(said);
    }
    parse_message::data(said, path).replace("expected an object", "expected a table")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::profile::{PatchRule, PutRule, Support};

    const HEAD: &str = "name = \"x\"\nsummary = \"y\"\n";

    #[test]
    fn what_is_wrong_gets_its_place_and_the_nearest_name() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            assert_eq!(Profile::from_toml(&format!("{HEAD}{text}")).unwrap_err().to_string(), expected);
        }
        check("sumary = \"z\"", "line 3, column 1: unknown key `sumary`; did you mean `summary`?");
        check("[gatway]", "line 3, column 2: unknown key `gatway`; did you mean `gateway`?");
        check(
            "[gateway]\n  patsh = \"works\"",
            "line 4, column 3: unknown key `patsh`; did you mean `patch`?",
        );
        check(
            "[gateway]\npatch = \"aplied-then-404\"",
            "line 4, column 9: unknown word `aplied-then-404`; did you mean `applied-then-404`?",
        );
        check(
            "[requests.dialects]\npathless = \"refused\"",
            "line 4, column 1: unknown key `pathless`; did you mean `pathless-add`?",
        );
        check(
            "[filter]\nstale-reads = \"5s\"",
            "line 4, column 1: unknown key `stale-reads` here; it belongs in [application]",
        );
        check(
            "[errors]\nbody = \"qqq\"",
            "line 4, column 8: unknown word `qqq`; expected one of scim, numeric-status, scim-1-1, schema-for-schemas, \
             html, problem-json, plain-text, empty",
        );
        check(
            "[application]\nstale-reads = \"5 x\"",
            "line 4, column 15: a duration is whole milliseconds with their units, ms, s, m or h, such as \"30s\" or \"1h 30m\"",
        );
        check(
            "[[rate-limit]]\nrequests = 5\n[[rate-limit]]\nper = \"route\"",
            "line 5, column 1: a rate limit needs `requests` or `max-concurrent`",
        );
        check(
            "[[rate-limit]]\nmax-concurrent = 1\nburst = 2",
            "line 3, column 1: a `burst` needs `requests`",
        );
        check(
            "[[rate-limit]]\nrequests = 1\nwindow = \"0s\"",
            "line 3, column 1: the `window` of a rate limit can't be empty",
        );
        check(
            "[[rate-limit]]\nrequests = 1\nstatus = 200",
            "line 3, column 1: the `status` of a rate limit is from 400 to 599",
        );
        check(
            "[[rate-limit]]\nrequests = 0",
            "line 4, column 12: expected a whole number from 1 to 4294967295, got 0",
        );
        check(
            "extends = \"no-delet\"",
            "`extends`: no profile is called `no-delet`; did you mean `no-delete`?",
        );
        check(
            "extends = \"base.toml\"",
            "`extends`: `base.toml` is a file, and this profile was not read from one; give the name of a \
             built-in profile",
        );
        let nameless = Profile::from_toml("name = \"x\"").unwrap_err().to_string();
        assert_eq!(nameless, "line 1, column 1: `summary` is missing");
        assert!(Profile::from_toml("name = ").unwrap_err().to_string().starts_with("line 1, column "));
    }

    #[test]
    fn only_what_is_written_overrides() {
        let text = format!(
            "{HEAD}extends = \"aws-identity-center\"\n\
             [gateway]\nput = \"answers-501\"\n\
             [application.max-values]\nemails = 2\nroles = 3\n\
             [[deviation]]\ndeviation = \"d\"\nspec = \"s\"\nsource = \"o\"\n"
        );
        let (base, own) =
            (Profile::builtin("aws-identity-center").unwrap(), Profile::from_toml(&text).unwrap());
        assert_eq!((own.name.as_str(), own.extends.as_deref()), ("x", Some("aws-identity-center")));
        assert_eq!(
            (own.gateway.put, own.gateway.max_member_changes),
            (PutRule::Answers501, base.gateway.max_member_changes)
        );
        assert_eq!((&own.errors, &own.source), (&base.errors, &base.source));
        let most = |name: &str| own.application.max_values.get(name).map(|most| most.get());
        assert_eq!((most("emails"), most("roles"), most("addresses")), (Some(2), Some(3), Some(1)));
        assert_eq!(own.deviations.len(), base.deviations.len() + 1);
        assert_eq!(own.deviations.last().unwrap().deviation, "d");

        let limits = |more: &str| {
            Profile::from_toml(&format!("{HEAD}extends = \"slack\"\n{more}")).unwrap().rate_limits
        };
        assert_eq!(limits(""), Profile::builtin("slack").unwrap().rate_limits);
        assert_eq!(limits("[[rate-limit]]\nrequests = 7\n").len(), 1);
        assert_eq!(limits("[[rate-limit]]\nrequests = 7\n")[0].burst, None);
        // Back to what the RFC says.
        let back = format!("{HEAD}extends = \"no-put\"\n[gateway]\nput = \"works\"\n");
        assert_eq!(Profile::from_toml(&back).unwrap().gateway, Profile::default().gateway);
    }

    #[test]
    fn files_extend_files_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        let file = |name: &str, extends: &str, more: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("{HEAD}extends = \"{extends}\"\n{more}\n")).unwrap();
            path
        };
        file("base.toml", "no-delete", "[gateway]\npatch = \"answers-400\"\nenable = \"answers-400\"");
        file("deep/middle.toml", "../base.toml", "[gateway]\npatch = \"answers-501\"");
        let top = file("top.toml", "deep/middle.toml", "[gateway]\nput = \"ignored-200\"");
        let gateway = Profile::from_file(&top).unwrap().gateway;
        assert_eq!((gateway.patch, gateway.put), (PatchRule::Answers501, PutRule::Ignored200));
        assert_eq!(gateway.enable, Support::Answers400);
        assert_eq!(gateway.delete, Profile::builtin("no-delete").unwrap().gateway.delete);

        let refused = |path: &Path| Profile::from_file(path).unwrap_err().to_string();
        file("one.toml", "two.toml", "");
        let two = file("two.toml", "deep/../one.toml", "");
        let message = refused(&two);
        assert!(message.starts_with("`extends` goes in a circle: "), "{message}");
        assert_eq!(message.matches(" extends ").count(), 2, "{message}");
        let own = file("own.toml", "own.toml", "");
        assert!(refused(&own).contains("circle"));

        file("bad.toml", "rfc", "[gateway]\nptach = \"works\"");
        let over = file("over.toml", "bad.toml", "");
        assert_eq!(
            refused(&over),
            "`extends`: in bad.toml: line 5, column 1: unknown key `ptach`; did you mean `patch`?"
        );
        let lost = file("lost.toml", "nowhere.toml", "");
        assert!(refused(&lost).starts_with("`extends`: in nowhere.toml: "));
    }

    #[test]
    fn json_is_as_good_as_a_file() {
        let own =
            json!({"name": "x", "summary": "y", "extends": "no-put", "gateway": {"patch": "answers-400"}});
        let profile = Profile::from_json(&own).unwrap();
        assert_eq!((profile.gateway.put, profile.gateway.patch), (PutRule::Html404, PatchRule::Answers400));
        let refused = |value: &Value| Profile::from_json(value).unwrap_err().to_string();
        let wrong = json!({"name": "x", "summary": "y", "gateway": {"patsh": "works"}});
        assert_eq!(refused(&wrong), "unknown key `patsh`; did you mean `patch`?");
        let wrong = json!({"name": "x", "summary": "y", "rate-limit": [{}]});
        assert_eq!(refused(&wrong), "a rate limit needs `requests` or `max-concurrent`");
        assert_eq!(refused(&json!("x")), "expected an object");
        let with = |section: &str, value: Value| {
            let mut profile = json!({"name": "x", "summary": "y"});
            profile[section] = value;
            refused(&profile)
        };
        let wrong = with("gateway", json!({"put": 5}));
        assert_eq!(wrong, "invalid `gateway.put`: expected a word, got 5");
        let wrong = with("gateway", json!({"put": "answers-50"}));
        assert_eq!(wrong, "invalid `gateway.put`: unknown word `answers-50`; did you mean `answers-501`?");
        let wrong = with("rate-limit", json!([{"requests": "x"}]));
        assert_eq!(
            wrong,
            "invalid `rate-limit[0].requests`: expected a whole number from 1 to 4294967295, got \"x\""
        );
        assert_eq!(with("gateway", json!(7)), "invalid `gateway`: expected a table, got 7");
        for (section, value) in [("gateway", json!([])), ("requests", json!({"dialects": []}))] {
            let wrong = with(section, value);
            assert!(wrong.ends_with("`: expected a table of switches, got a list"), "{wrong}");
        }
        let absent = json!({"name": "x", "summary": "y", "extends": "aws-identity-center",
            "gateway": {"max-member-changes": null}});
        assert_eq!(Profile::from_json(&absent).unwrap().gateway.max_member_changes, None);
    }
}
