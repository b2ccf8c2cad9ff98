//! What to say of a path that leads nowhere: where SCIM is, which resource types there are, and what was probably meant.

use crate::types::Types;
use crate::units::suggest::nearest;

/// Endpoints beside those of the resource types.
pub(crate) const OTHER_ENDPOINTS: [&str; 6] =
    ["Me", "Bulk", "ServiceProviderConfig", "ResourceTypes", "Schemas", ".search"];
/// The longest path that is repeated, in bytes.
const MAX_SHOWN: usize = 200;

/// What to say of a path below a base URL.
pub(crate) fn below(types: &Types, base: &str, path: &str) -> String {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let shown = cut(path, MAX_SHOWN);
    match segments.as_slice() {
        [first, _, ..] if find(types, first) == Some(first) && !path.starts_with("//") => {
            format!("nothing is at {shown}; below /{first} there are ids alone, as in {base}/{first}/ID")
        }
        _ => match meant(types, &segments) {
            Some(meant) => {
                format!("nothing is at {shown}; the base URL is {base}: did you mean {base}{meant}?")
            }
            None => format!("nothing is at {shown}; below the base URL {base} there are {}", all(types)),
        },
    }
}

/// What to say of a path that is below no base URL.
pub(crate) fn outside(types: &Types, origin: &str, path: &str) -> String {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let shown = cut(path, MAX_SHOWN);
    let (base, rest) = match segments.as_slice() {
        ["apps", name, rest @ ..] => (format!("{origin}/apps/{name}/scim"), rest),
        rest => (format!("{origin}/scim"), rest),
    };
    if path == "*" {
        return format!(
            "the target `*` is the server as a whole, which offers nothing; SCIM is at {origin}/scim and \
             {origin}/apps/NAME/scim, administration at {origin}/_mock"
        );
    }
    if rest.iter().any(|segment| segment.eq_ignore_ascii_case("_mock")) {
        return format!(
            "nothing is at {shown}; administration is not on this port, or its path is {origin}/_mock"
        );
    }
    match meant(types, rest) {
        Some(meant) => format!("nothing is at {shown}; the base URL is {base}: did you mean {base}{meant}?"),
        None => format!(
            "nothing is at {shown}; SCIM is at {origin}/scim and {origin}/apps/NAME/scim, administration at {origin}/_mock"
        ),
    }
}

/// The path from the first segment on that is one of ours but for its case, or looks like one.
fn meant(types: &Types, segments: &[&str]) -> Option<String> {
    let exact = segments.iter().enumerate().find_map(|(at, segment)| Some((at, find(types, segment)?)));
    let (at, name) = exact.or_else(|| {
        let near = |(at, segment): (usize, &&str)| Some((at, nearest(segment, names(types))?));
        segments.iter().enumerate().find_map(near)
    })?;
    let path = match segments.get(at + 1) {
        Some(id) => format!("/{name}/{id}"),
        None => format!("/{name}"),
    };
    Some(cut(&path, MAX_SHOWN).to_owned())
}

/// The beginning of a text, up to so many bytes.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

fn find<'t>(types: &'t Types, segment: &str) -> Option<&'t str> {
    names(types).find(|name| name.eq_ignore_ascii_case(segment))
}

fn names(types: &Types) -> impl Iterator<Item = &str> {
    types.all().iter().map(|kind| &*kind.endpoint).chain(OTHER_ENDPOINTS)
}

fn all(types: &Types) -> String {
    names(types).map(|name| format!("/{name}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use crate::gateway::not_found::*;

    #[test]
    fn path_below_the_base_is_met_with_what_was_meant() {
        #[track_caller]
        fn check(path: &str, part: &str) {
            let told = below(&Types::standard(), "http://h/scim", path);
            assert!(
                told.starts_with(&format!("nothing is at {path};")) && told.contains(part),
                "{path}: {told}"
            );
        }
        check("/v2/Users", "did you mean http://h/scim/Users?");
        check("/v2/Users/7", "did you mean http://h/scim/Users/7?");
        check("/scim/Users", "the base URL is http://h/scim: did you mean http://h/scim/Users?");
        check("/users", "did you mean http://h/scim/Users?");
        check("/users/AbC", "did you mean http://h/scim/Users/AbC?");
        check("/Usrs", "did you mean http://h/scim/Users?");
        check("/User", "did you mean http://h/scim/Users?");
        check("//Users", "did you mean http://h/scim/Users?");
        check("/serviceproviderconfig", "did you mean http://h/scim/ServiceProviderConfig?");
        check("/Users/1/groups", "below /Users there are ids alone, as in http://h/scim/Users/ID");
        check("/Roles", "below the base URL http://h/scim there are /Users, /Groups");
        check("/zzz", "below the base URL http://h/scim there are /Users, /Groups, /Me, /Bulk");
    }

    #[test]
    fn path_outside_is_met_with_the_base_url() {
        #[track_caller]
        fn check(path: &str, part: &str) {
            let told = outside(&Types::standard(), "http://h", path);
            assert!(
                told.starts_with(&format!("nothing is at {path};")) && told.contains(part),
                "{path}: {told}"
            );
        }
        check("/Users", "the base URL is http://h/scim: did you mean http://h/scim/Users?");
        check("/Users/7", "did you mean http://h/scim/Users/7?");
        check("/SCIM/Users", "did you mean http://h/scim/Users?");
        check("/api/scim/v2/Groups", "did you mean http://h/scim/Groups?");
        check(
            "/apps/hr/Users",
            "the base URL is http://h/apps/hr/scim: did you mean http://h/apps/hr/scim/Users?",
        );
        check(
            "/apps/hr",
            "SCIM is at http://h/scim and http://h/apps/NAME/scim, administration at http://h/_mock",
        );
        check("/", "SCIM is at http://h/scim");
        check("/x/_mock/health", "its path is http://h/_mock");
    }

    #[test]
    fn server_as_a_whole_is_told_apart() {
        let told = outside(&Types::standard(), "http://h", "*");
        assert!(told.starts_with("the target `*` is the server") && told.contains("http://h/scim"), "{told}");
    }

    #[test]
    fn long_path_is_cut() {
        let path = format!("/{}", "x".repeat(5000));
        assert!(below(&Types::standard(), "http://h/scim", &path).len() < 600);
        assert!(outside(&Types::standard(), "http://h", &path).len() < 600);
    }
}
