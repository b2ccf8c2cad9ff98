//! Cases of `conformance client` as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::client::judge::{self, Judgement};
use crate::client::matcher::Matcher;
use crate::requirement::{Level, Spec};
use crate::select::Selectable;

/// The documents that cases cite: the word in ids and files, and the name in reports.
pub const DOCUMENTS: [(&str, &str); 10] = [
    ("rfc7643", "RFC 7643"),
    ("rfc7644", "RFC 7644"),
    ("rfc3986", "RFC 3986"),
    ("rfc6585", "RFC 6585"),
    ("rfc9110", "RFC 9110"),
    ("rfc9700", "RFC 9700"),
    ("ipsie", "IPSIE AL1 SCIM"),
    ("interop", "draft-zollner-scim-interop-profile"),
    ("pingone", "PingOne, Creating an Aquera connection"),
    ("provisioning", "What provisioning must not break"),
];

/// A file of cases.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// The cases.
    pub case: Vec<Case>,
}

/// One case.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Case {
    /// A stable name: a-z, 0-9 and hyphens.
    pub slug: String,
    /// What holds of a good client.
    pub title: String,
    /// How binding it is.
    pub level: Level,
    /// In own words.
    pub requirement: String,
    /// Which document says so: a word of the README's list.
    pub document: String,
    /// Where in it.
    pub section: String,
    /// Whose rule it is, where the document of the id only is what it is about: a document's word, and a section.
    pub rule_of: Option<(String, String)>,
    /// Further places, as in `RFC 9110 §10.2.3`.
    #[serde(default)]
    pub also: Vec<String>,
    /// What the client's author does about a failure.
    #[serde(alias = "mend")]
    pub hint: String,
    /// Free words.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The scenarios whose traffic is judged. None: all traffic, that of a recorded journal too.
    #[serde(default)]
    pub scenarios: Vec<String>,
    /// It can be judged only where the whole life of the client is known, so not in a recorded journal.
    #[serde(default)]
    pub whole_run: bool,
    /// It is about clients that send something like this; others are `not-advertised`.
    pub when: Option<Matcher>,
    /// All of these must hold.
    pub judge: Vec<Judgement>,
}

impl Case {
    /// `client/<document>/<section>/<slug>`.
    pub fn id(&self) -> String {
        format!("client/{}/{}/{}", self.document, self.section, self.slug)
    }

    /// Where the requirement stands.
    pub fn spec(&self) -> Spec {
        let (document, section) = match &self.rule_of {
            Some((document, section)) => (document, section),
            None => (&self.document, &self.section),
        };
        let name =
            DOCUMENTS.iter().find(|(word, _)| word == document).map_or(document.as_str(), |(_, name)| name);
        Spec { document: name.to_owned(), section: section.replace('-', " "), also: self.also.clone() }
    }

    /// Whether it needs to be known what went on at the source.
    pub fn needs_a_run(&self) -> bool {
        self.whole_run || !self.scenarios.is_empty()
    }

    /// What it asks for, where that stands and how it is judged, for `explain`.
    pub fn describe(&self) -> String {
        let mut text = format!("{}\n{}\n\n", self.id(), self.title);
        append!(text, "{}  {}\n", crate::report::labels::level(self.level), self.requirement);
        append!(text, "Stands in  {}\n", crate::report::labels::spec(&self.spec()));
        append!(text, "Hint       {}\n", self.hint);
        let scenarios =
            if self.scenarios.is_empty() { "all traffic".to_owned() } else { self.scenarios.join(", ") };
        append!(text, "Judged     {scenarios}\n");
        if let Some(when) = &self.when {
            append!(text, "For        clients that send {}\n", when.in_words());
        }
        for judgement in &self.judge {
            append!(text, "Holds when {}\n", judge::in_words(judgement));
        }
        append!(text, "\nRun it alone: conformance client --select 'id={}'\n", self.id());
        text
    }
}

impl Selectable for Case {
    fn properties() -> Vec<(&'static str, Vec<String>)> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        vec![
            ("id", Vec::new()),
            ("document", words(&DOCUMENTS.map(|(word, _)| word))),
            ("section", Vec::new()),
            ("level", words(&["must", "should", "may"])),
            ("tag", Vec::new()),
            ("scenario", Vec::new()),
        ]
    }

    fn has(&self, name: &str, fits: &dyn Fn(&str) -> bool) -> bool {
        match name {
            "id" => fits(&self.id()),
            "document" => fits(&self.document),
            "section" => fits(&self.section),
            "level" => fits(self.level.as_str()),
            "tag" => self.tags.iter().any(|tag| fits(tag)),
            "scenario" => self.scenarios.iter().any(|scenario| fits(scenario)),
            _ => false,
        }
    }
}
