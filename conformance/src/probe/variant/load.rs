//! The variants that are built in.

use std::sync::LazyLock;

use crate::case::load::LoadError;
use crate::probe::variant::Variant;
use crate::probe::variant::file::VariantFile;

include!(concat!(env!("OUT_DIR"), "/probe.rs"));

static BUILT_IN: LazyLock<Result<Vec<Variant>, LoadError>> = LazyLock::new(|| all(PROBE));

/// Returns the variants that are built in, by topic and then in the order of the file.
///
/// # Errors
/// A file is invalid, which a test rules out.
pub fn built_in() -> Result<&'static [Variant], &'static LoadError> {
    BUILT_IN.as_ref().map(Vec::as_slice)
}

fn all(files: &[(&str, &str)]) -> Result<Vec<Variant>, LoadError> {
    let mut variants: Vec<Variant> = Vec::new();
    for (file, text) in files {
        let file: VariantFile = toml::from_str(text).map_err(|error| LoadError::invalid(file, error))?;
        for variant in file.variant {
            if variants.iter().any(|other| other.slug == variant.slug) {
                return Err(LoadError::Twice { what: "variant", name: variant.slug });
            }
            variants.push(variant);
        }
    }
    // Stable: names of created resources follow from the place of a variant.
    variants.sort_by_key(|variant| variant.topic);
    Ok(variants)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::with_causes;

    const VARIANT: &str = "[[variant]]\nslug = \"a\"\ntitle = \"t\"\ntopic = \"update\"\nstandard = true\nsection = \"3.5.2\"\n\
        start = \"active\"\npatch = '[]'\ngoal = [{ at = \"/title\", equals = 'null' }]\n";

    #[test]
    fn built_in_variants_are_valid() {
        let variants = built_in().unwrap_or_else(|error| panic!("{}", with_causes(error)));
        assert_eq!(variants.len(), 36);
        assert!(variants.is_sorted_by_key(|variant| variant.topic));
    }

    #[track_caller]
    fn assert_refused(from: &str, to: &str, expected: &[&str]) {
        assert!(VARIANT.contains(from), "{from}");
        let error = all(&[("update.toml", &VARIANT.replace(from, to))]).expect_err("an invalid variant");
        let error = with_causes(&error);
        for expected in expected {
            assert!(error.contains(expected), "{expected} is not in {error}");
        }
    }

    #[test]
    fn invalid_variant_is_refused_with_the_place() {
        assert!(all(&[("update.toml", VARIANT)]).is_ok());
        assert_refused(
            "title = \"t\"",
            "titel = \"t\"",
            &["update.toml", "line 3, column 1", "did you mean `title`?"],
        );
        assert_refused("patch = '[]'", "ptach = '[]'", &["line 8, column 1", "did you mean `patch`?"]);
        assert_refused("patch = '[]'", "patch = '['", &["line 8, column 9", "invalid JSON `[`"]);
        assert_refused("patch = '[]'\n", "", &["line 1", "expected exactly one request, found none"]);
        assert_refused(
            "patch = '[]'",
            "patch = '[]'\nput = '{}'",
            &["exactly one request, found patch and put"],
        );
        assert_refused("section = \"3.5.2\"\n", "", &["line 1", "`section` is missing"]);
        assert_refused("\"active\"", "\"activ\"", &["line 7", "unknown variant `activ`"]);
        assert_refused("\"active\"", "\"nothing\"", &["`post` needs `start = \"nothing\"`"]);
        assert_refused("slug = \"a\"", "slug = \"A\"", &["invalid slug `A`"]);
        assert_refused("equals", "eqals", &["line 9", "unknown field `eqals`"]);
        assert_refused("/title", "title", &["invalid JSON pointer `title`"]);
        assert_refused("patch = '[]'", "delete = false", &["line 8", "expected `true`"]);
        assert_refused("patch = '[]'", "delete = true", &["`delete` takes no `goal`"]);
        assert_refused("topic = \"update\"", "topic = \"upd\"", &["line 4", "unknown variant `upd`"]);
    }

    #[test]
    fn variant_slug_in_two_files_is_refused() {
        let error = all(&[("a.toml", VARIANT), ("b.toml", VARIANT)]).expect_err("the same slug");
        assert_eq!(error.to_string(), "two variants are called a");
    }
}
