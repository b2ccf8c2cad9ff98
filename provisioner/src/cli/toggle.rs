//! `provisioner enable` and `provisioner disable`: the connection's toggle, in the file that holds it.

use std::fs;
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::Path;

use serde::Serialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml_edit::{DocumentMut, Item, TomlError, Value};

use super::Common;
use super::output::Output;
use crate::exit::Exit;

#[derive(Serialize)]
#[serde(tag = "type", rename = "summary", rename_all = "camelCase")]
struct Summary<'a> {
    connection: &'a str,
    enabled: bool,
    changed: bool,
    exit_code: u8,
}

pub(super) fn run(common: &Common, enabled: bool) -> Exit {
    let Ok(text) = fs::read_to_string(&common.config) else {
        return common.load().err().unwrap_or(Exit::Usage);
    };
    // The rest of the file may be wrong: turning a connection off must not wait for that.
    let Toggle { name, place, before } = match Toggle::find(&text) {
        Ok(toggle) => toggle,
        Err(ToggleError::NoToml) => return common.load().err().unwrap_or(Exit::Usage),
        Err(ToggleError::NoConnection) => {
            Output::error(&format!("[connection] is missing in {}", common.config.display()));
            return Exit::Usage;
        }
    };
    let changed = before != Some(enabled);
    if changed {
        // A text in which the toggle was found parses.
        let Ok(new) = place.with(&text, enabled) else { return common.load().err().unwrap_or(Exit::Usage) };
        if let Err(error) = replace(&common.config, &new) {
            Output::error(&format!("failed to write {}: {error}", common.config.display()));
            return Exit::Usage;
        }
    }
    if common.json {
        Output::object(&Summary { connection: &name, enabled, changed, exit_code: Exit::Done.code() });
        return Exit::Done;
    }
    let already = if changed { "" } else { " already" };
    Output::line(&if enabled {
        format!("connection {name:?} is{already} on: the next sync provisions with it")
    } else {
        format!("connection {name:?} is{already} off: nothing is sent until `provisioner enable`")
    });
    Exit::Done
}

/// The toggle in the text of a configuration.
struct Toggle {
    /// The connection's name.
    name: String,
    place: ToggleLocation,
    /// The value; absent means on, and any value but a boolean is neither on nor off.
    before: Option<bool>,
}

/// A text without a toggle.
enum ToggleError {
    NoToml,
    NoConnection,
}

/// The place of the toggle. All other bytes of the file stay as they are: comments, line breaks, a byte order mark.
enum ToggleLocation {
    /// The value that stands there.
    Value(Range<usize>),
    /// The line below the header of `[connection]`.
    Below(usize),
    /// Somewhere else in a connection that has no header of its own.
    Elsewhere,
}

impl Toggle {
    /// Finds the toggle in `text`.
    fn find(text: &str) -> Result<Self, ToggleError> {
        let mark = text.len() - text.trim_start_matches('\u{feff}').len();
        let content = text.get(mark..).unwrap_or_default();
        let table = DeTable::parse(content).map_err(|_| ToggleError::NoToml)?.into_inner();
        let connection = table.get("connection").ok_or(ToggleError::NoConnection)?;
        let DeValue::Table(members) = connection.get_ref() else { return Err(ToggleError::NoConnection) };
        let name = match members.get("name").map(Spanned::get_ref) {
            Some(DeValue::String(name)) => name.to_string(),
            _ => String::new(),
        };
        let header = connection.span().start + mark;
        let rest = text.get(header..).unwrap_or_default();
        let is_header =
            rest.starts_with("[connection]") || rest.replace([' ', '\t'], "").starts_with("[connection]");
        let (place, before) = match members.get("enabled") {
            Some(value) => {
                let before = match value.get_ref() {
                    DeValue::Boolean(enabled) => Some(*enabled),
                    _ => None,
                };
                (ToggleLocation::Value(value.span().start + mark..value.span().end + mark), before)
            }
            None if is_header => {
                (ToggleLocation::Below(header + rest.find('\n').map_or(rest.len(), |at| at + 1)), Some(true))
            }
            None => (ToggleLocation::Elsewhere, Some(true)),
        };
        Ok(Self { name, place, before })
    }
}

impl ToggleLocation {
    /// Returns `text` with the toggle at this place.
    fn with(&self, text: &str, enabled: bool) -> Result<String, TomlError> {
        let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let insert = |place: Range<usize>, new: &str| {
            let (before, after) = (text.get(..place.start), text.get(place.end..));
            format!("{}{new}{}", before.unwrap_or_default(), after.unwrap_or_default())
        };
        Ok(match self {
            Self::Value(place) => insert(place.clone(), &enabled.to_string()),
            Self::Below(at) => {
                let first = if text.get(..*at).is_some_and(|above| above.ends_with('\n')) { "" } else { end };
                insert(*at..*at, &format!("{first}enabled = {enabled}{end}"))
            }
            Self::Elsewhere => {
                let mut document: DocumentMut = text.trim_start_matches('\u{feff}').parse()?;
                if let Some(connection) = document.get_mut("connection").and_then(Item::as_table_like_mut) {
                    connection.insert("enabled", Item::Value(Value::from(enabled)));
                }
                document.to_string().replace("\r\n", "\n").replace('\n', end)
            }
        })
    }
}

/// Replaces the contents of `file` in one step, so that a crash leaves the old ones; a symbolic link stays one.
pub(super) fn replace(file: &Path, text: &str) -> io::Result<()> {
    let file = fs::canonicalize(file)?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    fs::set_permissions(new.path(), fs::metadata(&file)?.permissions())?;
    new.persist(&file)?;
    Ok(())
}
