//! Whether the attributes that a profile names exist in the resource types of a server.

use scim::schema::{Attribute, SchemaSet};

use super::Profile;
use crate::types::{TypeInfo, Types};
use crate::units::suggest::{attribute_name, did_you_mean};

/// Why a profile fits no server with these resource types: it names an attribute that would never be met.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {reason}")]
pub struct ProfileAttributeError {
    key: &'static str,
    reason: AttributeError,
}

/// What is wrong with an attribute that a profile names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum AttributeError {
    #[error("`{path}` is not an attribute of {types}{}", did_you_mean(.suggestion.as_deref()))]
    Unknown { path: String, types: String, suggestion: Option<String> },
    #[error(
        "`{0}` is required, so no resource could be created; name it under `not-updated` to keep it as it was at creation"
    )]
    Required(String),
}

/// Looks at each attribute that a profile names.
pub(crate) fn check_paths(profile: &Profile, types: &Types) -> Result<(), ProfileAttributeError> {
    let rules = &profile.application;
    let lists = [
        ("application.not-stored", &rules.not_stored, true),
        ("application.not-updated", &rules.not_updated, false),
        ("application.read-only", &rules.read_only, true),
    ];
    let withheld = lists.into_iter().flat_map(|(key, paths, also_at_creation)| {
        paths.iter().map(move |path| (key, path.to_string(), also_at_creation))
    });
    let counted = rules.max_values.keys().map(|name| ("application.max-values", name.clone(), false));
    let filtered = profile.filter.attributes.iter().map(|name| ("filter.attributes", name.clone(), false));
    for (key, path, also_at_creation) in withheld.chain(counted).chain(filtered) {
        let failed = |reason| ProfileAttributeError { key, reason };
        let found = known(&path, types).map_err(failed)?;
        if also_at_creation && !found.is_empty() && found.iter().all(|attribute| attribute.required) {
            return Err(failed(AttributeError::Required(path)));
        }
    }
    Ok(())
}

/// The attributes that a path names in the resource types; none where it names a whole extension.
fn known<'t>(text: &str, types: &'t Types) -> Result<Vec<&'t Attribute>, AttributeError> {
    let sets = || types.all().iter().map(|kind: &TypeInfo| &kind.schemas);
    if let Ok(path) = text.parse() {
        let found: Vec<&Attribute> = sets().filter_map(|schemas| schemas.attribute(&path)).collect();
        let extension = |schemas: &SchemaSet| {
            schemas.schema_at(&path).is_some_and(|schema| schema.id() != schemas.core().id())
        };
        if !found.is_empty() || sets().any(extension) {
            return Ok(found);
        }
    }
    let names: Vec<&str> = types.all().iter().map(TypeInfo::name).collect();
    let suggestion = sets().find_map(|schemas| attribute_name(schemas, text));
    Err(AttributeError::Unknown { path: text.to_owned(), types: names.join(" or "), suggestion })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_that_nothing_has_are_refused_with_the_nearest() {
        #[track_caller]
        fn check(lists: &str, expected: Result<(), &str>) {
            let profile = Profile::from_toml(&format!("name = \"x\"\nsummary = \"y\"\n{lists}")).unwrap();
            let found = check_paths(&profile, &Types::standard()).map_err(|error| error.to_string());
            assert_eq!(found.err().as_deref(), expected.err());
        }
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        check(&format!("[application]\nnot-stored = [\"title\", \"emails.type\", \"{enterprise}\"]"), Ok(()));
        check(&format!("[application]\nread-only = [\"{enterprise}:department\", \"department\"]"), Ok(()));
        check("[application]\nnot-updated = [\"userName\"]", Ok(()));
        check("[application]\nnot-stored = [\"displayName\"]", Ok(()));
        check(
            "[application]\nnot-stored = [\"titel\"]",
            Err(
                "`application.not-stored`: `titel` is not an attribute of User or Group; did you mean `title`?",
            ),
        );
        check(
            "[application]\nnot-updated = [\"emails.typ\"]",
            Err(
                "`application.not-updated`: `emails.typ` is not an attribute of User or Group; did you mean `emails.type`?",
            ),
        );
        let misspelt = format!("{enterprise}:departmnt");
        check(
            &format!("[application]\nread-only = [\"{misspelt}\"]"),
            Err(&format!(
                "`application.read-only`: `{misspelt}` is not an attribute of User or Group; did you mean \
                 `{enterprise}:department`?"
            )),
        );
        check(
            "[application]\nnot-stored = [\"userName\"]",
            Err(
                "`application.not-stored`: `userName` is required, so no resource could be created; name it under \
                 `not-updated` to keep it as it was at creation",
            ),
        );
        check(
            "[application.max-values]\nemials = 1",
            Err(
                "`application.max-values`: `emials` is not an attribute of User or Group; did you mean `emails`?",
            ),
        );
        check(
            "[filter]\nattributes = [\"userNam\"]",
            Err(
                "`filter.attributes`: `userNam` is not an attribute of User or Group; did you mean `userName`?",
            ),
        );
        check(
            "[application]\nread-only = [\"urn:ietf:params:scim:schemas:core:2.0:User\"]",
            Err(
                "`application.read-only`: `urn:ietf:params:scim:schemas:core:2.0:User` is not an attribute of User or \
                 Group",
            ),
        );
        for profile in Profile::builtins() {
            assert_eq!(check_paths(profile, &Types::standard()), Ok(()), "{}", profile.name);
        }
    }
}
