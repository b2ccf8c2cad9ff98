//! `meta`: versions and times move where something changed, and only there.

use std::time::Duration;

use serde_json::{Value, json};

use crate::case::capability::Feature;
use crate::explore::calibrate::values;
use crate::explore::check::{Check, Condition, Earlier, Expectation, Is, When};
use crate::explore::operation::Type;
use crate::explore::rule::{Rule, Violation};
use crate::explore::session::checks::{After, without};
use crate::explore::session::{Resource, Session, Stop};
use crate::json::{get, same};
use crate::subject::server::client::Answer;

impl Session<'_> {
    pub(super) fn compare_meta(
        &self,
        at: usize,
        body: &Value,
        read: &Answer,
        after: After<'_>,
    ) -> Result<(), Stop> {
        let known = &self.resources[at];
        if known.seen.is_null() {
            return Ok(());
        }
        let meta = |body: &Value, name: &str| {
            get(body, "meta").and_then(|meta| get(meta, name)?.as_str()).map(ToOwned::to_owned)
        };
        // What a group shows of a member follows the member.
        let bare = |resource: &Value| {
            let members: std::collections::BTreeSet<&str> = values(resource, "members").collect();
            (without(resource, &["meta", "members"]), json!(members))
        };
        let ((before, members), (now, members_now)) = (bare(&known.seen), bare(body));
        let is_changed = !same(&before, &now) || members != members_now;
        let shown_before = |name: &str| Earlier::Read {
            path: known.path.clone(),
            pointer: format!("/meta/{name}"),
            is_absent: false,
            when: When::BeforeWrite,
        };
        // Another server may change nothing there.
        let unless_unchanged =
            |moved: Expectation| Expectation::AnyOf(vec![moved, Expectation::AsBefore(known.path.clone())]);
        let as_before = |name: &str| Check::at(format!("/meta/{name}"), Condition::Same(shown_before(name)));
        for name in ["created", "resourceType", "location"] {
            let (before, now) = (meta(&known.seen, name), meta(body, name));
            if before.is_some() && before != now {
                let what = if now.is_some() { "another" } else { "missing" };
                let why = format!("after {} meta.{name} is {what}", after.form);
                let violation = Violation::new(Rule::MetaMoves, after.form, why)
                    .about(format!("meta.{name}"))
                    .values(json!(before), json!(now))
                    .check(as_before(name));
                self.violates(violation)?;
            }
        }
        // Whether a group changes with the deletion of a member is the server's business, and versions are where none are advertised.
        let is_open = known.kind == Type::Group && self.resources.iter().any(|other| other.is_deleted)
            || self.world.facts.feature(Feature::Etag) == Some(false);
        // Time that passed after the write, on a busy machine, is no time between the two.
        let write = self.wrote_at.iter().find(|at| **at > known.read_at);
        let since_read = write.map_or(Duration::ZERO, |write| *write - known.read_at);
        // Times in whole seconds cannot tell more.
        let is_fine = meta(&known.seen, "lastModified").is_some_and(|time| time.contains('.'));
        let resolution = Duration::from_millis(if is_fine { 30 } else { 1_100 });
        let (before, now) = (known.etag.clone(), etag(read, body));
        let versions = (meta(&known.seen, "version"), meta(body, "version"));
        if let (Some(before), Some(now), false) = (&before, &now, is_open) {
            let is_in_meta = versions.0.is_some() && versions.0 == versions.1;
            // A weak tag may be made of such a time.
            let may_be_time = before.starts_with("W/") && !is_fine && since_read <= resolution;
            if is_changed && before == now && !may_be_time {
                let why = format!("{} changed the resource, and its version is the same", after.form);
                let violation = Violation::new(Rule::MetaMoves, after.form, why)
                    .about("version")
                    .values(json!("another version"), json!(now))
                    .check(unless_unchanged(if is_in_meta {
                        let other = Condition::Other(shown_before("version"));
                        Expectation::At("/meta/version".to_owned(), other)
                    } else {
                        Expectation::Header("ETag", Is::Another, Earlier::Version(known.path.clone()))
                    }));
                self.violates(violation)?;
            }
            if after.is_refused && !is_changed && before != now {
                let why = format!("{} was refused, and the version moved", after.form);
                let violation = Violation::new(Rule::MetaMoves, after.form, why)
                    .about("version after an error")
                    .values(json!(before), json!(now))
                    .check(if versions.0 != versions.1 && versions.0.is_some() {
                        as_before("version")
                    } else {
                        Expectation::Header("ETag", Is::The, Earlier::Version(known.path.clone())).into()
                    });
                self.violates(violation)?;
            }
        }
        let (before, now) = (meta(&known.seen, "lastModified"), meta(body, "lastModified"));
        let (Some(before), Some(now)) = (before, now) else { return Ok(()) };
        let parsed = (before.parse::<jiff::Timestamp>(), now.parse::<jiff::Timestamp>());
        let (Ok(earlier), Ok(later)) = parsed else { return Ok(()) };
        let stands = is_changed && !is_open && earlier == later && since_read > resolution;
        if later < earlier || stands {
            let what = if stands { "did not move with the change" } else { "went back" };
            let why = format!("after {} meta.lastModified {what}", after.form);
            let at = |condition: fn(Earlier) -> Condition| {
                Expectation::At("/meta/lastModified".to_owned(), condition(shown_before("lastModified")))
            };
            let check = if stands {
                Check { pause: Some(resolution), ..Check::from(unless_unchanged(at(Condition::Other))) }
            } else {
                Expectation::AnyOf(vec![at(Condition::LaterThan), at(Condition::Same)]).into()
            };
            let violation = Violation::new(Rule::MetaMoves, after.form, why)
                .about("meta.lastModified")
                .values(json!(format!("later than {before}")), json!(now))
                .check(check);
            self.violates(violation)?;
        }
        Ok(())
    }
}

impl Resource {
    /// Takes over what a read shows.
    pub(super) fn saw(&mut self, read: &Answer, body: &Value) {
        let now = etag(read, body);
        if now != self.etag {
            self.earlier = self.etag.take().or_else(|| self.earlier.take());
        }
        self.etag = now;
        self.seen = body.clone();
    }
}

/// Returns the version of a resource.
pub(super) fn etag(read: &Answer, body: &Value) -> Option<String> {
    let told = read.header("etag").map(ToOwned::to_owned);
    told.or_else(|| Some(get(get(body, "meta")?, "version")?.as_str()?.to_owned()))
}
