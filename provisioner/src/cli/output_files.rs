//! Files that a command writes: none of them may be a file that the program reads, or keeps for itself.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::state_file::configurations;
use crate::config::Config;
use crate::watch::pending::PendingEvents;

/// What every SQLite file begins with.
const SQLITE: &[u8] = b"SQLite format 3\0";
/// The endings of the files that stand beside a state file.
const BESIDE: [&str; 4] = [".lock", "-wal", "-shm", "-journal"];
/// The maximum number of links that are followed one after the other.
const LINKS: usize = 40;

/// A file that a command is asked to write.
#[derive(Clone, Copy, Debug)]
pub(super) struct OutputFile<'a> {
    /// The option that names it.
    pub(super) option: &'static str,
    /// The file.
    pub(super) path: &'a Path,
}

/// An output file that would overwrite another one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid {option} `{path}`: it is {what} `{taken}`, which would be overwritten; name another file")]
pub(super) struct Overwrites {
    option: &'static str,
    path: String,
    what: &'static str,
    taken: String,
}

/// Refuses output files that are in use: the configuration and every file that it names, the source, the state with the
/// files beside it, the configurations and states of other connections, `read` by the command, or another output.
///
/// # Errors
/// An output file is one of them.
pub(super) fn refuse_overwriting(
    config: &Config,
    state: &Path,
    read: &[(&'static str, &Path)],
    outputs: &[OutputFile<'_>],
) -> Result<(), Overwrites> {
    if outputs.is_empty() {
        return Ok(());
    }
    let taken = taken(config, state, read);
    let source = config.source.path().filter(|source| source.is_dir()).map(identity);
    for (at, output) in outputs.iter().enumerate() {
        let refused = |what, taken: &Path| Overwrites {
            option: output.option,
            path: output.path.display().to_string(),
            what,
            taken: taken.display().to_string(),
        };
        let own = identity(output.path);
        if let Some((what, taken)) = taken.iter().find(|(_, taken)| is_same(&own, taken)) {
            return Err(refused(what, taken));
        }
        if let (Some(source), Some(path)) = (&source, config.source.path())
            && own.starts_with(source)
        {
            return Err(refused("in the directory of the source", path));
        }
        if is_database(&own) {
            return Err(refused("the state of a connection, or another database:", output.path));
        }
        if let Some(other) = outputs.iter().take(at).find(|other| is_same(&own, other.path)) {
            return Err(refused("the file of another option:", other.path));
        }
    }
    Ok(())
}

fn taken(config: &Config, state: &Path, read: &[(&'static str, &Path)]) -> Vec<(&'static str, PathBuf)> {
    let mut taken = vec![("the configuration", config.file.clone()), ("the state", state.to_owned())];
    for ending in BESIDE {
        let mut name = OsString::from(state);
        name.push(ending);
        taken.push(("a file of the state,", name.into()));
    }
    taken.push(("the file of received events", PendingEvents::beside(state).file().to_owned()));
    taken.extend(config.source.path().map(|path| ("the source", path.to_owned())));
    taken.extend(read.iter().map(|(what, path)| (*what, (*path).to_owned())));
    let folder = config.file.parent().unwrap_or(Path::new(""));
    let text = fs::read_to_string(&config.file).unwrap_or_default();
    if let Ok(table) = text.trim_start_matches('\u{feff}').parse::<Table>() {
        named(&Value::Table(table), folder, &mut taken);
    }
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let others = configurations(folder).unwrap_or_default();
    taken.extend(others.into_iter().map(|file| ("the configuration of another connection", file)));
    taken
}

/// Adds the existing files that any text of the configuration names: secrets, certificates, programs.
fn named(value: &Value, folder: &Path, taken: &mut Vec<(&'static str, PathBuf)>) {
    match value {
        Value::String(text) => {
            let path = folder.join(text);
            if path.is_file() {
                taken.push(("a file that the configuration names,", path));
            }
        }
        Value::Array(values) => values.iter().for_each(|value| named(value, folder, taken)),
        Value::Table(table) => table.iter().for_each(|(_, value)| named(value, folder, taken)),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}

/// Returns the path by which a file is the same, whether it is there or will be made: without links and `..`.
fn identity(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        if let Ok(found) = fs::canonicalize(&path) {
            return found;
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        match fs::read_link(&path) {
            // A link to a file that is not there yet.
            Ok(target) => path = folder.join(target),
            Err(_) => {
                return match (fs::canonicalize(folder), path.file_name()) {
                    (Ok(folder), Some(name)) => folder.join(name),
                    (Ok(_) | Err(_), _) => path,
                };
            }
        }
    }
    path
}

/// Whether `own`, an identity, is the file `other`; a hard link to it counts.
fn is_same(own: &Path, other: &Path) -> bool {
    let other = identity(other);
    // Some file systems compare names without case; a name that differs by case alone is no loss elsewhere.
    let is_equal = own == other
        || own.as_os_str().to_string_lossy().to_lowercase()
            == other.as_os_str().to_string_lossy().to_lowercase();
    is_equal || same_file::is_same_file(own, &other).unwrap_or(false)
}

fn is_database(path: &Path) -> bool {
    let mut start = [0; SQLITE.len()];
    path.is_file()
        && File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && start == SQLITE
}

/// Creates a file for its owner only: it says who is called what.
#[cfg(unix)]
pub(super) fn create(file: &Path) -> io::Result<File> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};

    let opened = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(file)?;
    // The mode is that of a new file only; a device such as /dev/stdout keeps its own.
    if opened.metadata()?.is_file() {
        opened.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(opened)
}

/// Creates a file: on other systems the permissions of the folder decide.
#[cfg(not(unix))]
pub(super) fn create(file: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(true).write(true).open(file)
}
