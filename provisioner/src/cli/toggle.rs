//! `provisioner enable` and `provisioner disable`: the connection's toggle, in the file that holds it.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use serde::Serialize;
use toml_edit::{DocumentMut, Item, Value};

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
    let mut document: DocumentMut = match text.parse() {
        Ok(document) => document,
        Err(_) => return common.load().err().unwrap_or(Exit::Usage),
    };
    let Some(connection) = document.get_mut("connection").and_then(Item::as_table_like_mut) else {
        Output::error(&format!("failed to find [connection] in {}", common.config.display()));
        return Exit::Usage;
    };
    let name = connection.get("name").and_then(Item::as_str).unwrap_or_default().to_owned();
    let before = connection.get("enabled").and_then(Item::as_bool);
    // Absent means on.
    let changed = before.unwrap_or(true) != enabled;
    if changed {
        match connection.get_mut("enabled").and_then(Item::as_value_mut) {
            // Comments and blanks around the old value stay.
            Some(old) => {
                let decor = old.decor().clone();
                *old = Value::from(enabled);
                *old.decor_mut() = decor;
            }
            None => {
                connection.insert("enabled", Item::Value(Value::from(enabled)));
            }
        }
        if let Err(error) = replace(&common.config, &document.to_string()) {
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
