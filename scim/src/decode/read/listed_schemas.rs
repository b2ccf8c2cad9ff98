//! The member `schemas`, which is checked and not written.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::{AnyValue, JsonText, MAX_DROPPED, Pass};
use crate::rules::ListedSchemas;

/// The member `schemas`.
pub(super) struct SchemasMember<'p, 'r>(pub(super) &'p mut Pass<'r>);

impl SchemasMember<'_, '_> {
    fn not_an_array(self) {
        let kind = self.0.listed.not_an_array();
        self.0.problem(kind);
    }
}

impl<'de> Visitor<'de> for SchemasMember<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("schema URNs")
    }

    scalars!(
        (),
        |this: Self, _| this.not_an_array(),
        |this: Self, _| this.not_an_array(),
        |this: Self, _| this.not_an_array(),
        |_| ()
    );

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(AnyValue(SchemaUrn(&mut *self.0)))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.not_an_array();
        Ok(())
    }
}

/// One element of `schemas`.
struct SchemaUrn<'p, 'r>(&'p mut Pass<'r>);

impl SchemaUrn<'_, '_> {
    fn not_a_text(self) {
        self.0.problem(ListedSchemas::not_a_text());
    }

    fn listed(self, urn: &str) {
        let pass = self.0;
        let refuse_unknown = pass.options.refuse_unknown;
        let problems = pass.listed.add(urn, &pass.decoder.urns, refuse_unknown, &mut pass.dialect_use);
        for kind in problems {
            pass.problem(kind);
        }
        if !pass.decoder.urns.has(urn) && pass.out.unknown_schemas.len() < MAX_DROPPED {
            pass.out.unknown_schemas.push(urn.to_owned());
        }
    }
}

impl<'de> Visitor<'de> for SchemaUrn<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a schema URN")
    }

    scalars!(
        (),
        |this: Self, urn: JsonText<'_>| this.listed(urn.text),
        |this: Self, _| this.not_a_text(),
        |this: Self, _| this.not_a_text(),
        |this: Self| this.not_a_text()
    );

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        self.not_a_text();
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.not_a_text();
        Ok(())
    }
}
