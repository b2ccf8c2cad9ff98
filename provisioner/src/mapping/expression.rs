//! Expressions in the Common Expression Language (CEL), over the PingOne user as `user`.
//!
//! An expression is compiled once and has the standard functions and CEL's string functions (`lowerAscii`, `split`,
//! `replace` …). Its result is a text, a boolean, a number, or null for "no value". Its errors do not contain the user's
//! data.

mod attributes;
mod bounds;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::{Context, Env, ExecutionError, IdedExpr, extensions};
use serde_json::{Number, Value, json};

/// The object that an expression reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// The user, as `user`.
    User,
    /// The group, as `group`.
    Group,
}

impl Root {
    const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
        }
    }

    fn sample(self) -> &'static User {
        match self {
            Self::User => &SAMPLE,
            Self::Group => &GROUP_SAMPLE,
        }
    }
}

/// A compiled expression.
#[derive(Clone)]
pub(crate) struct Expression {
    root: Root,
    text: String,
    metered: Arc<IdedExpr>,
    /// The attributes of its root that it names.
    attributes: BTreeSet<String>,
}

/// A text that is not an expression, with the byte of the error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExpressionError {
    pub(crate) message: String,
    pub(crate) offset: Option<usize>,
}

/// An expression without a value for a user. The error names attributes and functions, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// It takes too many steps, or makes too long texts.
    #[error("{}", bounds::TooCostly)]
    TooCostly,
    /// The user lacks attributes that the expression names.
    #[error(
        "the user has no {}; test it first, as in `has(user.{path}) ? user.{path} : null`",
        quoted_paths(path, others)
    )]
    NoAttribute {
        /// The first of them.
        path: String,
        /// The others that may be meant.
        others: Vec<String>,
    },
    /// The user lacks a key that the expression makes or names.
    #[error("the user has no `{0}`; test it with `has` first")]
    NoKey(String),
    /// The user lacks a key that is no part of the expression's text.
    #[error("the user has no such attribute; test it with `has` first")]
    NoUnknownKey,
    /// A name is neither `user` nor a function.
    #[error("unknown name `{0}`: expected `user` or a function")]
    UnknownName(String),
    /// A function does not take such arguments.
    #[error("invalid arguments of `{function}`: it does not take {}", types.join(" and "))]
    WrongArguments {
        /// The function.
        function: String,
        /// The types of the arguments.
        types: Vec<String>,
    },
    /// A function has too few or too many arguments.
    #[error("wrong number of arguments: expected {expected}, found {actual}")]
    ArgumentCount {
        /// The expected number of arguments.
        expected: usize,
        /// The number of arguments.
        actual: usize,
    },
    /// A value has another type than needed.
    #[error("expected a {want}, found a {got}")]
    UnexpectedType {
        /// The type it has.
        got: String,
        /// The type that is needed.
        want: String,
    },
    /// A function failed.
    #[error("the function `{0}` failed")]
    Function(String),
    /// A division by zero.
    #[error("a number is divided by zero")]
    DivisionByZero,
    /// A number is too large.
    #[error("a number is too large")]
    Overflow,
    /// A list has no such index.
    #[error("a list has no element at this index")]
    OutOfBounds,
    /// Any other failure.
    #[error("an operation has values of types that it does not support")]
    WrongTypes,
    /// The result is infinite or not a number.
    #[error("the result is infinite or not a number")]
    NoJsonNumber,
    /// The result is a list, a map or the like.
    #[error("the result is a {0}: expected a text, a boolean or a number")]
    NoScalar(String),
}

fn quoted_paths(path: &str, others: &[String]) -> String {
    let paths = std::iter::once(path).chain(others.iter().map(String::as_str));
    paths.map(|path| format!("`{path}`")).collect::<Vec<_>>().join(" or no ")
}

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    // The extension and the standard library declare different functions, so this never fails; a unit test sees to it.
    let _ = env.add_extension(extensions::strings);
    Arc::new(env)
});

/// A user with every attribute that PingOne documents, for a trial run of a new expression.
static SAMPLE: LazyLock<User> = LazyLock::new(|| {
    User::new(&json!({
        "id": "i", "environment": {"id": "i"}, "account": {"canAuthenticate": true, "status": "s"},
        "address": {"streetAddress": "a", "locality": "l", "region": "r", "postalCode": "p", "countryCode": "c"},
        "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z", "email": "e@example.com",
        "enabled": true, "username": "u",
        "name": {"formatted": "f", "given": "g", "family": "f", "middle": "m", "honorificPrefix": "p",
            "honorificSuffix": "s"},
        "population": {"id": "i"}, "lifecycle": {"status": "s"}, "mfaEnabled": false, "externalId": "x",
        "title": "t", "type": "t", "nickname": "n", "mobilePhone": "1", "primaryPhone": "1", "locale": "l",
        "preferredLanguage": "l", "timezone": "z", "photo": {"href": "h"}
    }))
});

/// A group with every attribute that PingOne documents, as [`SAMPLE`] is for users.
static GROUP_SAMPLE: LazyLock<User> = LazyLock::new(|| {
    User::new(&json!({
        "id": "i", "environment": {"id": "i"}, "name": "n", "displayName": "d", "description": "d",
        "population": {"id": "i"}, "externalId": "x", "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:00.000Z"
    }))
});

/// A user or group object, turned into what expressions work on.
pub(crate) struct User(cel::Value);

impl User {
    pub(crate) fn new(attributes: &Value) -> Self {
        Self(to_cel(attributes))
    }
}

impl Expression {
    pub(crate) fn compile(text: &str) -> Result<Self, ExpressionError> {
        Self::compile_over(text, Root::User)
    }

    /// Compiles an expression over another object than a user.
    pub(crate) fn compile_over(text: &str, root: Root) -> Result<Self, ExpressionError> {
        if text.len() > bounds::LONGEST {
            let message = format!("it is longer than {} bytes", bounds::LONGEST);
            return Err(ExpressionError { message, offset: None });
        }
        let program = ENVIRONMENT.compile(text).map_err(|errors| match errors.errors.into_iter().next() {
            Some(error) if error.msg.to_lowercase().contains("recursion limit") => {
                ExpressionError { offset: None, message: "it nests too deep".to_owned() }
            }
            Some(error) => {
                // The parser's message goes on with every token that would be valid.
                let message = error.msg.split(" expecting ").next().unwrap_or_default().to_lowercase();
                ExpressionError { offset: offset(text, error.pos), message }
            }
            None => ExpressionError { message: "it does not parse".to_owned(), offset: None },
        })?;
        if bounds::is_too_deep(program.expression()) {
            return Err(ExpressionError { message: "it nests too deep".to_owned(), offset: None });
        }
        let metered = Arc::new(bounds::metered(program.expression()));
        let mut attributes = BTreeSet::new();
        attributes::collect(program.expression(), root.name(), &mut attributes);
        let expression = Self { root, text: text.to_owned(), metered, attributes };
        // The compiler does not look names up. A trial run finds most of the wrong ones before any user fails by them.
        match expression.run(root.sample()) {
            Err(ExecutionError::UndeclaredReference(name)) => {
                let message = format!("unknown name `{name}`: expected `{}` or a function", root.name());
                Err(ExpressionError { message, offset: find_word(text, &name) })
            }
            Err(error) if bounds::is_exhausted(&error) => {
                Err(ExpressionError { message: EvaluationError::TooCostly.to_string(), offset: None })
            }
            _ => Ok(expression),
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the dotted paths of the attributes of its root that the expression names. A computed index is not followed.
    pub(crate) fn attributes(&self) -> BTreeSet<String> {
        self.attributes.clone()
    }

    /// Returns the value for a user; `Null` if it has none.
    pub(crate) fn evaluate(&self, user: &User) -> Result<Value, EvaluationError> {
        match self.run(user).map_err(|error| self.explain(&error))? {
            cel::Value::Null => Ok(Value::Null),
            cel::Value::String(text) => Ok(Value::String(text.as_str().to_owned())),
            cel::Value::Bool(value) => Ok(Value::Bool(value)),
            cel::Value::Int(number) => Ok(Value::from(number)),
            cel::Value::UInt(number) => Ok(Value::from(number)),
            cel::Value::Float(number) => {
                Number::from_f64(number).map(Value::Number).ok_or(EvaluationError::NoJsonNumber)
            }
            other => Err(EvaluationError::NoScalar(other.type_of().to_string())),
        }
    }

    fn run(&self, user: &User) -> Result<cel::Value, ExecutionError> {
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        context.add_variable_from_value(self.root.name(), user.0.clone());
        bounds::allow(&mut context);
        context.resolve(&self.metered)
    }

    /// Returns the error for `key`, which the user lacks. The interpreter does not name the object without the key; the
    /// attributes in the expression do.
    fn missing(&self, key: &str) -> EvaluationError {
        let up_to_key = |attribute: &String| {
            let names: Vec<&str> = attribute.split('.').collect();
            let at = names.iter().position(|name| *name == key)?;
            names.get(..=at).map(|names| names.join("."))
        };
        let mut paths = self.attributes.iter().filter_map(up_to_key).collect::<BTreeSet<_>>().into_iter();
        match paths.next() {
            None => EvaluationError::NoKey(key.to_owned()),
            Some(path) => EvaluationError::NoAttribute { path, others: paths.collect() },
        }
    }

    /// Returns an interpreter's error without values, which most of its messages quote.
    fn explain(&self, error: &ExecutionError) -> EvaluationError {
        match error {
            _ if bounds::is_exhausted(error) => EvaluationError::TooCostly,
            ExecutionError::NoSuchKey(key) if self.text.contains(key.as_str()) => self.missing(key),
            ExecutionError::NoSuchKey(_) => EvaluationError::NoUnknownKey,
            ExecutionError::UndeclaredReference(name) if self.text.contains(name.as_str()) => {
                EvaluationError::UnknownName(name.to_string())
            }
            ExecutionError::NoSuchOverload(overload) => EvaluationError::WrongArguments {
                function: overload.function().to_string(),
                types: overload.argument_types().iter().map(|name| type_name(name).to_owned()).collect(),
            },
            ExecutionError::InvalidArgumentCount { expected, actual } => {
                EvaluationError::ArgumentCount { expected: *expected, actual: *actual }
            }
            ExecutionError::UnexpectedType { got, want } => {
                EvaluationError::UnexpectedType { got: got.clone(), want: want.clone() }
            }
            ExecutionError::FunctionError { function, .. } => EvaluationError::Function(function.clone()),
            ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
                EvaluationError::DivisionByZero
            }
            ExecutionError::Overflow(..) => EvaluationError::Overflow,
            ExecutionError::IndexOutOfBounds(_) => EvaluationError::OutOfBounds,
            _ => EvaluationError::WrongTypes,
        }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}

/// Returns the name of a type, or a general word if it is a value: in some errors the interpreter exchanges the two.
fn type_name(name: &str) -> &str {
    let plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.'));
    if plain { name } else { "something else" }
}

fn to_cel(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(value) => cel::Value::Bool(*value),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => cel::Value::Int(number),
            (None, Some(number)) => cel::Value::UInt(number),
            (None, None) => cel::Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => cel::Value::from(text.as_str()),
        Value::Array(items) => cel::Value::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Object(members) => cel::Value::from(
            members.iter().map(|(name, value)| (name.clone(), to_cel(value))).collect::<HashMap<_, _>>(),
        ),
    }
}

/// Returns the byte at which a name stands as a whole word.
fn find_word(text: &str, name: &str) -> Option<usize> {
    let part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let by_itself = |at: usize| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + name.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    };
    text.match_indices(name).map(|(at, _)| at).find(|at| by_itself(*at))
}

/// Returns the byte at a line (from 1) and a column (in characters) of the parser.
fn offset(text: &str, (line, column): (isize, isize)) -> Option<usize> {
    let line = usize::try_from(line).ok()?.checked_sub(1)?;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = text.get(start..)?;
    let column = usize::try_from(column).ok()?;
    Some(start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<Value, &str>) {
        let user = User::new(&json!({
            "email": "Ada@Example.com", "n": 3, "big": 1.5, "list": ["a", "b"], "name": {"given": "Ada"},
            "address": {}
        }));
        let found = Expression::compile(text).unwrap().evaluate(&user);
        match expected {
            Ok(value) => assert_eq!(found, Ok(value), "{text}"),
            Err(part) => {
                let error = found.unwrap_err();
                assert!(error.to_string().contains(part), "{text}: {error}");
                assert!(!error.to_string().contains("Ada"), "the user's data is in {error}");
            }
        }
    }

    #[test]
    fn results_are_scalars_or_nothing() {
        check("user.email", Ok(json!("Ada@Example.com")));
        check("user.email.lowerAscii()", Ok(json!("ada@example.com")));
        check("user.email.split('@')[0]", Ok(json!("Ada")));
        check("user.name.given + ' L.'", Ok(json!("Ada L.")));
        check("user.n + 1", Ok(json!(4)));
        check("user.big * 2.0", Ok(json!(3.0)));
        check("user.n == 3 && 'a' in user.list", Ok(json!(true)));
        check("has(user.nickname) ? user.nickname : null", Ok(Value::Null));
        check("user.list.exists(x, x == 'b')", Ok(json!(true)));
        check("user.email.matches('^A')", Ok(json!(true)));
        check("'constant'", Ok(json!("constant")));
        check("type(user.email) == string", Ok(json!(true)));
        check("string(user.n)", Ok(json!("3")));
        check("user.list.map(x, x + '!').join('-')", Ok(json!("a!-b!")));
    }

    #[test]
    fn evaluation_error_names_no_value() {
        check("user.nickname", Err("the user has no `nickname`"));
        check(
            "user.name.given + user.name.family",
            Err(
                "the user has no `name.family`; test it first, as in `has(user.name.family) ? user.name.family : null`",
            ),
        );
        check(
            "user.photo.href",
            Err("the user has no `photo`; test it first, as in `has(user.photo) ? user.photo : null`"),
        );
        check("user['name']['middle']", Err("the user has no `name.middle`"));
        check(
            "user.address.type + user.name.type",
            Err(
                "the user has no `address.type` or no `name.type`; test it first, as in `has(user.address.type)",
            ),
        );
        check(
            "[user].map(person, person.nickname)[0]",
            Err("the user has no `nickname`; test it with `has` first"),
        );
        check("user[user.email]", Err("the user has no such attribute"));
        check("user.list", Err("the result is a list"));
        check("user", Err("the result is a map"));
        check("user.email + 1", Err("does not support"));
        check("user.list[7]", Err(""));
        check("int(user.email)", Err(""));
        check("user.email.startsWith(user.name)", Err(""));
        check("user.email.matches(user.list)", Err(""));
        check("user.email ? 'a' : 'b'", Err(""));
        check("!user.email", Err(""));
        check("{user.email: 1, user.email: 2}", Err(""));
        check("user.list.map(x, x + user.n)", Err(""));
        check("user.n / 0", Err("divided by zero"));
        check("user.email.matches(user.email + '(')", Err(""));
    }

    #[track_caller]
    fn refused(text: &str, offset: Option<usize>, message: &str) {
        let error = Expression::compile(text).unwrap_err();
        assert!(error.message.contains(message), "{error:?}");
        assert_eq!(error.offset, offset, "{error:?}");
    }

    #[test]
    fn costly_expression_is_refused() {
        let nested = |depth: usize| {
            let list = "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]";
            (0..depth).fold("1".to_owned(), |inner, level| format!("{list}.map(x{level}, {inner}).size()"))
        };
        let grown = |times: usize| format!("'a'{}", ".replace('a', 'aaaaaaaaaa')".repeat(times));
        check(&nested(3), Ok(json!(20)));
        check(&grown(4), Ok(json!("a".repeat(10_000))));
        let doubled = (0..40).fold("user.email".to_owned(), |text, _| format!("[{text}].map(t, t + t)[0]"));
        for costly in [&nested(6), &grown(12), &doubled] {
            refused(costly, None, "too many steps");
        }
        refused(&format!("'a'.replace('a', '{}')", "b".repeat(200)), None, "too many steps");
        refused(&format!("['a', 'b'].join('{}')", "b".repeat(200)), None, "too many steps");
        refused(&format!("{}1{}", "[".repeat(300), "]".repeat(300)), None, "nests too deep");
        let chain = |links: usize| vec!["'a'"; links].join(" + ");
        check(&chain(120), Ok(json!("a".repeat(120))));
        refused(&chain(130), None, "nests too deep");
        refused(&format!("'{}'", "a".repeat(5000)), None, "longer than 4096 bytes");
        // An evaluation whose cost depends on the data fails for the user with such data.
        let user = User::new(&json!({ "list": vec!["x"; 1000], "name": "a".repeat(100_000) }));
        for text in [
            "user.list.exists(x, user.list.exists(y, user.list.exists(z, z == 'q')))",
            "user.list.map(x, user.name)[0]",
            "user.list.map(x, user.list.map(y, y + x)).size()",
            "user.name.split('').map(x, user.name.lowerAscii()).join('')",
        ] {
            let error = Expression::compile(text).unwrap().evaluate(&user).unwrap_err();
            assert!(error.to_string().contains("too many steps"), "{text}: {error}");
        }
    }

    #[test]
    fn compile_error_has_its_offset() {
        refused("user.email +", Some(12), "");
        refused("usr.email", Some(0), "unknown name `usr`");
        refused("user.email + domain", Some(13), "unknown name `domain`");
        refused("lower(user.email)", Some(0), "unknown name `lower`");
        refused("user.email + em", Some(13), "unknown name `em`");
        refused("user.email.shout()", Some(11), "unknown name `shout`");
        refused("", Some(0), "");
    }
}
