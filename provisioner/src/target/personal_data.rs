//! The values of the user that requests are about, taken out of the target's own words before they reach a report.
//!
//! A target that refuses an e-mail address likes to repeat it. Reports, the state and plans name the attribute instead.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use scim::json::get_ci_mut;
use serde_json::Value;

use super::response::{Body, Response};
use super::text_pattern::{TextPattern, replace};
use crate::mapping::{Desired, TargetPath};

tokio::task_local! {
    static SUBJECT: Arc<PersonalData>;
}

/// A user's values, each with the attribute whose name stands in its place.
///
/// Few responses need them, so what is searched for is built for the first of these.
pub(crate) struct PersonalData {
    wanted: Option<Desired>,
    /// What the account carries.
    carried: Vec<(TargetPath, String)>,
    /// Further texts of the user.
    texts: Vec<String>,
    text_patterns: OnceLock<Vec<(TextPattern, TargetPath)>>,
    /// All texts of the user at the source or in its account, as [`spelled`].
    own: OnceLock<BTreeSet<String>>,
}

impl PersonalData {
    /// Creates the values of one user by target path.
    pub(crate) fn new<'a>(
        wanted: Option<&Desired>,
        carried: impl IntoIterator<Item = (&'a TargetPath, &'a Value)>,
    ) -> Self {
        let text = |(path, value): (&TargetPath, &Value)| Some((path.clone(), value.as_str()?.to_owned()));
        Self {
            wanted: wanted.cloned(),
            carried: carried.into_iter().filter_map(text).collect(),
            texts: Vec::new(),
            text_patterns: OnceLock::new(),
            own: OnceLock::new(),
        }
    }

    fn text_patterns(&self) -> &[(TextPattern, TargetPath)] {
        self.text_patterns.get_or_init(|| {
            let of_value = |(path, value): (&TargetPath, &str)| {
                let path = path.clone();
                TextPattern::forms(value).into_iter().map(move |text_pattern| (text_pattern, path.clone()))
            };
            let mut text_patterns: Vec<_> = self.values().flat_map(of_value).collect();
            text_patterns.reverse();
            text_patterns
        })
    }

    fn own(&self) -> &BTreeSet<String> {
        self.own.get_or_init(|| {
            let values = self.values().map(|(_, value)| value);
            values.chain(self.texts.iter().map(String::as_str)).map(spelled).collect()
        })
    }

    /// Returns the wanted values that are texts, then those of the account.
    fn values(&self) -> impl Iterator<Item = (&TargetPath, &str)> {
        let wanted = self.wanted.iter().flat_map(Desired::iter);
        let wanted = wanted.filter_map(|(path, value)| Some((path, value.as_str()?)));
        wanted.chain(self.carried.iter().map(|(path, value)| (path, value.as_str())))
    }

    /// Returns the values with further texts that belong to the user.
    pub(crate) fn with_own<'a>(mut self, texts: impl IntoIterator<Item = &'a str>) -> Self {
        self.texts.extend(texts.into_iter().map(str::to_owned));
        self
    }

    /// Returns the patterns with their replacements in `text`. If several attributes have the value, the replacement is
    /// the attribute that the text names, or else `userName`, or else the first.
    fn for_text(&self, text: &str) -> Vec<(&TextPattern, String)> {
        let words = text.to_ascii_lowercase();
        let preference = |path: &TargetPath| (is_named(path, &words), *path == TargetPath::user_name());
        let mut text_patterns: Vec<_> = self.text_patterns().iter().collect();
        // `replace` prefers the last one of two that end at the same place.
        text_patterns.sort_by_cached_key(|(text_pattern, path)| (text_pattern.len(), preference(path)));
        text_patterns.into_iter().map(|(text_pattern, path)| (text_pattern, format!("[{path}]"))).collect()
    }

    /// Takes the values out of an error's words.
    fn clear(&self, response: &mut Response) {
        in_words(response, |text| replace(text, &self.for_text(text)));
    }
}

/// Whether `words`, in lower case, name the attribute of `path`, or its part.
fn is_named(path: &TargetPath, words: &str) -> bool {
    let has = |name: &str| {
        let name = name.to_ascii_lowercase();
        let alone = |at: usize| {
            let letter = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
            !letter(words.get(..at).and_then(|before| before.chars().next_back()))
                && !letter(words.get(at + name.len()..).and_then(|after| after.chars().next()))
        };
        words.match_indices(&name).any(|(at, _)| alone(at))
    };
    let attribute = path.attribute();
    match path.sub() {
        // `name` is a word of many sentences.
        Some(part) if attribute.eq_ignore_ascii_case("name") => has(part),
        Some(part) => {
            has(attribute)
                || attribute.strip_suffix('s').is_some_and(has)
                || (!part.eq_ignore_ascii_case("value") && has(part))
        }
        None => has(attribute),
    }
}

/// Runs `work`, whose requests are all about one user.
pub(crate) async fn with_personal_data<W: Future>(personal_data: PersonalData, work: W) -> W::Output {
    SUBJECT.scope(Arc::new(personal_data), work).await
}

/// Returns `text` in the one spelling by which respelled texts are compared.
fn spelled(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Whether `text`, all of it, is a value of the user that the present work is about: it came from the source, so a credential in
/// it is no echo.
pub(super) fn is_own(text: &str) -> bool {
    SUBJECT.try_with(|personal_data| personal_data.own().contains(&spelled(text))).unwrap_or(false)
}

/// Removes the values of the current user from a response, if there is a current user.
pub(super) fn clear(response: &mut Response) {
    // Requests that are about no user, such as those of the connection test, have no values to clear.
    let _ = SUBJECT.try_with(|personal_data| personal_data.clear(response));
    if !response.status.is_success() {
        in_words(response, without_addresses);
    }
}

/// Applies `clear` to the parts of a response that people see: `detail` and `scimType` of an error.
fn in_words(response: &mut Response, clear: impl Fn(&str) -> Option<String>) {
    let Body::Json(Value::Object(members)) = &mut response.body else { return };
    for name in ["detail", "scimType"] {
        if let Some(Value::String(text)) = get_ci_mut(members, name)
            && let Some(cleared) = clear(text)
        {
            *text = cleared;
        }
    }
}

/// Stands in the place of an e-mail address that is not the user's own.
const ADDRESS: &str = "[an e-mail address]";

/// Removes every e-mail address from `text`, or returns `None` if there is none. Other values of other people cannot be
/// distinguished from the target's own words.
fn without_addresses(text: &str) -> Option<String> {
    let is_local = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
    let is_domain = |c: char| c.is_alphanumeric() || "-.".contains(c);
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let (mut out, mut kept, mut from) = (String::new(), 0, 0);
    loop {
        let rest = part(from, text.len());
        let sign = ["@", "%40"].iter().filter_map(|sign| Some((rest.find(sign)?, sign.len()))).min();
        let Some((at, length)) = sign.map(|(at, length)| (from + at, length)) else { break };
        let local = part(kept, at).trim_end_matches(is_local).len() + kept;
        let after = part(at + length, text.len());
        let domain = after.len() - after.trim_start_matches(is_domain).len();
        let domain = after.get(..domain).unwrap_or_default().trim_end_matches(['.', '-']);
        from = at + length + domain.len();
        if local < at && !domain.is_empty() {
            out.push_str(part(kept, local));
            out.push_str(ADDRESS);
            kept = from;
        }
    }
    if kept == 0 {
        return None;
    }
    out.push_str(part(kept, text.len()));
    Some(out)
}
