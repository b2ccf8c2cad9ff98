//! A secret that a program prints, such as that of a password store.
//!
//! The program is started directly: no shell reads its arguments. Its output is read up to a limit and within a time, and
//! reaches no message; its errors are not shown either, because they may repeat what it was asked for.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The time within which a program has to end.
pub(super) const LIMIT: Duration = Duration::from_secs(30);
/// The maximum size of the output.
const MOST: u64 = 64 * 1024;
/// The wait between two looks at a program whose output has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// A program that gave no secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    #[error("`command` names no program")]
    Empty,
    #[error("failed to start the command `{0}`: {words}", words = start_words(.1.kind()))]
    Start(String, io::Error),
    #[error("failed to read the output of the command `{0}`")]
    Read(String),
    #[error("the command `{0}` failed: {1}")]
    Failed(String, ExitStatus),
    #[error("the command `{0}` did not end within {1:?}")]
    TooSlow(String, Duration),
    #[error("the command `{0}` printed more than {kib} KiB", kib = MOST / 1024)]
    TooMuch(String),
    #[error("the command `{0}` printed something that is not UTF-8")]
    NotUtf8(String),
}

impl CommandError {
    /// Returns the way out.
    pub(super) const fn way_out(&self) -> &'static str {
        match self {
            Self::Empty => "write the program and its arguments: command = [\"pass\", \"show\", \"aquera\"]",
            Self::Start(..) => {
                "name a program on the PATH or by its path, and each argument as a string of its own; no shell reads them"
            }
            Self::Failed(..) | Self::Read(_) => "run it by hand to see why; its output is not shown here",
            Self::TooSlow(..) => "run it by hand: it must not ask for anything, because its input is closed",
            Self::TooMuch(_) | Self::NotUtf8(_) => "have it print the secret on one line and nothing else",
        }
    }
}

fn start_words(kind: io::ErrorKind) -> String {
    match kind {
        io::ErrorKind::NotFound => "there is no such program".to_owned(),
        io::ErrorKind::PermissionDenied => "this user has no right to run it".to_owned(),
        other => other.to_string(),
    }
}

/// Runs a program in `folder` and returns its output.
pub(super) fn run(words: &[String], folder: &Path, limit: Duration) -> Result<String, CommandError> {
    let Some((name, arguments)) = words.split_first().filter(|(name, _)| !name.trim().is_empty()) else {
        return Err(CommandError::Empty);
    };
    let mut command = Command::new(program(name, folder));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    if !folder.as_os_str().is_empty() {
        command.current_dir(folder);
    }
    let mut child = command.spawn().map_err(|error| CommandError::Start(name.clone(), error))?;
    let result = output(&mut child, name, limit);
    if result.is_err() {
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }
    result
}

/// Returns the path of a program: a name is looked for on the PATH, a relative path starts at `folder`.
fn program(name: &str, folder: &Path) -> PathBuf {
    let path = Path::new(name);
    if path.components().count() > 1 && path.is_relative() {
        absolute(&folder.join(path))
    } else {
        path.to_owned()
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn output(child: &mut Child, name: &str, limit: Duration) -> Result<String, CommandError> {
    let started = Instant::now();
    let too_slow = || CommandError::TooSlow(name.to_owned(), limit);
    let mut pipe = child.stdout.take().ok_or_else(|| CommandError::Read(name.to_owned()))?;
    let (done, read) = mpsc::channel();
    // The thread ends with the pipe, which a child of the program may keep open after the program was ended.
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let result = pipe.by_ref().take(MOST + 1).read_to_end(&mut bytes);
        drop(done.send(result.map(|_| bytes)));
    });
    let bytes = match read.recv_timeout(limit) {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) | Err(mpsc::RecvTimeoutError::Disconnected) => {
            return Err(CommandError::Read(name.to_owned()));
        }
        Err(mpsc::RecvTimeoutError::Timeout) => return Err(too_slow()),
    };
    if bytes.len() as u64 > MOST {
        return Err(CommandError::TooMuch(name.to_owned()));
    }
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if started.elapsed() >= limit => return Err(too_slow()),
            Ok(None) => thread::sleep(PAUSE),
            Err(_) => return Err(CommandError::Read(name.to_owned())),
        }
    };
    if !status.success() {
        return Err(CommandError::Failed(name.to_owned(), status));
    }
    String::from_utf8(bytes).map_err(|_| CommandError::NotUtf8(name.to_owned()))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[track_caller]
    fn check(command: &[&str], limit: Duration, expected: Result<&str, &str>) {
        let found = run(&words(command), Path::new("/"), limit).map_err(|error| error.to_string());
        match (&found, expected) {
            (Ok(text), Ok(expected)) => assert_eq!(text, expected),
            (Err(message), Err(part)) => {
                assert!(message.contains(part), "{message}");
                assert!(!message.contains("s3cret"), "{message}");
            }
            _ => panic!("{command:?}: {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn output_of_a_program_is_returned_and_no_shell_reads_its_arguments() {
        check(&["printf", "%s\n", "a b;$HOME`id`"], LIMIT, Ok("a b;$HOME`id`\n"));
        check(&["pwd"], LIMIT, Ok("/\n"));
        // Its input is closed.
        check(&["cat"], LIMIT, Ok(""));
    }

    #[test]
    fn program_that_gives_no_secret_is_named_and_its_output_is_not() {
        check(
            &["sh", "-c", "echo s3cret; echo s3cret >&2; exit 3"],
            LIMIT,
            Err("the command `sh` failed: exit status: 3"),
        );
        check(
            &["no-such-program-here", "s3cret"],
            LIMIT,
            Err("failed to start the command `no-such-program-here`"),
        );
        check(&["sh", "-c", "printf 's3cret\\377'"], LIMIT, Err("not UTF-8"));
        check(&["sh", "-c", "yes s3cret"], LIMIT, Err("more than 64 KiB"));
        check(&[], LIMIT, Err("names no program"));
        check(&[" "], LIMIT, Err("names no program"));
    }

    #[test]
    fn program_that_does_not_end_is_ended() {
        let limit = Duration::from_millis(50);
        check(&["sh", "-c", "echo s3cret; exec sleep 600"], limit, Err("did not end within 50ms"));
        // The output has ended, and the program has not.
        check(&["sh", "-c", "exec sleep 600 >&-"], limit, Err("did not end within 50ms"));
    }

    #[test]
    fn relative_path_starts_at_the_folder_of_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("bin");
        std::os::unix::fs::symlink("/bin/echo", &link).unwrap();
        assert_eq!(run(&words(&["./bin", "x"]), folder.path(), LIMIT).unwrap(), "x\n");
    }
}
