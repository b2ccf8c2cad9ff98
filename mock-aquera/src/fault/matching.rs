//! Which requests a fault concerns.

use std::cell::OnceCell;
use std::fmt;

use axum::http::Method;
use scim::json::get_ci;
use scim::precis::user_name_key;
use serde_json::Value;

use crate::fault::lexer::quoted;
use crate::patched_paths;
use crate::units::glob::Glob;

/// What faults look at in a request. The two closures are called once at most, and only if a rule asks.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) method: &'a Method,
    /// The path below the base URL of the application, without a query.
    pub(crate) path: &'a str,
    /// The resource type that the path names.
    pub(crate) resource_type: Option<&'a str>,
    /// The id that the path names.
    pub(crate) id: Option<&'a str>,
    /// The user name: of the account that the path names, or in the body.
    pub(crate) user_name: &'a dyn Fn() -> Option<String>,
    /// The URN of the schema that resources of that type have.
    pub(crate) core: Option<&'a str>,
    /// What the operations of a PATCH name.
    pub(crate) patch_paths: &'a dyn Fn() -> Vec<String>,
}

/// The `userName` in the body of a POST or a PUT.
pub(crate) fn user_name(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    get_ci(body.as_object()?, "userName")?.as_str().map(str::to_owned)
}

/// What the operations in the body of a PATCH name.
pub(crate) fn patch_paths(body: &[u8]) -> Vec<String> {
    serde_json::from_slice(body).map(|body| patched_paths::paths(&body)).unwrap_or_default()
}

/// A subject with what it answered.
pub(super) struct Asked<'a> {
    subject: &'a Subject<'a>,
    user_name: OnceCell<Option<String>>,
    patch_paths: OnceCell<Vec<String>>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(subject: &'a Subject<'a>) -> Self {
        Self { subject, user_name: OnceCell::new(), patch_paths: OnceCell::new() }
    }

    fn user_name(&self) -> Option<&str> {
        let key = |name: String| user_name_key(&name).into_owned();
        self.user_name.get_or_init(|| (self.subject.user_name)().map(key)).as_deref()
    }

    fn comparable(&self, path: &str) -> String {
        patched_paths::comparable(path, self.subject.core)
    }

    fn patch_paths(&self) -> &[String] {
        self.patch_paths
            .get_or_init(|| (self.subject.patch_paths)().iter().map(|path| self.comparable(path)).collect())
    }
}

/// What a request must be like. What is none fits any.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Matching {
    pub(super) methods: Option<Vec<String>>,
    pub(super) path: Option<Glob>,
    pub(super) resource_type: Option<String>,
    pub(super) id: Option<String>,
    pub(super) user_name: Option<String>,
    pub(super) patch_path: Option<String>,
}

impl Matching {
    /// What costs a look at the body or into the store comes last.
    pub(super) fn fits(&self, asked: &Asked<'_>) -> bool {
        let subject = asked.subject;
        let is = |wanted: &Option<String>, same: &dyn Fn(&str) -> bool| wanted.as_deref().is_none_or(same);
        self.methods
            .as_ref()
            .is_none_or(|methods| methods.iter().any(|method| method == subject.method.as_str()))
            && is(&self.resource_type, &|wanted| {
                subject.resource_type.is_some_and(|kind| kind.eq_ignore_ascii_case(wanted))
            })
            && is(&self.id, &|wanted| subject.id == Some(wanted))
            && self.path.as_ref().is_none_or(|glob| glob.matches(subject.path))
            && is(&self.user_name, &|wanted| asked.user_name() == Some(&user_name_key(wanted)))
            && is(&self.patch_path, &|wanted| {
                subject.method == Method::PATCH && asked.patch_paths().contains(&asked.comparable(wanted))
            })
    }
}

impl fmt::Display for Matching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods = self.methods.as_ref().map(|methods| methods.join(","));
        let path = self.path.as_ref().map(Glob::to_string);
        let keys = [
            ("method", &methods),
            ("path", &path),
            ("type", &self.resource_type),
            ("id", &self.id),
            ("user-name", &self.user_name),
            ("patch-path", &self.patch_path),
        ];
        for (key, value) in keys {
            if let Some(value) = value {
                write!(f, " {key}={}", quoted(value))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::fault::Fault;

    #[test]
    fn each_key_tells_requests_apart() {
        #[track_caller]
        fn check(rule: &str, fits: bool) {
            let fault: Fault = format!("reset {rule}").parse().unwrap();
            let subject = Subject {
                method: &Method::PATCH,
                path: "/Users/Ab1",
                resource_type: Some("User"),
                core: None,
                id: Some("Ab1"),
                user_name: &|| Some("Ana.Ömer@example.com".to_owned()),
                patch_paths: &|| {
                    vec![
                        "title".to_owned(),
                        "Emails[type  eq \"work\"].value".to_owned(),
                        "active".to_owned(),
                    ]
                },
            };
            assert_eq!(fault.matching.fits(&Asked::new(&subject)), fits, "{rule}");
        }
        check("", true);
        check("method=patch", true);
        check("method=PUT,PATCH", true);
        check("method=PUT,POST", false);
        check("path=/Users/*", true);
        check("path=/Groups/*", false);
        check("type=user", true);
        check("type=Group", false);
        check("id=Ab1", true);
        check("id=ab1", false);
        check("user-name=ana.ömer@EXAMPLE.com", true);
        check("user-name=ana.o\u{308}mer@example.com", true);
        check("user-name=ＡＮＡ.ömer@example.com", true);
        check("user-name=ana", false);
        check("patch-path=Active", true);
        check("patch-path=displayName", false);
        check(r#"patch-path="emails[type eq \"work\"].value""#, true);
        check(r#"patch-path="emails[type eq \"home\"].value""#, false);
        check("method=PATCH path=/Users/* type=User id=Ab1 patch-path=active", true);
        check("method=PATCH path=/Users/* type=User id=Ab2 patch-path=active", false);
    }

    #[test]
    fn path_matches_by_the_common_rule() {
        for (pattern, path, expected) in crate::units::glob::tests::TABLE {
            let fault = Fault::reset().path(pattern);
            let subject = Subject {
                method: &Method::GET,
                path,
                resource_type: None,
                core: None,
                id: None,
                user_name: &|| None,
                patch_paths: &Vec::new,
            };
            assert_eq!(fault.matching.fits(&Asked::new(&subject)), *expected, "{pattern} {path}");
        }
    }

    #[test]
    fn nothing_is_asked_for_twice_or_for_nothing() {
        let (names, paths) = (Cell::new(0), Cell::new(0));
        let user_name = || {
            names.set(names.get() + 1);
            None
        };
        let patch_paths = || {
            paths.set(paths.get() + 1);
            Vec::new()
        };
        let subject = Subject {
            method: &Method::PUT,
            path: "/Users/1",
            resource_type: None,
            core: None,
            id: None,
            user_name: &user_name,
            patch_paths: &patch_paths,
        };
        let asked = Asked::new(&subject);
        let fits = |rule: &str| rule.parse::<Fault>().unwrap().matching.fits(&asked);
        assert!(fits("reset") && !fits("reset method=GET user-name=a") && !fits("reset patch-path=active"));
        assert!(!fits("reset type=User") && !fits("reset id=1"));
        assert_eq!((names.get(), paths.get()), (0, 0));
        assert!(!fits("reset user-name=a") && !fits("reset user-name=b"));
        assert_eq!((names.get(), paths.get()), (1, 0));
    }
}
