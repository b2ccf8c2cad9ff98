//! What can be wrong with a rule.

use scim::error::ScimType;

use crate::units::suggest::question;

/// Why a text is no [`Fault`](crate::Fault).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseFaultError {
    /// A word that rules don't have.
    #[error("unknown fault key or preset `{key}`; {}", hint(*.nearest, *.is_bare))]
    UnknownKey {
        /// What was written.
        key: String,
        /// The word that looks most like it.
        nearest: Option<&'static str>,
        /// Whether it has no value, as the name of a preset.
        is_bare: bool,
    },
    /// A word stands there twice.
    #[error("`{0}` is written twice")]
    Doubled(&'static str),
    /// A word that needs a value has none.
    #[error("`{key}` takes {takes}: `{key}=…`")]
    Bare {
        /// The word.
        key: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// A word that takes no value has one.
    #[error("`{0}` takes no value")]
    NotBare(&'static str),
    /// Nothing stands behind the equals sign.
    #[error("`{0}=` has no value; an empty value is written `{0}=\"\"`")]
    NoValue(String),
    /// The value doesn't fit the key.
    #[error("`{value}` does not fit `{key}`, which takes {takes}")]
    BadValue {
        /// The key.
        key: &'static str,
        /// What was written.
        value: String,
        /// What it takes.
        takes: &'static str,
    },
    /// A `scimType` that neither RFC 7644 nor RFC 9865 knows.
    #[error("there is no scimType `{written}`; {}", keywords(*.nearest))]
    UnknownScimType {
        /// What was written.
        written: String,
        /// The keyword that looks most like it.
        nearest: Option<&'static str>,
    },
    /// A quotation mark has no partner.
    #[error("the quoted value of `{0}` is not closed")]
    OpenQuote(String),
    /// A quotation mark stands within a word.
    #[error("`{0}`: quotation marks stand around a whole value, and one within it is written `\\\"`")]
    StrayQuote(String),
    /// A backslash in quotes before a letter that it does nothing to.
    #[error("`\\{0}` means nothing in a quoted value; a backslash is written `\\\\`")]
    BadEscape(char),
    /// Nothing says what the fault does.
    #[error("a fault needs to say what it does, such as `status=503`, `latency=200ms` or `reset`")]
    NoKind,
    /// It says twice what the fault does.
    #[error("a fault does one thing, and here are `{first}` and `{second}`; write two rules")]
    SecondKind {
        /// The first thing.
        first: &'static str,
        /// The second one.
        second: &'static str,
    },
    /// A word that goes with `status` only.
    #[error("`{key}` goes with `status`, and not with `{kind}`")]
    OnlyWithStatus {
        /// The word.
        key: &'static str,
        /// What the fault does.
        kind: &'static str,
    },
    /// A fault that needs the reply is to strike before there is one.
    #[error("`{0}` spoils the reply, so it can't strike with `phase=before`; leave the phase out")]
    NeedsReply(&'static str),
    /// Nothing that can come fits the rule.
    #[error("the rule can never strike: {0}")]
    NeverStrikes(String),
    /// A preset stands among other words.
    #[error("`{0}` is a preset, which stands for whole rules; write it alone, where several rules may stand")]
    Preset(&'static str),
}

fn hint(nearest: Option<&str>, is_bare: bool) -> String {
    let hint =
        nearest.map_or_else(|| "a rule looks like `status=503 method=POST times=2`".to_owned(), question);
    if is_bare { format!("the presets are mild, rough and hostile; {hint}") } else { hint }
}

fn keywords(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => question(nearest),
        None => format!("there are {}", ScimType::ALL.map(ScimType::as_str).join(", ")),
    }
}

/// Why a text of several rules can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{error}", .line.map_or_else(String::new, |line| format!("line {line}: ")))]
pub struct ParseFaultsError {
    /// Counted from one; none where the text is one line.
    pub line: Option<usize>,
    /// What is wrong there.
    pub error: ParseFaultError,
}
