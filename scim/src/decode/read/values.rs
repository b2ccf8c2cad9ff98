//! Values: the parts of the pass that look at the type of a value.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::{AnyValue, AttributePlan, JsonText, ObjectPlan, Pass, PlaceSegment};
use crate::dialect::Dialect;
use crate::rules::{self, JsonValue};

/// The value of an extension, whose braces the caller writes. Decodes to whether a member was written.
pub(super) struct ExtensionValue<'p, 'r> {
    pub(super) pass: &'p mut Pass<'r>,
    pub(super) plan: &'r ObjectPlan,
}

impl ExtensionValue<'_, '_> {
    fn check(self, value: JsonValue<'_>) -> bool {
        self.pass.check(rules::check_extension(value));
        false
    }
}

impl<'de> Visitor<'de> for ExtensionValue<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    scalars!(
        bool,
        |this: Self, text: JsonText<'_>| this.check(JsonValue::Text(text.text)),
        |this: Self, _| this.check(JsonValue::Boolean),
        |this: Self, number: Number| this.check(JsonValue::Number(&number)),
        |_| false
    );

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self.check(JsonValue::Array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        self.pass.object(self.plan, &mut map)
    }
}

/// The value, or all values, of an attribute.
pub(super) struct AttributeValue<'p, 'r> {
    pub(super) pass: &'p mut Pass<'r>,
    pub(super) plan: &'r AttributePlan,
}

impl AttributeValue<'_, '_> {
    fn scalar(self, value: JsonValue<'_>, write: impl FnOnce(&mut Pass<'_>, &AttributePlan)) {
        if self.pass.check(rules::check_shape(&self.plan.attribute, value)) {
            write(self.pass, self.plan);
        }
    }

    /// Decodes an array where the attribute has one value: a manager in an array of one, if that is accepted.
    fn array_of_one<'de, A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { pass, plan } = self;
        let accepted = pass.dialect_use.accepts(Dialect::BareManager) && plan.attribute.is_manager();
        if accepted && seq.next_element_seed(AnyValue(AttributeValue { pass: &mut *pass, plan }))?.is_some() {
            pass.dialect_use.record(Dialect::BareManager);
        }
        if !accepted || seq.next_element::<IgnoredAny>()?.is_some() {
            pass.check_value(plan, JsonValue::Array);
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

impl<'de> Visitor<'de> for AttributeValue<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    scalars!(
        (),
        |this: Self, text: JsonText<'_>| {
            this.scalar(JsonValue::Text(text.text), |pass, plan| pass.text(plan, text));
        },
        |this: Self, flag| this.scalar(JsonValue::Boolean, |pass, plan| pass.boolean(plan, flag)),
        |this: Self, number: Number| {
            this.scalar(JsonValue::Number(&number), |pass, plan| pass.number(plan, &number));
        },
        |_| ()
    );

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if !self.plan.attribute.multi_valued {
            return self.array_of_one(seq);
        }
        let Self { pass, plan } = self;
        pass.out.members.push(b'[');
        let open = pass.out.members.len();
        let mut primary_values = 0;
        for at in 0.. {
            pass.place.push(PlaceSegment::Index(at));
            let is_primary = seq.next_element_seed(AnyValue(SingleValue { pass: &mut *pass, plan }))?;
            pass.place.pop();
            match is_primary {
                Some(is_primary) => primary_values += usize::from(is_primary),
                None => break,
            }
        }
        pass.check(rules::check_primary(primary_values));
        if pass.out.members.len() == open {
            pass.out.members.truncate(open - 1);
        } else {
            pass.out.members.push(b']');
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.pass.check(rules::check_shape(&self.plan.attribute, JsonValue::Object)) {
            SingleValue { pass: self.pass, plan: self.plan }.visit_map(map)?;
        } else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        }
        Ok(())
    }
}

/// One value of an attribute. Decodes to whether it is marked as the primary one.
struct SingleValue<'p, 'r> {
    pass: &'p mut Pass<'r>,
    plan: &'r AttributePlan,
}

impl SingleValue<'_, '_> {
    /// Writes one of several values, with the comma before it.
    fn scalar(self, write: impl FnOnce(&mut Pass<'_>, &AttributePlan)) -> bool {
        let (before, after) = self.pass.begin(b"");
        write(self.pass, self.plan);
        if self.pass.out.members.len() == after {
            self.pass.out.members.truncate(before);
        }
        false
    }
}

impl<'de> Visitor<'de> for SingleValue<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    scalars!(
        bool,
        |this: Self, text: JsonText<'_>| this.scalar(|pass, plan| pass.text(plan, text)),
        |this: Self, flag| this.scalar(|pass, plan| pass.boolean(plan, flag)),
        |this: Self, number| this.scalar(|pass, plan| pass.number(plan, &number)),
        |_| false
    );

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        self.pass.check_value(self.plan, JsonValue::Array);
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let Self { pass, plan } = self;
        if !pass.check_value(plan, JsonValue::Object) {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(false);
        }
        // No comma is due after a key; between the values of an array one is.
        let before = pass.out.members.len();
        if matches!(pass.out.members.last(), Some(b'}')) {
            pass.out.members.push(b',');
        }
        pass.out.members.push(b'{');
        let outer = std::mem::take(&mut pass.has_primary);
        if pass.object(&plan.subs, &mut map)? {
            pass.out.members.push(b'}');
        } else {
            pass.out.members.truncate(before);
        }
        Ok(std::mem::replace(&mut pass.has_primary, outer))
    }
}
