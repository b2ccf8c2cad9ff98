//! Query strings, read as servers read them.

use percent_encoding::percent_decode_str;

/// Decodes a text; `+` is a space, and invalid UTF-8 is replaced.
pub fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// Returns the parameters, in their order.
pub fn parameters(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::query_string::*;

    #[test]
    fn parameters_are_decoded() {
        let told: Vec<_> = parameters("a=1&&b&c=%C3%A9+%2B=&%61=").into_iter().collect();
        let meant = [("a", "1"), ("b", ""), ("c", "é +="), ("a", "")];
        assert_eq!(told, meant.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(parameters(""), []);
    }
}
