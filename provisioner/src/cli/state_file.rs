//! The state file of a configuration: `NAME.db` beside `NAME.toml`.

use std::path::{Path, PathBuf};

/// The name of every state file in versions before several connections.
const FORMER: &str = "aquera.db";

/// A state file that cannot be told.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} may hold the state of {}, as it did in earlier versions, or that of another connection: if it is this connection's, \
     rename it to {}; if not, name the state file once with --state",
    former.display(),
    config.display(),
    state.display()
)]
pub(super) struct UnclearState {
    config: PathBuf,
    state: PathBuf,
    former: PathBuf,
}

/// Returns the state file of the configuration `config`.
///
/// A folder with one configuration keeps the state `aquera.db` that an earlier version made.
///
/// # Errors
/// There are several configurations, and such a file that may belong to any of them.
pub(super) fn beside(config: &Path) -> Result<PathBuf, UnclearState> {
    let state = config.with_extension("db");
    let former = config.with_file_name(FORMER);
    if state == former || state.exists() || !former.exists() || config.with_file_name("aquera.toml").exists()
    {
        return Ok(state);
    }
    let folder = config.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match configurations(folder) {
        Ok(all) if all.len() > 1 => Err(UnclearState { config: config.to_owned(), state, former }),
        Ok(_) | Err(_) => Ok(former),
    }
}

/// Returns the configurations in a folder, `*.toml`, in the order of their names; hidden files are left out.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn configurations(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.extension().is_some_and(|extension| extension == "toml") && !is_hidden && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_has_the_name_of_its_configuration_and_an_earlier_one_is_kept() {
        for (files, config, expected) in [
            (&["aquera.toml"][..], "aquera.toml", Some("aquera.db")),
            (&["hr.toml"], "hr.toml", Some("hr.db")),
            (&["hr.toml", "it.toml"], "it.toml", Some("it.db")),
            // Made by an earlier version.
            (&["hr.toml", "aquera.db"], "hr.toml", Some("aquera.db")),
            (&["hr.toml", "hr.db", "aquera.db"], "hr.toml", Some("hr.db")),
            (&["hr.toml", "aquera.toml", "aquera.db"], "hr.toml", Some("hr.db")),
            (&["hr.toml", "it.toml", "aquera.db"], "hr.toml", None),
            (&["hr.toml", ".it.toml", "aquera.db"], "hr.toml", Some("aquera.db")),
        ] {
            let folder = tempfile::tempdir().unwrap();
            for file in files {
                std::fs::write(folder.path().join(file), "").unwrap();
            }
            let found = beside(&folder.path().join(config)).ok();
            assert_eq!(found, expected.map(|name| folder.path().join(name)), "{config} among {files:?}");
        }
    }
}
