//! Why a case ends before its last step.

use crate::case::template::{Place, Property, Unfilled};

/// Why a case went no further.
pub(super) enum End {
    /// An expectation does not hold; the case's verdict follows from the levels.
    Missed,
    /// The subject does not have this.
    NotAdvertised(String),
    /// The case cannot be tried.
    Skipped(String),
    /// No answer told what the next step needs. An expectation that does not hold counts nevertheless.
    Untold(String),
    /// The case cannot be tried, because of a filter that is refused.
    FilterRefused(String),
    /// The network broke.
    Broken(String),
}

impl From<Unfilled> for End {
    fn from(unfilled: Unfilled) -> Self {
        let Unfilled(place) = unfilled;
        let what = match place {
            Place::Of(_, Property::Id | Property::Path | Property::NamedPath) => {
                "the id of the resource".to_owned()
            }
            Place::Of(_, Property::Location) => "where the resource is".to_owned(),
            Place::Of(_, Property::Version) => {
                "the version of the resource (ETag, or meta.version)".to_owned()
            }
            Place::Field(name, pointer) if name == "config" => format!("{pointer} of ServiceProviderConfig"),
            Place::Field(_, pointer) | Place::Shifted(_, pointer, _) => {
                pointer.trim_start_matches('/').replace('/', ".")
            }
            Place::Urn(name) => format!("the URN of {name}"),
            Place::New { resource_type, .. } => format!("what a {resource_type} is"),
            Place::Base | Place::Unique(_) | Place::UserName(_) | Place::UserNames | Place::Number => {
                "what it needs".to_owned()
            }
        };
        Self::Untold(format!("it could not be tried: no answer before said {what}"))
    }
}
