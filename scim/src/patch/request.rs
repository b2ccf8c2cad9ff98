//! PATCH requests from and to JSON.

use serde_json::{Map, Value, json};

use super::{
    PatchError, PatchKind, PatchOp, PatchRequest,
    dialect::{Dialect, DialectUse, Dialects, message_schemas},
};
use crate::error::ScimType;
use crate::filter::PatchPath;
use crate::filter::parse::patch_path;
use crate::json::get_ci;
use crate::name::shown;
use crate::schema::PATCH_URN;

/// The members of a PATCH request.
const MESSAGE: [&str; 2] = ["schemas", "Operations"];
/// The members of an operation. A single one may replace the request, and has its `schemas` then.
const MEMBERS: [&str; 4] = ["op", "path", "value", "schemas"];
/// The words of `op`.
const WORDS: [&str; 3] = ["add", "remove", "replace"];

impl PatchRequest {
    /// Creates a request of these operations.
    pub fn new(operations: Vec<PatchOp>) -> Self {
        Self { operations }
    }

    /// Reads a request.
    ///
    /// # Errors
    /// `invalidSyntax` if the body is not a PATCH message, `invalidPath` for a path that does not parse,
    /// `noTarget` for a removal without a path, `invalidValue` for a missing value, and for a value without a path that
    /// is not an object.
    pub fn from_json(body: &Value) -> Result<Self, PatchError> {
        Self::read(body, Dialects::DEFAULT).map(|(request, _)| request)
    }

    /// Reads a request, accepts these dialects, and returns those that it uses.
    /// [`apply_with`](super::apply_with) returns the dialects in values.
    ///
    /// # Errors
    /// As [`from_json`](Self::from_json). A dialect that is not accepted is `invalidSyntax` in the message,
    /// `invalidValue` for a value of `remove`, and `noTarget` for `add` without a path (as for `remove`, RFC 7644
    /// §3.5.2.2).
    pub fn read(body: &Value, dialects: Dialects) -> Result<(Self, Vec<Dialect>), PatchError> {
        let mut dialect_use = DialectUse::new(dialects);
        let members = body.as_object().ok_or_else(|| syntax("is not a JSON object"))?;
        let operations = match get_ci(members, "Operations") {
            None if get_ci(members, "op").is_some() => {
                if !dialect_use.record(Dialect::SingleOperation) {
                    return Err(syntax("is one operation; it must be a message with an array `Operations`"));
                }
                std::slice::from_ref(body)
            }
            operations => {
                message_schemas(members, PATCH_URN, &mut dialect_use)
                    .map_err(|error| syntax(error.to_string()))?;
                match operations {
                    Some(Value::Array(operations)) if !operations.is_empty() => operations.as_slice(),
                    Some(single @ Value::Object(_)) => {
                        if !dialect_use.record(Dialect::SingleOperation) {
                            return Err(syntax("has one operation as `Operations`; it must be an array"));
                        }
                        std::slice::from_ref(single)
                    }
                    other => return Err(no_operations(members, other)),
                }
            }
        };
        let mut read = |(i, operation)| {
            PatchOp::read(operation, &mut dialect_use).map_err(|e: PatchError| e.in_operation(i + 1))
        };
        let operations = operations.iter().enumerate().map(&mut read).collect::<Result<_, _>>()?;
        Ok((Self { operations }, dialect_use.used()))
    }

    /// Returns the body of the request.
    pub fn to_json(&self) -> Value {
        let operations: Vec<Value> = self.operations.iter().map(PatchOp::to_json).collect();
        json!({"schemas": [PATCH_URN], "Operations": operations})
    }
}

/// Returns the error of a request without an operation.
fn no_operations(members: &Map<String, Value>, operations: Option<&Value>) -> PatchError {
    let wrong = |problem: &str| PatchError::new(ScimType::InvalidSyntax, "`Operations`", problem);
    match operations {
        None | Some(Value::Null) => {
            with_unknown(syntax("has no `Operations`"), members, &MESSAGE, "a PATCH request")
        }
        Some(Value::Array(_)) => wrong("is empty; it must have at least one operation"),
        Some(other) => wrong(&format!("is {}; it must be an array of operations", type_of(other))),
    }
}

/// Adds the first unknown member to an error: it may be a misspelling of the missing one.
fn with_unknown(
    error: PatchError,
    members: &Map<String, Value>,
    known: &'static [&'static str],
    of: &str,
) -> PatchError {
    let is_known = |name: &str| known.iter().any(|known| known.eq_ignore_ascii_case(name));
    let Some(name) = members.keys().find(|name| !is_known(name)) else { return error };
    let problem = format!("{}; `{}` is not a member of {of}", error.problem, shown(name));
    PatchError { problem, ..error }.misspelt(name, known)
}

/// Returns the name of the type of a value.
fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn syntax(problem: impl Into<String>) -> PatchError {
    PatchError::new(ScimType::InvalidSyntax, "the request", problem)
}

/// Reads a path. The error of a JSON Pointer has the path that is probably meant.
fn read_path(text: &str, dialect_use: &mut DialectUse) -> Result<PatchPath, PatchError> {
    patch_path(text, dialect_use).map_err(|error| match text.strip_prefix('/') {
        Some(pointer) => {
            let place = format!("the path `{}`", shown(text));
            let problem = "does not parse: paths of SCIM begin with an attribute or a URN, and not with `/`";
            PatchError::new(ScimType::InvalidPath, place, problem).about(pointer.replace('/', "."))
        }
        None => PatchError::path(&error),
    })
}

impl PatchOp {
    fn read(operation: &Value, dialect_use: &mut DialectUse) -> Result<Self, PatchError> {
        let syntax = |problem: &str| PatchError::new(ScimType::InvalidSyntax, "it", problem);
        let members = operation.as_object().ok_or_else(|| syntax("is not a JSON object"))?;
        let unknown = |error| with_unknown(error, members, &MEMBERS, "an operation");
        let word = match get_ci(members, "op") {
            None | Some(Value::Null) => return Err(unknown(syntax("has no `op`"))),
            Some(Value::String(word)) => word.as_str(),
            Some(other) => {
                let problem = format!("has {} as `op`, which must be add, remove or replace", type_of(other));
                return Err(syntax(&problem));
            }
        };
        let found = [PatchKind::Add, PatchKind::Remove, PatchKind::Replace]
            .into_iter()
            .find(|kind| word.eq_ignore_ascii_case(kind.as_str()));
        let Some(op) = found else {
            let problem = format!("has the `op` `{}`, which is not add, remove or replace", shown(word));
            return Err(syntax(&problem).misspelt(word, &WORDS));
        };
        if word != op.as_str() && !dialect_use.record(Dialect::CapitalisedOp) {
            return Err(syntax(&format!("has the `op` {word:?}; it must be written {:?}", op.as_str())));
        }
        let path = match get_ci(members, "path") {
            None | Some(Value::Null) => None,
            Some(Value::String(path)) => Some(read_path(path, dialect_use)?),
            Some(_) => return Err(PatchError::new(ScimType::InvalidPath, "the path", "is not a text")),
        };
        let operation = Self::new(op, path, get_ci(members, "value").cloned()).map_err(unknown)?;
        operation.check_dialect(dialect_use)?;
        Ok(operation)
    }

    /// Creates an operation of the parts that its kind needs.
    fn new(op: PatchKind, path: Option<PatchPath>, value: Option<Value>) -> Result<Self, PatchError> {
        let fail = |kind, problem: &str| PatchError::new(kind, op.as_str(), problem);
        let needed = |value: Option<Value>| {
            let value = value.ok_or_else(|| fail(ScimType::InvalidValue, "needs a value"))?;
            if path.is_none() && !value.is_object() {
                return Err(fail(ScimType::InvalidValue, "without a path needs an object as its value"));
            }
            Ok(value)
        };
        Ok(match op {
            PatchKind::Add => Self::Add { value: needed(value)?, path },
            PatchKind::Replace => Self::Replace { value: needed(value)?, path },
            PatchKind::Remove => {
                let path = path.ok_or_else(|| fail(ScimType::NoTarget, "needs a path"))?;
                Self::Remove { path, value }
            }
        })
    }

    fn check_dialect(&self, dialect_use: &mut DialectUse) -> Result<(), PatchError> {
        match self {
            // An empty array is a value too.
            Self::Remove { path, value: Some(value) }
                if !value.is_null() && !dialect_use.record(Dialect::RemoveByValue) =>
            {
                let problem = format!("takes no value; it must select with a path such as {}[…]", path.name);
                Err(PatchError::new(ScimType::InvalidValue, "remove", problem))
            }
            Self::Add { path: None, .. } if !dialect_use.record(Dialect::PathlessAdd) => {
                let problem = "needs a path here; it must name the attribute in `path`";
                Err(PatchError::new(ScimType::NoTarget, "add", problem))
            }
            Self::Add { .. } | Self::Remove { .. } | Self::Replace { .. } => Ok(()),
        }
    }

    /// Returns the operation as a request has it.
    pub fn to_json(&self) -> Value {
        let mut members = Map::new();
        members.insert("op".to_owned(), self.kind().as_str().into());
        if let Some(path) = self.path() {
            members.insert("path".to_owned(), path.to_string().into());
        }
        if let Some(value) = self.value() {
            members.insert("value".to_owned(), value.clone());
        }
        Value::Object(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "called with json!")]
    fn check(operations: Value, expected: Result<usize, (ScimType, &str)>) {
        let body = json!({"schemas": [PATCH_URN], "Operations": operations});
        let found = PatchRequest::from_json(&body);
        match (found, expected) {
            (Ok(request), Ok(count)) => assert_eq!(request.operations.len(), count),
            (Err(error), Err((kind, text))) => {
                assert_eq!((error.scim_type(), error.to_string().as_str()), (kind, text));
            }
            (found, _) => panic!("{found:?}"),
        }
    }

    #[test]
    fn operations_parse_or_name_the_problem() {
        check(json!([{"op": "Replace", "path": "active", "value": false}]), Ok(1));
        check(json!([{"OP": "ADD", "value": {}}, {"op": "remove", "path": "title"}]), Ok(2));
        let syntax = |text| Err((ScimType::InvalidSyntax, text));
        check(json!([]), syntax("`Operations` is empty; it must have at least one operation"));
        check(json!(3), syntax("`Operations` is a number; it must be an array of operations"));
        check(json!(null), syntax("the request has no `Operations`"));
        check(json!({}), syntax("the request has one operation as `Operations`; it must be an array"));
        check(json!([1]), syntax("operation 1: it is not a JSON object"));
        check(json!([{"path": "a"}]), syntax("operation 1: it has no `op`"));
        check(
            json!([{"op": 7, "path": "a"}]),
            syntax("operation 1: it has a number as `op`, which must be add, remove or replace"),
        );
        check(
            json!([{"op": "move", "path": "a"}]),
            syntax("operation 1: it has the `op` `move`, which is not add, remove or replace"),
        );
        check(
            json!([{"op": "add", "path": "a", "valeu": 1}]),
            Err((
                ScimType::InvalidValue,
                "operation 1: add needs a value; `valeu` is not a member of an operation",
            )),
        );
        check(
            json!([{"op": "remove", "path": "/name/givenName"}]),
            Err((
                ScimType::InvalidPath,
                "operation 1: the path `/name/givenName` does not parse: paths of SCIM begin with an attribute or a URN, and not with `/`",
            )),
        );
        check(
            json!([{"op": "remove", "path": "a"}, {"op": "remove"}]),
            Err((ScimType::NoTarget, "operation 2: remove needs a path")),
        );
        check(
            json!([{"op": "add", "path": "a"}]),
            Err((ScimType::InvalidValue, "operation 1: add needs a value")),
        );
        check(
            json!([{"op": "replace", "value": 1}]),
            Err((ScimType::InvalidValue, "operation 1: replace without a path needs an object as its value")),
        );
        check(
            json!([{"op": "remove", "path": "emails[type eq]"}]),
            Err((
                ScimType::InvalidPath,
                "operation 1: the path does not parse: expected a value after `eq`, found `]` (at byte 14)",
            )),
        );
        check(
            json!([{"op": "remove", "path": 3}]),
            Err((ScimType::InvalidPath, "operation 1: the path is not a text")),
        );
    }

    #[test]
    fn patch_without_its_schema_is_invalid_syntax() {
        let operations = json!([{"op": "remove", "path": "title"}]);
        for schemas in [json!(null), json!([]), json!(["urn:ietf:params:scim:api:messages:2.0:Error"])] {
            let body = json!({"schemas": schemas, "Operations": operations});
            assert_eq!(PatchRequest::from_json(&body).unwrap_err().scim_type(), ScimType::InvalidSyntax);
        }
        assert_eq!(PatchRequest::from_json(&json!(3)).unwrap_err().scim_type(), ScimType::InvalidSyntax);
    }

    #[test]
    fn request_round_trips() {
        let body = json!({"schemas": [PATCH_URN], "Operations": [
            {"op": "add", "value": {"title": "Cook"}},
            {"op": "remove", "path": "emails[type eq \"work\"].value"},
        ]});
        assert_eq!(PatchRequest::from_json(&body).unwrap().to_json(), body);
    }
}
