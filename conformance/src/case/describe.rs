//! Descriptions of cases in words, for the authors of servers.

use crate::case::Case;
use crate::case::expect::{
    BodyKind, Check, Condition, Direction, Expectation, HeaderCheck, Listing, StatusSet, Total,
};
use crate::case::step::{Action, Body, Bytes, Step};
use crate::subject::server::credentials::WrongAuth;

/// Returns the case, its requirement and its steps, as text with lines of its own.
pub fn describe(case: &Case) -> String {
    let mut text = format!("{}  ({})\n{}\n\n", case.id, case.level.as_str(), case.title);
    let mut places = vec![format!("{} §{}", case.spec.document, case.spec.section)];
    places.extend(case.spec.also.iter().cloned());
    append!(text, "Required  {}\n          {}\n", case.requirement, places.join("; "));
    if !case.needs.is_empty() {
        let needs: Vec<_> = case.needs.iter().map(ToString::to_string).collect();
        append!(text, "Needs     {}\n", needs.join(", "));
    }
    if !case.tags.is_empty() {
        append!(text, "Tags      {}\n", case.tags.join(", "));
    }
    text.push_str("Steps\n");
    for (index, step) in case.steps.iter().enumerate() {
        self::step(&mut text, index + 1, step);
    }
    if let Some(hint) = &case.hint {
        append!(text, "Hint      {hint}\n");
    }
    text
}

fn step(text: &mut String, number: usize, step: &Step) {
    let named = if step.name == step.action.default_name() {
        String::new()
    } else {
        format!(", called {}", step.name)
    };
    append!(*text, "  {number}. {}{named}\n", called(&step.action));
    let mut line = |what: &str, value: &str| append!(*text, "       {what} {value}\n");
    for (name, value) in &step.query {
        line("query", &format!("{name}={value}"));
    }
    for (name, value) in &step.headers {
        line("header", &format!("{name}: {value}"));
    }
    if let Some(value) = &step.content_type {
        line("header", &format!("Content-Type: {value}"));
    }
    if let Some(pause) = step.pause {
        line("after", &format!("{} ms", pause.as_millis()));
    }
    if step.new_second {
        line("after", "1 s where versions are weak and times are whole seconds");
    }
    if let Some(auth) = step.auth {
        line(
            "credentials",
            match auth {
                WrongAuth::None => "none",
                WrongAuth::Wrong => "wrong ones",
                WrongAuth::OtherScheme => "of another scheme",
                WrongAuth::Malformed => "the scheme alone",
            },
        );
    }
    if step.chunked {
        line("header", "Transfer-Encoding: chunked");
    }
    if let Some(body) = body(&step.action) {
        line("body", &body);
    }
    if step.preparation {
        line("expects", "2xx, or else the case is skipped");
    } else if step.expect.is_empty() {
        line("expects", "2xx");
    }
    for expectation in &step.expect {
        line("expects", &expect(expectation));
    }
    if !step.untouched.is_empty() {
        line("expects", &format!("{} to be the same before and after it", step.untouched.join(", ")));
    }
    if step.reads_agree {
        line("expects", "the next two reads to say what the answer said");
    }
    if step.list_agrees {
        line("expects", "the list to say what a read says");
    }
    if !step.unsupported.is_empty() {
        let statuses: Vec<_> = step.unsupported.iter().map(ToString::to_string).collect();
        line("or", &format!("{}: not advertised", statuses.join(", ")));
    }
    let inner = match &step.action {
        Action::Together { steps, .. } => steps,
        _ => &step.between,
    };
    for (index, step) in inner.iter().enumerate() {
        self::step(text, index + 1, step);
    }
}

/// Returns the request with the names of the case file, which the lines around it use.
fn called(action: &Action) -> String {
    match action {
        Action::Create { resource_type, count: Some(count), .. } => {
            format!("create {count} {resource_type}s")
        }
        Action::Create { resource_type, .. } => format!("create a {resource_type}"),
        Action::Read(name) => format!("read {name}"),
        Action::Replace(name, _) => format!("replace {name}"),
        Action::Patch(name, _) => format!("patch {name}"),
        Action::Delete(name) => format!("delete {name}"),
        Action::List(resource_type) => format!("list {resource_type}s"),
        Action::Search(resource_type, _) if resource_type.is_empty() => "search everything".to_owned(),
        Action::Search(resource_type, _) => format!("search {resource_type}s"),
        Action::Walk(resource_type, _) => format!("walk through all {resource_type}s"),
        Action::Bulk(_) => "bulk".to_owned(),
        Action::Together { times: 1, .. } => "at the same time".to_owned(),
        Action::Together { times, .. } => format!("at the same time, {times} times each"),
        Action::Send { method, path, .. } => format!("{method} {path}"),
    }
}

fn body(action: &Action) -> Option<String> {
    let body = match action {
        Action::Create { with, .. } => return with.as_ref().map(|with| format!("the smallest, with {with}")),
        Action::Replace(_, body)
        | Action::Patch(_, body)
        | Action::Search(_, body)
        | Action::Bulk(body)
        | Action::Send { body, .. } => body,
        Action::Read(_)
        | Action::Delete(_)
        | Action::List(_)
        | Action::Walk(..)
        | Action::Together { .. } => return None,
    };
    match body {
        Body::None => None,
        Body::Json(json) => Some(json.to_string()),
        Body::With(json) => Some(format!("as last seen, with {json}")),
        Body::Operations(json, None) => Some(format!("Operations {json}")),
        Body::Operations(json, Some(most)) => Some(format!("Operations {json}, failOnErrors {most}")),
        Body::Bytes(Bytes(bytes)) => Some(format!("bytes {:?}", bytes.escape_ascii().to_string())),
        Body::Text(template) => Some(format!("{:?}", template.to_string())),
    }
}

fn statuses(sets: &[StatusSet]) -> String {
    sets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

/// Returns an expectation in words.
pub fn expect(expectation: &Expectation) -> String {
    let mut text = check(&expectation.check);
    if let Some(level) = expectation.level {
        append!(text, " ({})", level.as_str());
    }
    text
}

fn check(check: &Check) -> String {
    match check {
        Check::Status(sets) => format!("status {}", statuses(sets)),
        Check::Header(name, HeaderCheck::Present) => format!("a header {name}"),
        Check::Header(name, HeaderCheck::Absent) => format!("no header {name}"),
        Check::Header(name, HeaderCheck::Equals(value)) => format!("header {name}: {value}"),
        Check::Header(name, HeaderCheck::StartsWith(value)) => format!("header {name}: {value}…"),
        Check::Header(name, HeaderCheck::Differs(value)) => format!("header {name} other than {value}"),
        Check::MediaType => "Content-Type application/scim+json".to_owned(),
        Check::Body(BodyKind::Empty) => "no body".to_owned(),
        Check::Body(BodyKind::Any) => "a JSON body".to_owned(),
        Check::Error { status, types, .. } if types.is_empty() => {
            format!("a SCIM error {}", statuses(status))
        }
        Check::Error { status, types, .. } => {
            format!("a SCIM error {} with scimType {}", statuses(status), types.join(" or "))
        }
        Check::ErrorForm => "an error, if it is one, as a SCIM error".to_owned(),
        Check::List => "a ListResponse".to_owned(),
        Check::Total(Total::Exactly(total)) => format!("totalResults {total}"),
        Check::Total(Total::AsListed) => "totalResults, on each page, of what is listed".to_owned(),
        Check::Lists(listing, names) => {
            let names = names.join(", ");
            match listing {
                Listing::All => format!("{names} in the list"),
                Listing::Not => format!("{names} not in the list"),
                Listing::Exactly if names.is_empty() => "an empty list".to_owned(),
                Listing::Exactly => format!("exactly {names} in the list"),
                Listing::InOrder => format!("{names} in the list, in this order"),
            }
        }
        Check::Unchanged(name) => format!("{name} as it was"),
        Check::ExactlyOne(one, others) => {
            format!("exactly one answer {}, the others {}", statuses(one), statuses(others))
        }
        Check::Every(sets) => format!("each answer {}", statuses(sets)),
        Check::Nowhere(text) => format!("nowhere {text}"),
        Check::At { pointer, condition, if_present } => {
            let place = pointer.to_string();
            let place = if place.is_empty() { "the body".to_owned() } else { place };
            let when = if *if_present { ", where present" } else { "" };
            format!("{place} {}{when}", self::condition(condition))
        }
        Check::AnyOf(lists) => {
            let lists: Vec<_> =
                lists.iter().map(|list| list.iter().map(expect).collect::<Vec<_>>().join(" and ")).collect();
            format!("one of: {}", lists.join("; or "))
        }
    }
}

fn condition(condition: &Condition) -> String {
    match condition {
        Condition::Equals(json) => format!("is {json}"),
        Condition::EqualsIgnoringCase(text) => format!("is {text}, without case"),
        Condition::SameAddress(text) => format!("is the address {text}"),
        Condition::Status(sets) => format!("is the status {}", statuses(sets)),
        Condition::Differs(json) => format!("is not {json}"),
        Condition::OneOf(json) => format!("is one of {json}"),
        Condition::Includes(json) => format!("has {json}"),
        Condition::Lacks(json) => format!("has no {json}"),
        Condition::LaterThan(text) => format!("is later than {text}"),
        Condition::WithinMinutes(minutes) => format!("is at most {minutes} minutes from now"),
        Condition::Is(kind) => format!("is {}", kind.describe()),
        Condition::Count(count) => format!("has {count} elements"),
        Condition::AtLeast(bound) => format!("is at least {bound}"),
        Condition::AtMost(bound) => format!("is at most {bound}"),
        Condition::Unique => "holds nothing twice".to_owned(),
        Condition::Sorted(Direction::Ascending) => "ascends".to_owned(),
        Condition::Sorted(Direction::Descending) => "descends".to_owned(),
    }
}
