//! Rules as text.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use scim::error::ScimType;

use super::kind::{FaultKind, Latency, MOST_GARBAGE, is_header_text, is_status};
use super::matching::Matching;
use super::preset::PRESETS;
use super::trigger::{Moment, Times, Trigger};
use super::{Fault, ParseFaultError, ParseFaultsError, Phase};
use crate::fault::lexer::{Word, words};
use crate::units::duration;
use crate::units::glob::Glob;
use crate::units::suggest::nearest;

/// What a rule can say, with what each word takes. None: it takes nothing.
const WORDS: [(&str, Option<&str>); 34] = [
    ("status", Some("an HTTP status from 200 to 599")),
    ("latency", Some("`200ms`, `uniform(50ms,200ms)` or `lognormal(120ms,0.5)`")),
    ("hang", Some("a time such as `30s`, or nothing at all")),
    ("reset", None),
    ("empty-reply", None),
    ("malformed-chunk", None),
    ("truncate", Some("a fraction from 0 to 1")),
    ("garbage", Some("a number of bytes from 1 to 1048576")),
    ("dribble", Some("a pause such as `10ms`, or bytes and a pause such as `16/10ms`")),
    ("wrong-length", Some("a number of bytes too many or too few, such as `+10`")),
    ("wrong-type", Some("a media type such as `text/html`")),
    ("close-after", None),
    ("refuse", Some("a time such as `2s`")),
    ("expire-token", None),
    ("unauthorized", None),
    ("revoke", None),
    ("scim-type", Some("the `scimType` of an error such as `uniqueness`")),
    ("detail", Some("a text")),
    ("retry-after", Some("seconds or an HTTP date")),
    ("method", Some("an HTTP method such as POST, or several: `PUT,PATCH`")),
    ("path", Some("a path below the SCIM URL such as `/Users/*`")),
    ("type", Some("a resource type such as `User`")),
    ("id", Some("the id of a resource")),
    ("user-name", Some("a user name")),
    ("patch-path", Some("the path of an operation such as `active`")),
    ("nth", Some("a number from 1")),
    ("times", Some("a number, or `always`")),
    ("every", Some("a number from 1")),
    ("after", Some("a number")),
    ("probability", Some("a number from 0 to 1")),
    (
        "from",
        Some(
            "an instant up to 9999-12-30T22:00:00Z such as `2026-11-23T10:00:00Z`, or a time from now such as `+10s`",
        ),
    ),
    (
        "until",
        Some(
            "an instant up to 9999-12-30T22:00:00Z such as `2026-11-23T10:00:00Z`, or a time from now such as `+60s`",
        ),
    ),
    ("ttl", Some("a time such as `30s`")),
    ("phase", Some("`before` or `after`")),
];

/// How many of the words, from the first, say what a fault does.
const KINDS: usize = 16;
const STATUS_ONLY: [&str; 3] = ["scim-type", "detail", "retry-after"];

impl FromStr for Fault {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = Self::read(text)?;
        fault.can_strike()?;
        Ok(fault)
    }
}

/// A value of a word that is known.
struct Value {
    key: &'static str,
    takes: &'static str,
    text: String,
}

impl Value {
    fn read<T>(&self, read: impl FnOnce(&str) -> Option<T>) -> Result<T, ParseFaultError> {
        read(&self.text).ok_or_else(|| ParseFaultError::BadValue {
            key: self.key,
            value: self.text.clone(),
            takes: self.takes,
        })
    }

    fn span(&self) -> Result<Duration, ParseFaultError> {
        self.read(duration::parse)
    }

    fn count(&self) -> Result<u32, ParseFaultError> {
        self.read(|text| number(text).filter(|count| *count > 0))
    }
}

/// What has been read of a rule.
#[derive(Default)]
struct Said {
    kind: Option<FaultKind>,
    scim_type: Option<ScimType>,
    detail: Option<String>,
    retry_after: Option<String>,
    matching: Matching,
    trigger: Trigger,
    phase: Option<Phase>,
    words: Vec<&'static str>,
}

impl Said {
    fn take(&mut self, key: &str, value: Option<String>) -> Result<(), ParseFaultError> {
        let Some(at) = WORDS.iter().position(|(word, _)| *word == key) else {
            return Err(unknown(key, value.is_none()));
        };
        let (key, takes) = WORDS[at];
        if self.words.contains(&key) {
            return Err(ParseFaultError::Doubled(key));
        }
        if at < KINDS
            && let Some(first) = &self.kind
        {
            return Err(ParseFaultError::SecondKind { first: first.word(), second: key });
        }
        self.words.push(key);
        match (takes, value) {
            (None, None) => self.kind = Some(bare(key)),
            (Some(_), None) if key == "hang" => self.kind = Some(FaultKind::Hang(None)),
            (None, Some(_)) => return Err(ParseFaultError::NotBare(key)),
            (Some(takes), None) => return Err(ParseFaultError::Bare { key, takes }),
            (Some(takes), Some(text)) => {
                let value = Value { key, takes, text };
                if at < KINDS {
                    self.kind = Some(kind(&value)?);
                } else {
                    self.condition(value)?;
                }
            }
        }
        Ok(())
    }

    fn condition(&mut self, value: Value) -> Result<(), ParseFaultError> {
        let Self { matching, trigger, .. } = self;
        match value.key {
            "scim-type" => self.scim_type = Some(scim_type(value.text)?),
            "detail" => self.detail = Some(value.text),
            "retry-after" => self.retry_after = Some(value.read(header)?),
            "method" => matching.methods = Some(value.read(methods)?),
            "path" => {
                let glob = |text: &str| text.starts_with(['/', '*']).then(|| Glob::new(text));
                matching.path = Some(value.read(glob)?);
            }
            "type" => matching.resource_type = Some(value.text),
            "id" => matching.id = Some(value.text),
            "user-name" => matching.user_name = Some(value.text),
            "patch-path" => matching.patch_path = Some(value.text),
            "nth" => trigger.nth = Some(value.count()?),
            "times" => {
                trigger.times = Some(value.read(|text| match text {
                    "always" => Some(Times::Always),
                    text => number(text).map(Times::UpTo),
                })?);
            }
            "every" => trigger.every = Some(value.count()?),
            "after" => trigger.after = Some(value.read(number)?),
            "probability" => trigger.probability = Some(value.read(fraction)?),
            "from" => trigger.from = Some(value.read(Moment::parse)?),
            "until" => trigger.until = Some(value.read(Moment::parse)?),
            "ttl" => trigger.ttl = Some(value.span()?),
            _ => {
                self.phase = Some(value.read(|text| match text {
                    "before" => Some(Phase::BeforeEffect),
                    "after" => Some(Phase::AfterEffect),
                    _ => None,
                })?);
            }
        }
        Ok(())
    }

    fn fault(self) -> Result<Fault, ParseFaultError> {
        let Self { kind, scim_type, detail, retry_after, matching, trigger, phase, words } = self;
        let kind = match kind.ok_or(ParseFaultError::NoKind)? {
            FaultKind::Status { status, .. } => FaultKind::Status { status, scim_type, detail, retry_after },
            kind => {
                if let Some(key) = words.iter().find(|word| STATUS_ONLY.contains(word)) {
                    return Err(ParseFaultError::OnlyWithStatus { key, kind: kind.word() });
                }
                kind
            }
        };
        if phase == Some(Phase::BeforeEffect) && kind.needs_reply() {
            return Err(ParseFaultError::NeedsReply(kind.word()));
        }
        let fault = Fault { matching, trigger, ..Fault::new(kind) };
        Ok(phase.map_or(fault.clone(), |phase| fault.phase(phase)))
    }
}

fn unknown(key: &str, is_bare: bool) -> ParseFaultError {
    if let Some((preset, _)) = PRESETS.iter().find(|(name, _)| *name == key) {
        return ParseFaultError::Preset(preset);
    }
    // A word without a value is meant for a preset, or for one that takes none.
    let may_be = |(word, takes): &(&'static str, Option<&str>)| {
        (!is_bare || takes.is_none() || *word == "hang").then_some(*word)
    };
    let known = PRESETS.iter().map(|(name, _)| *name).chain(WORDS.iter().filter_map(may_be));
    ParseFaultError::UnknownKey { key: key.to_owned(), nearest: nearest(key, known), is_bare }
}

fn scim_type(text: String) -> Result<ScimType, ParseFaultError> {
    ScimType::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(&text)).ok_or_else(|| {
        let nearest = nearest(&text, ScimType::ALL.map(ScimType::as_str));
        ParseFaultError::UnknownScimType { written: text, nearest }
    })
}

fn bare(key: &str) -> FaultKind {
    match key {
        "empty-reply" => FaultKind::EmptyReply,
        "malformed-chunk" => FaultKind::MalformedChunk,
        "close-after" => FaultKind::CloseAfter,
        "expire-token" => FaultKind::ExpireToken,
        "unauthorized" => FaultKind::Unauthorized,
        "revoke" => FaultKind::Revoke,
        _ => FaultKind::Reset,
    }
}

fn kind(value: &Value) -> Result<FaultKind, ParseFaultError> {
    Ok(match value.key {
        "latency" => FaultKind::Latency(value.read(Latency::parse)?),
        "hang" => FaultKind::Hang(Some(value.span()?)),
        "truncate" => FaultKind::Truncate(value.read(fraction)?),
        "garbage" => {
            let bytes = |text: &str| number(text).filter(|bytes| (1..=MOST_GARBAGE).contains(bytes));
            FaultKind::Garbage(value.read(bytes)?)
        }
        "dribble" => value.read(dribble)?,
        "wrong-length" => {
            FaultKind::WrongLength(value.read(|text| text.parse().ok().filter(|off| *off != 0))?)
        }
        "wrong-type" => FaultKind::WrongType(value.read(header)?),
        "refuse" => FaultKind::Refuse(value.span()?),
        _ => FaultKind::status(value.read(|text| number(text).filter(|status| is_status(*status)))?),
    })
}

/// Digits only: a sign would look as if it meant something.
fn number<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn fraction(text: &str) -> Option<f64> {
    text.parse().ok().filter(|part| (0.0..=1.0).contains(part))
}

fn header(text: &str) -> Option<String> {
    is_header_text(text).then(|| text.to_owned())
}

fn methods(text: &str) -> Option<Vec<String>> {
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic());
    text.split(',').map(|name| is_name(name).then(|| name.to_ascii_uppercase())).collect()
}

fn dribble(text: &str) -> Option<FaultKind> {
    let (chunk, pause) = match text.split_once('/') {
        Some((chunk, pause)) => (number(chunk).filter(|chunk| *chunk > 0)?, pause),
        None => (1, text),
    };
    Some(FaultKind::Dribble { chunk, pause: duration::parse(pause)? })
}

impl fmt::Display for Fault {
    /// The rule in its canonical form: what happens, to which requests, when.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.kind, self.matching, self.trigger)?;
        match self.phase {
            phase if phase == self.kind.usual_phase() => Ok(()),
            Phase::BeforeEffect => f.write_str(" phase=before"),
            Phase::AfterEffect => f.write_str(" phase=after"),
        }
    }
}

impl Fault {
    /// Reads a rule that may be one that can never strike.
    pub(super) fn read(text: &str) -> Result<Self, ParseFaultError> {
        let mut said = Said::default();
        for Word { key, value } in words(text)? {
            said.take(key, value)?;
        }
        said.fault()
    }

    /// Reads several rules like [`parse_all`](Self::parse_all), at least one.
    pub(crate) fn parse_some(text: &str) -> Result<Vec<Self>, ParseFaultsError> {
        let faults = Self::parse_all(text)?;
        if faults.is_empty() {
            return Err(ParseFaultsError { line: None, error: ParseFaultError::NoKind });
        }
        Ok(faults)
    }

    /// Reads several rules, one a line. Empty lines and those that begin with `#` say nothing; a line that is the
    /// name of a [preset](Self::preset) stands for its rules.
    ///
    /// ```
    /// let faults = mock_aquera::Fault::parse_all("# a bad day\nmild\nreset probability=0.01\n")?;
    /// assert!(faults.len() > 2);
    /// # Ok::<(), mock_aquera::ParseFaultsError>(())
    /// ```
    ///
    /// # Errors
    /// At the first line that is no rule.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, ParseFaultsError> {
        let lonely = text.trim().lines().nth(1).is_none();
        let mut faults = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match Self::preset(line) {
                Some(preset) => faults.extend(preset),
                None => faults.push(
                    line.parse()
                        .map_err(|error| ParseFaultsError { line: (!lonely).then_some(at + 1), error })?,
                ),
            }
        }
        Ok(faults)
    }
}
