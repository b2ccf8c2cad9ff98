//! Any text as a filter: it parses or says where it does not, its printed form means the same, and it matches
//! without a panic. What is read by hand is what the parser reads.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scim::filter::{Filter, simple_eq};
use scim_fuzz::RESOURCES;

fuzz_target!(|text: &str| {
    let parsed = Filter::parse(text);
    if let Some((attr, value)) = simple_eq(text) {
        let filter = parsed.as_ref().expect("what is read by hand is a filter");
        assert_eq!(filter.equality_on(attr), Some(&*value), "read by hand: {text}");
    }
    match parsed {
        Ok(filter) => {
            let printed = filter.to_string();
            let again = Filter::parse(&printed).expect("what is printed is a filter");
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
