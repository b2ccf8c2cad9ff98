//! Any bytes as the body of a POST: a decoded body is complete JSON that fits the schemas, and decoding it again changes
//! nothing.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use scim::{
    decode::{DecodeOptions, DecodedResource, ResourceDecoder},
    dialect::Dialect,
    schema::SchemaSet,
    validate::{canonicalise, validate},
};
use scim_fuzz::user_schemas;
use serde_json::Value;

static USERS: LazyLock<ResourceDecoder> = LazyLock::new(|| {
    ResourceDecoder::new(SchemaSet::user(), &["userName", "externalId", "emails.value"], None)
});
static GROUPS: LazyLock<ResourceDecoder> =
    LazyLock::new(|| ResourceDecoder::new(SchemaSet::group(), &["displayName"], Some("members")));

/// The switches of dialects in the first byte.
const DIALECTS: [(u8, Dialect); 5] = [
    (4, Dialect::StringBoolean),
    (8, Dialect::MissingSchemas),
    (16, Dialect::DuplicateSchemas),
    (32, Dialect::BareManager),
    (64, Dialect::UnlistedExtensions),
];

fn stored(decoded: &DecodedResource) -> Value {
    let text = std::str::from_utf8(&decoded.members).expect("text");
    let mut value: Value = serde_json::from_str(&format!("{{{text}}}")).expect("whole JSON");
    value["schemas"] = user_schemas(!decoded.extensions.is_empty());
    value
}

fuzz_target!(|data: &[u8]| {
    // The first byte holds the switches, in its low bits: a digit will do.
    let Some((switches, body)) = data.split_first() else { return };
    let dialects = DIALECTS.into_iter().filter(|(bit, _)| switches & bit != 0).map(|(_, dialect)| dialect);
    let options = DecodeOptions {
        refuse_unknown: switches & 1 != 0,
        enforce_canonical_values: switches & 2 != 0,
        dialects: dialects.collect(),
    };
    drop(GROUPS.decode(body, options).map_err(|rejection| rejection.error.to_string()));
    match USERS.decode(body, options) {
        Ok(decoded) => {
            let stored = stored(&decoded);
            assert_eq!(validate(&stored, SchemaSet::user()), Ok(()), "{stored}");
            let again =
                USERS.decode(stored.to_string().as_bytes(), options).expect("a stored resource decodes");
            assert_eq!(self::stored(&again), stored);
            assert_eq!(again.active, decoded.active);
        }
        Err(rejection) => drop(rejection.error.to_string()),
    }
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        drop(validate(&value, SchemaSet::user()));
        canonicalise(&value, SchemaSet::user());
    }
});
