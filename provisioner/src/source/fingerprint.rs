//! Digests that stay the same from run to run: SHA-256 over JSON with sorted members.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Returns the hex SHA-256 of a sequence of values.
pub(super) fn digest<'a>(values: impl IntoIterator<Item = &'a Value>) -> String {
    let mut hash = Sha256::new();
    let mut buffer = Vec::new();
    for value in values {
        buffer.clear();
        write(value, &mut buffer);
        hash.update(&buffer);
    }
    hex(&hash.finalize())
}

/// Returns 32 hex characters that identify a list of texts. Lists differ if a text ends at another place.
pub(crate) fn fingerprint<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex(hash.finalize().get(..16).unwrap_or_default())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|half| char::from(DIGITS[usize::from(half)]))
        .collect()
}

/// Writes compact JSON with sorted members, whether or not the map keeps its members sorted by itself.
fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            if members.keys().is_sorted() {
                write_members(members.iter(), out);
            } else {
                let mut members: Vec<_> = members.iter().collect();
                members.sort_unstable_by_key(|(name, _)| *name);
                write_members(members.into_iter(), out);
            }
        }
        scalar => write_scalar(scalar, out),
    }
}

fn write_members<'a>(members: impl Iterator<Item = (&'a String, &'a Value)>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (at, (name, member)) in members.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_scalar(name, out);
        out.push(b':');
        write(member, out);
    }
    out.push(b'}');
}

fn write_scalar(scalar: &(impl serde::Serialize + ?Sized), out: &mut Vec<u8>) {
    // Writing a text or a number into memory cannot fail.
    let _ = serde_json::to_writer(out, scalar);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn digests_depend_on_content_only() {
        let one: Value = serde_json::from_str(r#"{"a":1,"b":{"c":[true,null],"d":"x"}}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{ "b": {"d":"x","c":[true,null]}, "a":1 }"#).unwrap();
        assert_eq!(digest([&one]), digest([&other]));
        for differs in [json!({"a":"1"}), json!({"a":1}), json!({"a":[1]}), json!([]), json!({"a":[1,[]]})] {
            assert_ne!(digest([&one]), digest([&differs]), "{differs}");
        }
        // A value that must never change: it is kept in people's databases.
        assert_eq!(digest([]), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(
            digest([&json!({"id": "1", "n": 2})]),
            "feeef6c6367821faeb87e4fcc2d00f64c4bda5c8a78d18384e0f5a50023471d6"
        );
    }

    #[test]
    fn fingerprints_tell_lists_apart() {
        assert_ne!(fingerprint(["ab", "c"]), fingerprint(["a", "bc"]));
        assert_ne!(fingerprint(["a"]), fingerprint(["a", ""]));
        assert_eq!(fingerprint(["a"]).len(), 32);
    }
}
