//! Any bytes as the body of a POST: what is taken is whole JSON that fits the schemas, and a second reading of it
//! changes nothing.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use scim::{
    decode::{DecodeOptions, DecodedResource, ResourceDecoder},
    schema::SchemaSet,
    validate::{canonicalise, validate},
};
use scim_fuzz::user_schemas;
use serde_json::Value;

static USERS: LazyLock<ResourceDecoder> =
    LazyLock::new(|| ResourceDecoder::new(SchemaSet::user(), &["userName", "externalId", "emails.value"], None));
static GROUPS: LazyLock<ResourceDecoder> =
    LazyLock::new(|| ResourceDecoder::new(SchemaSet::group(), &["displayName"], Some("members")));

fn kept(accepted: &DecodedResource) -> Value {
    let text = std::str::from_utf8(&accepted.members).expect("text");
    let mut value: Value = serde_json::from_str(&format!("{{{text}}}")).expect("whole JSON");
    value["schemas"] = user_schemas(!accepted.extensions.is_empty());
    value
}

fuzz_target!(|data: &[u8]| {
    // The first byte holds the switches, in its low bits: a digit will do.
    let Some((switches, body)) = data.split_first() else { return };
    let options = DecodeOptions {
        refuse_unknown: switches & 1 != 0,
        enforce_canonical_values: switches & 2 != 0,
        string_booleans: switches & 4 != 0,
        missing_schemas: switches & 8 != 0,
        duplicate_schemas: switches & 16 != 0,
        unlisted_extensions: switches & 64 != 0,
        bare_manager: switches & 32 != 0,
    };
    drop(GROUPS.read(body, options).map_err(|error| error.to_string()));
    match USERS.read(body, options) {
        Ok(accepted) => {
            let kept = kept(&accepted);
            assert_eq!(validate(&kept, SchemaSet::user()), Ok(()), "{kept}");
            let again = USERS.read(kept.to_string().as_bytes(), options).expect("what is kept is taken");
            let second: Value = self::kept(&again);
            assert_eq!(second, kept);
            assert_eq!(again.active, accepted.active);
        }
        Err(error) => drop(error.to_string()),
    }
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        drop(validate(&value, SchemaSet::user()));
        canonicalise(&value, SchemaSet::user());
    }
});
