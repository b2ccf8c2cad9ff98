//! A configuration whose secrets cannot be read, for commands that send nothing.

use std::path::Path;

use toml_edit::{DocumentMut, Item, TableLike, value};

use super::{Config, ConfigError, read};

/// Stands in the place of a secret.
const UNREAD: &str = "unread";
/// The keys of a reference to a secret.
const REFERENCE: [&str; 3] = ["env", "file", "command"];
/// Options whose content is checked: without it they are left out.
const IDENTITY: [&str; 2] = ["client-certificate", "client-key"];

impl Config {
    /// Loads a configuration as [`Config::load`] does; secrets that cannot be read are left out ([`Config::has_secrets`]).
    ///
    /// # Errors
    ///
    /// As [`Config::load`], for anything but secrets.
    pub(crate) fn load_for_state(file: &Path) -> Result<Self, ConfigError> {
        Self::load(file).or_else(|error| {
            let text = read(file)?;
            let Some(text) = without_secrets(text.trim_start_matches('\u{feff}')) else { return Err(error) };
            match Self::parse(&text, file) {
                Ok(config) => Ok(Self { has_secrets: false, ..config }),
                Err(_) => Err(error),
            }
        })
    }
}

fn without_secrets(text: &str) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    replace(document.as_table_mut());
    Some(document.to_string())
}

fn replace(table: &mut dyn TableLike) {
    for option in IDENTITY {
        table.remove(option);
    }
    for (_, item) in table.iter_mut() {
        let is_reference = item
            .as_table_like()
            .is_some_and(|inner| inner.len() == 1 && inner.iter().all(|(key, _)| REFERENCE.contains(&key)));
        if is_reference {
            *item = value(UNREAD);
        } else if let Item::ArrayOfTables(tables) = item {
            tables.iter_mut().for_each(|table| replace(table));
        } else if let Some(inner) = item.as_table_like_mut() {
            replace(inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced_and_the_rest_stays() {
        let text = "[connection.authentication]\nscim-url = \"u\"\noauth-access-token = { file = \"x\" } # kept\n\
                    client-key = { env = \"K\" }\n[source.client-secret]\ncommand = [\"pass\"]\n[[rule]]\nname = \"r\"\n";
        let found = without_secrets(text).unwrap();
        assert!(
            found.contains("oauth-access-token = \"unread\"") && found.contains("name = \"r\""),
            "{found}"
        );
        assert!(found.contains("client-secret= \"unread\""), "{found}");
        assert!(!found.contains("client-key") && !found.contains("command"), "{found}");
        assert!(without_secrets("[").is_none());
    }
}
