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
    ("ipsie", "IPSIE AL SCIM 2.0 Profile"),
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

/// A case.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Case {
    /// A stable name: a-z, 0-9 and hyphens.
    pub slug: String,
    /// The statement that holds of a correct client.
    pub title: String,
    /// The level.
    pub level: Level,
    /// The requirement, paraphrased.
    pub requirement: String,
    /// The document: a word of the README's list.
    pub document: String,
    /// The section of the document.
    pub section: String,
    /// The document and section of the rule, if the document of the id is only the subject: a document's word, and a
    /// section.
    pub rule_of: Option<(String, String)>,
    /// Further sections, as in `RFC 9110 §10.2.3`.
    #[serde(default)]
    pub also: Vec<String>,
    /// The step that fixes a failure, for the client's author.
    #[serde(alias = "mend")]
    pub hint: String,
    /// Tags for selections.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The scenarios whose traffic is judged. None: all traffic, that of a recorded journal too.
    #[serde(default)]
    pub scenarios: Vec<String>,
    /// The case needs the traffic of a whole run, so it is not judged from a recorded journal.
    #[serde(default)]
    pub whole_run: bool,
    /// The case is about clients that send a matching request; others are `not-advertised`.
    pub when: Option<Matcher>,
    /// The judgements, all of which must hold.
    pub judge: Vec<Judgement>,
}

impl Case {
    /// Returns the id: `client/<document>/<section>/<slug>`.
    pub fn id(&self) -> String {
        format!("client/{}/{}/{}", self.document, self.section, self.slug)
    }

    /// Returns the section that states the requirement.
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

    /// Returns the requirement, its section and the judgement, for `explain`.
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
