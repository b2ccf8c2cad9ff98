//! Projections: `attributes` and `excludedAttributes`, held against the resource as it was read.

use serde_json::Value;

use crate::explore::attributes::Attribute;
use crate::explore::check::{Check, Condition, Earlier, When};
use crate::explore::operation::Type;
use crate::explore::rule::{Rule, Violation};
use crate::explore::session::checks::{After, difference, without};
use crate::explore::session::{Session, Stop};
use crate::explore::world::query;
use crate::json::{is_absent, same};
use crate::subject::server::client::{Answer, Request};

impl Session<'_> {
    pub(super) async fn project(
        &mut self,
        of: usize,
        attribute: usize,
        is_excluded: bool,
    ) -> Result<(), Stop> {
        let Some(at) = self.pick(Type::User, of) else { return Ok(()) };
        let Some(attribute) = self.present(at, attribute) else { return Ok(()) };
        let attribute = self.world.attributes[attribute].clone();
        let seen = self.resources[at].seen.clone();
        let (parameter, path) = if is_excluded {
            ("excludedAttributes", attribute.path())
        } else {
            ("attributes", attribute.path())
        };
        let request: Request = query(&self.resources[at].path.clone(), &[(parameter, &path)]);
        let answer: Answer = self.ask(&request).await?;
        let Some(body) = answer.json.clone().filter(|_| answer.is_success()) else {
            self.world.limit(&format!("{parameter} is answered {}", answer.status));
            return Ok(());
        };
        let form = format!("GET with {parameter}");
        let shown = attribute.value_in(&body);
        let problem = if is_excluded {
            let mut rest = seen.clone();
            attribute.remove_in(&mut rest);
            let mut told = body.clone();
            attribute.remove_in(&mut told);
            // An extension of which nothing is left may be named or not.
            let ignored = ["meta", "schemas", attribute.extension.as_deref().unwrap_or("meta")];
            if shown.is_some() {
                let check = Check::value(attribute.pointer(), Value::Null);
                let actual = shown.cloned().unwrap_or_default();
                Some(("the excluded attribute is there", Value::Null, actual, Ok(check)))
            } else if !same(&without(&rest, &ignored), &without(&told, &ignored)) {
                let (member, before, now) = difference(&without(&rest, &ignored), &without(&told, &ignored));
                let check = Check::as_read(&self.resources[at].path, "", &member, &before, When::Last);
                Some(("something else is missing or another", before, now, check))
            } else {
                None
            }
        } else {
            let whole = attribute.value_in(&seen);
            let mut others = self.world.attributes.iter().filter(|other| **other != attribute);
            let surplus = others.find_map(|other| Some((other.pointer(), other.value_in(&body)?)));
            match (shown, surplus) {
                (shown, _) if !same(shown.unwrap_or(&Value::Null), whole.unwrap_or(&Value::Null)) => Some((
                    "the attribute is missing or another",
                    whole.cloned().unwrap_or_default(),
                    shown.cloned().unwrap_or_default(),
                    Ok(self.projected(at, &attribute, whole.unwrap_or(&Value::Null))),
                )),
                (_, Some((pointer, surplus))) => {
                    let what = "an attribute is there that was not asked for";
                    let check = Check::value(pointer, Value::Null);
                    Some((what, Value::Null, surplus.clone(), Ok(check)))
                }
                _ => None,
            }
        };
        match problem {
            Some((what, expected, actual, check)) => {
                let why = format!("{form}={path}: {what}");
                let violation = Violation::new(Rule::ProjectionSelects, &form, why)
                    .about(path)
                    .values(expected, actual)
                    .may_check(check);
                self.violates(violation)
            }
            None => self.look_at(at, None, After::new(Rule::ReadsAgree, &form)).await,
        }
    }

    /// Returns the check that an attribute is what the last read of the whole resource showed.
    fn projected(&self, at: usize, attribute: &Attribute, whole: &Value) -> Check {
        let pointer = attribute.pointer();
        let is_absent = is_absent(Some(whole));
        let path = self.resources[at].path.clone();
        let earlier = Earlier::Read { path, pointer: pointer.clone(), is_absent, when: When::Last };
        Check::at(pointer, Condition::Same(earlier))
    }
}
