//! Redaction of a configuration: everything that is or could be a secret is replaced.
//!
//! It works on any text, valid or not, and redacts too much rather than too little. Byte offsets stay the same.

/// Keys of `[connection.authentication]` whose values may be shown.
const HARMLESS: [&str; 9] = [
    "scim-url",
    "profile",
    "basic-auth-user",
    "client-certificate",
    "client-key",
    "env",
    "file",
    "command",
    "",
];
/// Keys whose values are secrets wherever they stand.
const SECRET: [&str; 6] = ["token", "password", "secret", "credential", "bearer", "api-key"];

/// Returns the text with each secret byte replaced by an asterisk.
pub(super) fn redacted(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut in_authentication = false;
    // The quotes of the string over several lines that a line begins in, and whether it is covered.
    let mut open: Option<(&str, bool)> = None;
    let mut line_start = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\r', '\n']);
        let mut rest = 0..content.len();
        if let Some((quotes, covered)) = open {
            let end = content.find(quotes);
            if covered {
                cover(&mut bytes, line_start, 0..end.unwrap_or(content.len()));
            }
            match end {
                Some(end) => (rest.start, open) = (end + quotes.len(), None),
                None => rest = 0..0,
            }
        } else if content.trim_start().starts_with('[') {
            in_authentication = content.to_lowercase().contains("authentication");
            rest = 0..0;
        }
        if !rest.is_empty() {
            open = redact_line(content, rest.start, in_authentication, line_start, &mut bytes);
        }
        line_start += line.len();
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// Covers the values of one line, and returns whether a string over several lines begins in it.
fn redact_line(
    line: &str,
    start: usize,
    in_authentication: bool,
    line_start: usize,
    bytes: &mut [u8],
) -> Option<(&'static str, bool)> {
    let within = in_authentication
        || line.split('=').next().is_some_and(|key| key.to_lowercase().contains("authentication"));
    if within && !line.contains('=') && !line.trim_start().starts_with('#') {
        // A value that began on a line before.
        cover(bytes, line_start, start..line.len());
    }
    let mut key_start = start;
    let mut at = start;
    while let Some(equals) = line.get(at..).and_then(|rest| rest.find('=')) {
        let equals = at + equals;
        let key = line.get(key_start..equals).unwrap_or_default();
        let key =
            key.rsplit(['{', ',', '.']).next().unwrap_or(key).trim().trim_matches(['"', '\'']).to_lowercase();
        let covered = if within {
            !HARMLESS.contains(&key.as_str())
        } else {
            SECRET.iter().any(|word| key.contains(word))
        };
        let value = line.get(equals + 1..).unwrap_or_default();
        let blanks = value.len() - value.trim_start().len();
        let value_start = equals + 1 + blanks;
        let value = value.trim_start();
        let quotes = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quotes| value.starts_with(quotes));
        let end = match quotes {
            _ if value.starts_with('{') => value_start + 1,
            None if covered => line.len(),
            None => value_start + value.find([',', '}', '#']).unwrap_or(value.len()),
            Some(quotes) => {
                let content = value_start + quotes.len();
                match closing(line.get(content..).unwrap_or_default(), quotes) {
                    Some(end) => content + end + quotes.len(),
                    None if quotes.len() == 3 => {
                        if covered {
                            cover(bytes, line_start, content..line.len());
                        }
                        return Some((quotes, covered));
                    }
                    None => line.len(),
                }
            }
        };
        if covered && !value.starts_with('{') {
            cover(bytes, line_start, value_start..end);
        } else if let Some(url) = line.get(value_start..end)
            && (key.ends_with("url") || key == "proxy" || url.contains("://"))
        {
            // `user:password@` in a URL.
            if let Some(sign) = url.rfind('@') {
                let scheme = url.find("//").map_or(0, |at| at + 2);
                cover(bytes, line_start, value_start + scheme.min(sign)..value_start + sign);
            }
            // The query or fragment: an address with a token in it.
            if let Some(query) = url.find(['?', '#']) {
                let quote = usize::from(url.ends_with(['"', '\'']));
                let last = (value_start + url.len() - quote).max(value_start + query + 1);
                cover(bytes, line_start, value_start + query + 1..last);
            }
        }
        at = end;
        key_start = end;
    }
    None
}

/// Returns the byte of the quotes that close a string.
fn closing(content: &str, quotes: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = content.get(at..)?;
        if rest.starts_with(quotes) {
            return Some(at);
        }
        let letter = rest.chars().next()?;
        at += letter.len_utf8();
        if letter == '\\' && quotes.starts_with('"') {
            at += content.get(at..)?.chars().next()?.len_utf8();
        }
    }
}

fn cover(bytes: &mut [u8], line_start: usize, range: std::ops::Range<usize>) {
    if let Some(part) = bytes.get_mut(line_start + range.start..line_start + range.end) {
        part.fill(b'*');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str) {
        let shown = redacted(text);
        assert_eq!(shown.len(), text.len());
        assert!(!shown.contains("s3cr"), "{shown}");
        assert!(shown.contains("kept"), "{shown}");
    }

    #[test]
    fn secrets_are_redacted_in_every_notation() {
        for value in [
            "\"s3cr#et\"",
            "'s3cr,et'",
            "s3cret",
            "\"s3cr\\\"s3cret\" # kept",
            "\"s3cret",
            "\"\"\"\ns3cret\"\"\"",
        ] {
            check(&format!(
                "[connection.authentication]\nprofile = \"kept\"\noauth-access-token = {value}\n"
            ));
            check(&format!("kept = 1\nconnection.authentication.basic-auth-password = {value}\n"));
            check(&format!(
                "kept = 1\n[connection]\nauthentication = {{ profile = \"p\", oauth-access-token = {value} }}\n"
            ));
            check(&format!("kept = 1\n[connection.authentication]\ntokn = {value}\n[source]\npath = 'x'\n"));
            check(&format!("kept = 1\n[connection.authentication]\noauth-access-token = [\n{value}\n]\n"));
            check(&format!("kept = 1\noauth-access-token = {value}\n"));
            check(&format!(
                "kept = 1\n[connection.authentication]\n\"oauth-access-token\" = {{ value = {value} }}\n"
            ));
        }
        check("[connection.authentication]\nscim-url = \"https://s3cr:s3cret@kept/scim\"\n");
        check("[connection.authentication]\nscim-url = \"https://kept/scim?token=s3cret\"\n");
        check("[connection.authentication]\nscim-url = \"https://kept/scim#s3cret\"\n");
        check("[source]\nbase-url = 'https://s3cr:s3cret@kept/v1?key=s3cret'\n");
        check("[connection.options]\nproxy = \"http://s3cr:s3cret@kept:3128\"\n");
        check("[connection.options]\nproxy-user = \"kept\"\nproxy-password = \"s3cret\"\n");
        check(
            "[connection.authentication]\noauth-access-token = \"\"\"s3cr\n é s3cret\n\"\"\"\nbasic-auth-user = \"kept\"\n",
        );
    }

    #[test]
    fn other_values_are_not_redacted() {
        let text = "[connection]\nname = \"a = b\"\n[connection.authentication]\nscim-url = \"http://h/scim\"\n\
                    oauth-access-token = { env = \"NAME\" }\nbasic-auth-password = { file = 'x' }\n\
                    client-key = { command = [\"pass\", \"show\"] }\nclient-certificate = \"c.pem\"\n\
                    [[rule]]\nfilter = 'id eq \"1\"'\n";
        assert_eq!(redacted(text), text);
    }
}
