//! The member `schemas`, which is looked at and not written.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::{Any, Pass, Text};
use crate::validate::ProblemKind;

/// `schemas`.
pub(super) struct Listed<'p, 'r>(pub(super) &'p mut Pass<'r>);

impl Listed<'_, '_> {
    fn wrong(self) {
        self.0.lists_core = Some(true);
        self.0.problem(ProblemKind::Type("an array"));
    }
}

impl<'de> Visitor<'de> for Listed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("schema URNs")
    }

    scalars!(
        (),
        |this: Self, _| this.wrong(),
        |this: Self, _| this.wrong(),
        |this: Self, _| this.wrong(),
        |_| ()
    );

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Any(Urn(&mut *self.0)))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.wrong();
        Ok(())
    }
}

/// One of the `schemas`.
struct Urn<'p, 'r>(&'p mut Pass<'r>);

impl Urn<'_, '_> {
    fn wrong(self) {
        self.0.problem(ProblemKind::Type("an array of texts"));
    }

    fn listed(self, urn: &str) {
        let pass = self.0;
        let core = pass.reader.is_core(urn);
        let again = if core {
            pass.lists_core == Some(true)
        } else {
            let known = pass.lists.iter().any(|known| known.eq_ignore_ascii_case(urn));
            pass.lists.push(urn.to_owned());
            known
        };
        if again && !pass.options.duplicate_schemas {
            pass.problem(ProblemKind::Twice(urn.to_owned()));
        }
        pass.out.duplicate_schemas |= again;
        if pass.options.refuse_unknown && !core && pass.reader.extension(urn).is_none() {
            pass.problem(ProblemKind::Foreign(urn.to_owned()));
        }
        pass.lists_core = Some(pass.lists_core == Some(true) || core);
    }
}

impl<'de> Visitor<'de> for Urn<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a schema URN")
    }

    scalars!(
        (),
        |this: Self, urn: Text<'_>| this.listed(urn.text),
        |this: Self, _| this.wrong(),
        |this: Self, _| this.wrong(),
        |this: Self| this.wrong()
    );

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        self.wrong();
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.wrong();
        Ok(())
    }
}
