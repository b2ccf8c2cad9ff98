//! The attributes that a filter names, as schemas define them.

use std::collections::BTreeSet;

use super::{Schema, SchemaSet};
use crate::{
    filter::{AttrInfo, Filter},
    path::AttrPath,
};

impl Filter {
    /// Returns the top-level members that the filter reads, in canonical spelling; for an attribute of an extension,
    /// the URN of the extension. Unknown paths add none, because they match nothing.
    pub fn top_level_members(&self, schemas: &SchemaSet) -> BTreeSet<String> {
        let mut members = BTreeSet::new();
        self.visit(None, &mut |part| {
            let Some(path) = part.path.filter(|_| !part.leads_nowhere) else { return };
            // The schema does not define `value` of a simple multi-valued attribute.
            let whole = AttrPath { sub: None, ..path.into_owned() };
            if let Some(found) = schemas.locate(&whole) {
                let urn = found.extension.map(Schema::id);
                members.insert(urn.map_or_else(|| found.attribute.name.to_string(), ToString::to_string));
            }
        });
        members
    }

    /// Returns the paths that no schema defines, in the order of the text. They match nothing, and a server may refuse
    /// them.
    pub fn unknown_paths(&self, schemas: &SchemaSet) -> Vec<AttrPath> {
        let mut unknown: Vec<AttrPath> = Vec::new();
        self.visit(None, &mut |part| {
            if let Some(path) = part.path
                && (part.leads_nowhere || schemas.facts(&path).is_none())
                && !unknown.contains(&path)
            {
                unknown.push(path.into_owned());
            }
        });
        unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ENTERPRISE_URN;

    fn parse(text: &str) -> Filter {
        Filter::parse(text).unwrap()
    }

    #[test]
    fn top_level_members_have_canonical_spelling() {
        #[track_caller]
        fn check(text: &str, expected: &[&str]) {
            let members = parse(text).top_level_members(SchemaSet::user());
            assert_eq!(members.into_iter().collect::<Vec<_>>(), expected);
        }
        check("USERNAME eq \"a\" or name.givenname pr", &["name", "userName"]);
        check("Emails[TYPE eq \"work\"] and id pr", &["emails", "id"]);
        check("department pr", &[ENTERPRISE_URN]);
        check(&format!("{}:manager.value pr", ENTERPRISE_URN.to_uppercase()), &[ENTERPRISE_URN]);
        check("shoe eq 44 or meta.created pr", &["meta"]);
        check("schemas.value eq \"x\"", &["schemas"]);
    }

    #[test]
    fn unknown_paths_are_listed() {
        #[track_caller]
        fn check(text: &str, expected: &[&str]) {
            let unknown = parse(text).unknown_paths(SchemaSet::user());
            assert_eq!(unknown.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        }
        check("userName pr and department pr and schemas.value pr", &[]);
        check("shoe eq 44 or name.nick pr or shoe pr", &["shoe", "name.nick"]);
        check("emails[size eq 1 or type pr]", &["emails.size"]);
        check("shoes[type pr]", &["shoes", "shoes.type"]);
        check("emails[urn:x:y:type pr or name.givenName pr]", &["urn:x:y:type", "name.givenName"]);
        check(&format!("{ENTERPRISE_URN}:userName pr"), &[&format!("{ENTERPRISE_URN}:userName")]);
    }
}
