//! Any text as a path: it parses or names the place of the error, and its printed form means the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scim::path::AttrPath;
use scim::filter::PatchPath;
use scim_fuzz::RESOURCES;

fuzz_target!(|text: &str| {
    match text.parse::<PatchPath>() {
        Ok(path) => {
            let printed = path.to_string();
            assert_eq!(printed.parse::<PatchPath>().expect("a printed path parses"), path, "{printed}");
            let attr = path.attr_path();
            for (_, schemas) in RESOURCES.iter() {
                schemas.locate(&attr);
                schemas.schema_at(&attr);
            }
        }
        Err(error) => {
            let span = error.span();
            assert!(
                text.is_char_boundary(span.start) && text.is_char_boundary(span.end),
                "{span:?} of {text}"
            );
            error.pointer(text);
        }
    }
    if let Ok(path) = text.parse::<AttrPath>() {
        let printed = path.to_string();
        assert_eq!(printed.parse::<AttrPath>().expect("a printed path parses"), path, "{printed}");
        assert!(text.parse::<PatchPath>().is_ok(), "every attribute path is a PATCH path: {text}");
    }
});
