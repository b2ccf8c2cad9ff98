//! Values, one after another: the parts of the pass that look at a value's type.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::{Any, Members, Node, Pass, Step, Text, expected};
use crate::schema::AttributeType;
use crate::validate::ProblemKind;

/// An object whose braces the caller writes.
pub(super) struct Object<'p, 'r> {
    pub(super) pass: &'p mut Pass<'r>,
    pub(super) members: &'r Members,
}

impl Object<'_, '_> {
    fn wrong(self) -> bool {
        self.pass.problem(ProblemKind::Type("an object"));
        false
    }
}

impl<'de> Visitor<'de> for Object<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    scalars!(
        bool,
        |this: Self, _| this.wrong(),
        |this: Self, _| this.wrong(),
        |this: Self, _| this.wrong(),
        |_| false
    );

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self.wrong())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        self.pass.object(self.members, &mut map)
    }
}

/// The value, or all values, of an attribute.
pub(super) struct Of<'p, 'r> {
    pub(super) pass: &'p mut Pass<'r>,
    pub(super) node: &'r Node,
}

impl Of<'_, '_> {
    fn scalar(self, write: impl FnOnce(&mut Pass<'_>, &Node)) {
        if self.node.attribute.multi_valued {
            self.pass.problem(ProblemKind::Type("an array"));
        } else {
            write(self.pass, self.node);
        }
    }
}

impl<'de> Visitor<'de> for Of<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    scalars!(
        (),
        |this: Self, text: Text<'_>| this.scalar(|pass, node| pass.text(node, text)),
        |this: Self, flag| this.scalar(|pass, node| pass.flag(node, flag)),
        |this: Self, number| this.scalar(|pass, node| pass.number(node, &number)),
        |_| ()
    );

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { pass, node } = self;
        if !node.attribute.multi_valued {
            let fits = pass.options.bare_manager && node.attribute.is_manager();
            if fits && seq.next_element_seed(Any(Of { pass: &mut *pass, node }))?.is_some() {
                pass.out.bare_manager = true;
            }
            if !fits || seq.next_element::<IgnoredAny>()?.is_some() {
                pass.problem(ProblemKind::Type(expected(node.attribute.kind)));
            }
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        pass.out.members.push(b'[');
        let open = pass.out.members.len();
        let primaries = pass.primaries;
        for at in 0.. {
            pass.place.push(Step::Index(at));
            let more = seq.next_element_seed(Any(One { pass: &mut *pass, node }))?;
            pass.place.pop();
            if more.is_none() {
                break;
            }
        }
        if pass.primaries > primaries + 1 {
            pass.problem(ProblemKind::Primary);
        }
        if pass.out.members.len() == open {
            pass.out.members.truncate(open - 1);
        } else {
            pass.out.members.push(b']');
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        if self.node.attribute.multi_valued {
            let mut map = map;
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            self.pass.problem(ProblemKind::Type("an array"));
            return Ok(());
        }
        One { pass: self.pass, node: self.node }.visit_map(map)
    }
}

/// One value of an attribute.
struct One<'p, 'r> {
    pass: &'p mut Pass<'r>,
    node: &'r Node,
}

impl One<'_, '_> {
    /// Writes one of several values, with the comma before it.
    fn scalar(self, write: impl FnOnce(&mut Pass<'_>, &Node)) {
        let (before, after) = self.pass.begin(b"");
        write(self.pass, self.node);
        if self.pass.out.members.len() == after {
            self.pass.out.members.truncate(before);
        }
    }
}

impl<'de> Visitor<'de> for One<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    scalars!(
        (),
        |this: Self, text: Text<'_>| this.scalar(|pass, node| pass.text(node, text)),
        |this: Self, flag| this.scalar(|pass, node| pass.flag(node, flag)),
        |this: Self, number| this.scalar(|pass, node| pass.number(node, &number)),
        |_| ()
    );

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.pass.problem(ProblemKind::Type(expected(self.node.attribute.kind)));
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { pass, node } = self;
        if node.attribute.kind != AttributeType::Complex {
            pass.problem(ProblemKind::Type(expected(node.attribute.kind)));
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        // After a key no comma is due; between the values of an array one is.
        let before = pass.out.members.len();
        if matches!(pass.out.members.last(), Some(b'}')) {
            pass.out.members.push(b',');
        }
        pass.out.members.push(b'{');
        if pass.object(&node.subs, &mut map)? {
            pass.out.members.push(b'}');
        } else {
            pass.out.members.truncate(before);
        }
        Ok(())
    }
}
