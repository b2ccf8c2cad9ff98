//! Any text as a filter: it parses or names the place of the error, its printed form means the same, and it matches
//! without a panic. The fast parser agrees with the full one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scim::filter::{Filter, simple_eq};
use scim_fuzz::RESOURCES;

fuzz_target!(|text: &str| {
    let parsed = Filter::parse(text);
    if let Some((attr, value)) = simple_eq(text) {
        let filter = parsed.as_ref().expect("the fast parser accepts filters only");
        assert_eq!(filter.equality_on(attr), Some(&*value), "fast parser: {text}");
    }
    match parsed {
        Ok(filter) => {
            let printed = filter.to_string();
            let again = Filter::parse(&printed).expect("a printed filter parses");
            assert_eq!(again, filter, "{printed}");
            for (resource, schemas) in RESOURCES.iter() {
                assert_eq!(filter.matches(resource, *schemas), again.matches(resource, *schemas));
                filter.unknown_paths(schemas);
                filter.top_level_members(schemas);
            }
            assert!(filter.parts().len() >= filter.terms().min(1));
        }
        Err(error) => {
            let span = error.span();
            assert!(span.start <= span.end && span.end <= text.len(), "{span:?} of {}", text.len());
            assert!(
                text.is_char_boundary(span.start) && text.is_char_boundary(span.end),
                "{span:?} of {text}"
            );
            error.pointer(text);
        }
    }
});
