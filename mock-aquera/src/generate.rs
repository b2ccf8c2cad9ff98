//! Made-up users, the same for the same seed, written as the JSON of a POST.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use scim::schema::{ENTERPRISE_URN, USER_URN};

const GIVEN: [&str; 16] = [
    "Ada", "Bruno", "Chiara", "Deniz", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Kaja", "Luis",
    "Mara", "Nils", "Oona", "Pavel",
];
const FAMILY: [&str; 16] = [
    "Adeyemi", "Brandt", "Costa", "Dogan", "Eriksen", "Fontaine", "Gupta", "Haddad", "Ito", "Jansen",
    "Kowalska", "Lindgren", "Moreau", "Novak", "Okafor", "Petrov",
];
const TITLES: [&str; 6] = ["Engineer", "Analyst", "Buyer", "Nurse", "Driver", "Accountant"];
const DEPARTMENTS: [&str; 5] = ["Operations", "Finance", "Sales", "Research", "Support"];
const LOCALES: [&str; 5] = ["en-GB", "de-DE", "fr-FR", "pt-PT", "ja-JP"];

/// Hands over `count` users, each with its position and the text of its body; about one in twenty is inactive.
pub(crate) fn write_users(seed: u64, count: usize, mut take: impl FnMut(usize, &[u8])) {
    let mut rng = StdRng::seed_from_u64(seed);
    for index in 0..count {
        take(index, user(&mut rng, index + 1).as_bytes());
    }
}

/// Every text here is plain ASCII without quotation marks, so it is JSON as it stands.
fn user(rng: &mut StdRng, number: usize) -> String {
    let mut pick = |list: &[&'static str]| list.choose(rng).copied().unwrap_or_default();
    let (given, family) = (pick(&GIVEN), pick(&FAMILY));
    let (title, department, locale) = (pick(&TITLES), pick(&DEPARTMENTS), pick(&LOCALES));
    let phone = rng.random_range(0..10_000);
    let active = rng.random_range(0..20) > 0;
    let address =
        format!("{}.{}.{number}@example.com", given.to_ascii_lowercase(), family.to_ascii_lowercase());
    format!(
        "{{\"schemas\":[\"{USER_URN}\",\"{ENTERPRISE_URN}\"],\"externalId\":\"ext-{number:07}\",\
         \"userName\":\"{address}\",\"name\":{{\"formatted\":\"{given} {family}\",\"familyName\":\"{family}\",\
         \"givenName\":\"{given}\"}},\"displayName\":\"{given} {family}\",\"title\":\"{title}\",\
         \"locale\":\"{locale}\",\"active\":{active},\"emails\":[{{\"value\":\"{address}\",\"type\":\"work\",\
         \"primary\":true}}],\"phoneNumbers\":[{{\"value\":\"+44 20 7946 {phone:04}\",\"type\":\"work\"}}],\
         \"{ENTERPRISE_URN}\":{{\"employeeNumber\":\"E{number:07}\",\"department\":\"{department}\"}}}}"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use scim::decode::DecodeOptions;
    use serde_json::Value;

    use super::*;
    use crate::types::Types;

    #[test]
    fn they_repeat_with_the_seed_and_pass_the_checks() {
        let of = |seed| {
            let mut all = Vec::new();
            write_users(seed, 200, |_, body| all.push(String::from_utf8(body.to_vec()).unwrap()));
            all
        };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        let options = DecodeOptions { refuse_unknown: true, ..DecodeOptions::default() };
        let types = Types::standard();
        for user in of(1) {
            types.get(0).reader.decode(user.as_bytes(), options).unwrap();
        }
        let names: BTreeSet<String> = of(1)
            .iter()
            .map(|user| serde_json::from_str::<Value>(user).unwrap()["userName"].to_string())
            .collect();
        assert_eq!(names.len(), 200);
    }
}
