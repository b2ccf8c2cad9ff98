//! Requests that have to be refused.

use serde_json::{Value, json};

use crate::explore::attributes::{Attribute, Kind, Shape};
use crate::explore::check::{Check, Expectation};
use crate::explore::operation::{CredentialsKind, InvalidKind, Type};
use crate::explore::rule::{Rule, Violation};
use crate::explore::session::checks::After;
use crate::explore::session::{Session, Stop, kind_of_path};
use crate::explore::world::{BULK, PATCH_OP, SEARCH, patch, post, query, request};
use crate::json::get;
use crate::server::discovery::resources;
use crate::subject::server::client::Request;
use crate::subject::server::credentials::WrongAuth;

impl Session<'_> {
    pub(super) async fn invalid(&mut self, of: usize, kind: InvalidKind) -> Result<(), Stop> {
        let Some(at) = self.pick(Type::User, of) else { return Ok(()) };
        let path = self.resources[at].path.clone();
        let endpoint = self.world.user.endpoint.clone();
        let nobody = format!("{endpoint}/{}-nobody", self.unique);
        let first = self.world.attributes.iter().find(|known| !known.is_many() && known.parts().is_empty());
        let good = first.map(|known| {
            let value = crate::explore::value::Choice { text: 0, number: 77 }.value(known);
            json!({ "op": "replace", "path": known.path(), "value": value })
        });
        let many = self.world.attributes.iter().find(|known| known.is_many()).map(Attribute::path);
        let (words, requests): (&str, Vec<Request>) = match kind {
            InvalidKind::BrokenJson => {
                let mut broken = request("PUT", &path, None);
                broken.body =
                    Some("{\"schemas\": [\"".to_owned() + &self.world.user.schema + "\"], \"userName\": ");
                ("PUT of broken JSON", vec![broken])
            }
            InvalidKind::UnknownOperation => (
                "PATCH with an unknown operation",
                vec![patch(&path, &json!([{ "op": "increase", "path": "userName", "value": "x" }]))],
            ),
            InvalidKind::ReplaceOfNothing => {
                let Some(many) = many else { return Ok(()) };
                let selected = format!("{many}[value eq \"none-{}\"]", self.unique);
                let operation = if self.created.is_multiple_of(2) {
                    json!({ "op": "replace", "path": selected, "value": { "value": "x" } })
                } else {
                    json!({ "op": "replace", "path": format!("{selected}.value"), "value": "x" })
                };
                ("PATCH replace of a value that is not there", vec![patch(&path, &json!([operation]))])
            }
            InvalidKind::GoodThenInvalidOperation => {
                let Some(good) = good else { return Ok(()) };
                let bad =
                    json!({ "op": "replace", "path": format!("nothing{}[", self.created), "value": "x" });
                ("PATCH of a good and an invalid operation", vec![patch(&path, &json!([good, bad]))])
            }
            InvalidKind::InvalidFilter => {
                ("GET with an invalid filter", vec![query(&endpoint, &[("filter", "userName zz \"x\"")])])
            }
            InvalidKind::WordsAfterAFilter => {
                let filter = format!("userName eq {} and", json!(self.resources[at].name));
                let more = format!("userName eq {} nothing", json!(self.resources[at].name));
                let all = [filter, more].map(|filter| query(&endpoint, &[("filter", &filter)]));
                ("GET with words after a filter", all.to_vec())
            }
            InvalidKind::AddWithoutValue => {
                let Some(first) = first else { return Ok(()) };
                let operation = json!({ "op": "add", "path": first.path() });
                ("PATCH add without a value", vec![patch(&path, &json!([operation]))])
            }
            InvalidKind::EmptyUserName => {
                let mut body = self.world.new_user(&self.unique, &[]);
                body["userName"] = json!("");
                ("POST with an empty userName", vec![post(&endpoint, &body)])
            }
            InvalidKind::ObjectForText => {
                let texts = |known: &&Attribute| known.shape == Shape::Single(Kind::Text);
                let Some(text) = self.world.attributes.iter().find(texts) else { return Ok(()) };
                let mut body = self.resources[at].seen.clone();
                text.set_in(&mut body, json!({ "is": "an object" }));
                ("PUT with an object for a text", vec![request("PUT", &path, Some(&body))])
            }
            InvalidKind::PatchWithoutOperations => (
                "PATCH without operations",
                vec![request("PATCH", &path, Some(&json!({ "schemas": [PATCH_OP] })))],
            ),
            InvalidKind::PutWithoutUserName => {
                let mut body = self.resources[at].seen.clone();
                if let Some(members) = body.as_object_mut() {
                    members.retain(|name, _| !name.eq_ignore_ascii_case("userName"));
                }
                ("PUT without userName", vec![request("PUT", &path, Some(&body))])
            }
            InvalidKind::WrongTypeOfActive => {
                let mut body = self.resources[at].seen.clone();
                body["active"] = json!({ "is": "perhaps" });
                ("PUT with an object for active", vec![request("PUT", &path, Some(&body))])
            }
            InvalidKind::ReadUnknown => ("GET of an unknown id", vec![request("GET", &nobody, None)]),
            InvalidKind::WriteUnknown => {
                let body = self.world.new_user(&self.next_unique(), &[]);
                let mut all = vec![request("PUT", &nobody, Some(&body)), request("DELETE", &nobody, None)];
                if let Some(good) = good.filter(|_| self.world.scope.patch) {
                    all.push(patch(&nobody, &json!([good])));
                }
                ("a write to an unknown id", all)
            }
        };
        for invalid in requests {
            let answer = self.ask(&invalid).await?;
            if (200..400).contains(&answer.status) {
                let why = format!("{words} ({}) is answered {}", invalid.method, answer.status);
                let is_told = self.violates(
                    Violation::new(Rule::InvalidIsRefused, words, why)
                        .about(if kind == InvalidKind::WriteUnknown { invalid.method.as_str() } else { "" })
                        .values(json!("4xx"), json!(answer.status))
                        .check(Check::status(&["4xx"])),
                );
                is_told?;
                // What it did is another matter.
                let read = self.ask(&request("GET", &path, None)).await?;
                if let Some(body) = read.json.filter(|_| read.status == 200) {
                    self.adopt(at, &body);
                }
                return Ok(());
            }
        }
        self.look_at(at, None, After::refused(words)).await?;
        self.look_at_others(&[at], words).await
    }

    pub(super) async fn without_credentials(&mut self, of: usize, kind: CredentialsKind) -> Result<(), Stop> {
        let Some(at) = self.pick(Type::User, of) else { return Ok(()) };
        let path = self.resources[at].path.clone();
        let endpoint = self.world.user.endpoint.clone();
        let unique = self.next_unique();
        let renamed = json!(self.world.blank.user_name(&unique));
        let filter = format!("userName eq {}", json!(self.resources[at].name));
        let operation = json!([{ "op": "replace", "path": "userName", "value": renamed }]);
        let mut open = match kind {
            CredentialsKind::Read => request("GET", &path, None),
            CredentialsKind::List => query(&endpoint, &[("filter", &filter)]),
            CredentialsKind::Search => {
                post(&format!("{endpoint}/.search"), &json!({ "schemas": [SEARCH], "filter": filter }))
            }
            CredentialsKind::Create => post(&endpoint, &self.world.new_user(&unique, &[])),
            CredentialsKind::Replace => {
                let mut body = self.resources[at].seen.clone();
                body["userName"] = renamed;
                request("PUT", &path, Some(&body))
            }
            CredentialsKind::Patch => patch(&path, &operation),
            CredentialsKind::Delete => request("DELETE", &path, None),
            CredentialsKind::Bulk => {
                let operations = json!([{ "method": "DELETE", "path": path }]);
                post("/Bulk", &json!({ "schemas": [BULK], "Operations": operations }))
            }
        };
        open.auth = Some(WrongAuth::None);
        let words = format!("{} {} without credentials", open.method, kind_of_path(&open.path));
        let answer = self.ask(&open).await?;
        let id = self.resources[at].id.clone();
        let shows =
            answer.text.contains(&self.unique) || answer.text.contains(&id) && kind != CredentialsKind::Read;
        if answer.is_success() || shows {
            let what = if answer.is_success() { "is done" } else { "shows a resource" };
            let check = if answer.is_success() {
                Check::status(&["401", "403"])
            } else {
                let shown = [&self.unique, &id].into_iter().filter(|text| answer.text.contains(*text));
                Check::all(shown.map(|text| Expectation::Nowhere(text.clone())).collect())
            };
            let violation =
                Violation::new(Rule::NeedsCredentials, &words, format!("{words} {what}: {}", answer.status))
                    .values(json!(401), json!(answer.status))
                    .check(check);
            self.violates(violation)?;
            if kind == CredentialsKind::Delete || kind == CredentialsKind::Bulk {
                return Err(Stop::Ended);
            }
            let read = self.ask(&request("GET", &path, None)).await?;
            if let Some(body) = read.json.filter(|_| read.status == 200) {
                self.adopt(at, &body);
            }
            return Ok(());
        }
        self.look_at(at, None, After::refused(&words)).await?;
        if kind == CredentialsKind::Create && self.world.can.look_up {
            let name = json!(self.world.blank.user_name(&unique));
            let filter = format!("userName eq {name}");
            let listed = self.ask(&query(&endpoint, &[("filter", &filter)])).await?;
            let found = listed.json.as_ref().map_or(0, |body: &Value| resources(body).len());
            if found > 0 {
                let why = format!("{words} was refused, and made a user");
                let violation = Violation::new(Rule::ErrorHasNoEffect, &words, why);
                self.violates(violation.check(Check::lists(Vec::new())))?;
            }
        }
        debug_assert!(get(&self.resources[at].seen, "id").is_some());
        Ok(())
    }
}
