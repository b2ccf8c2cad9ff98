//! Made-up users to start with: the same ones for the same seed, no two with one `userName`.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use scim::schema::{ENTERPRISE_URN, USER_URN};
use serde_json::{Value, json};

const GIVEN: [&str; 16] = [
    "Amara", "Bo", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hana", "Ivo", "Jun", "Katya", "Lamin",
    "Mirela", "Nuno", "Oona", "Priya",
];
const FAMILY: [&str; 16] = [
    "Adeyemi", "Brandt", "Costa", "Dogan", "Eriksen", "Fontaine", "Gupta", "Haddad", "Ito", "Jansen",
    "Kowalska", "Lindgren", "Moreau", "Novak", "Okafor", "Petrov",
];
const TITLES: [&str; 6] = ["Engineer", "Analyst", "Buyer", "Nurse", "Driver", "Accountant"];
const DEPARTMENTS: [&str; 5] = ["Operations", "Finance", "Sales", "Research", "Support"];
const LOCALES: [&str; 5] = ["en-GB", "de-DE", "fr-FR", "pt-PT", "ja-JP"];

/// `count` users; about one in twenty is inactive.
pub(crate) fn generated_users(seed: u64, count: usize) -> impl Iterator<Item = Value> {
    let mut rng = StdRng::seed_from_u64(seed);
    (1..=count).map(move |number| user(&mut rng, number))
}

fn user(rng: &mut StdRng, number: usize) -> Value {
    let mut pick = |list: &[&'static str]| list.choose(rng).copied().unwrap_or_default();
    let (given, family) = (pick(&GIVEN), pick(&FAMILY));
    let (title, department, locale) = (pick(&TITLES), pick(&DEPARTMENTS), pick(&LOCALES));
    let address = format!("{}.{}.{number}@example.com", given.to_lowercase(), family.to_lowercase());
    json!({
        "schemas": [USER_URN, ENTERPRISE_URN],
        "userName": address,
        "name": {"givenName": given, "familyName": family, "formatted": format!("{given} {family}")},
        "displayName": format!("{given} {family}"),
        "title": title,
        "locale": locale,
        "emails": [{"value": address, "type": "work", "primary": true}],
        "phoneNumbers": [{"value": format!("+44 20 7946 {:04}", rng.random_range(0..10_000)), "type": "work"}],
        "active": rng.random_range(0..20) > 0,
        ENTERPRISE_URN: {"employeeNumber": format!("E{number:05}"), "department": department},
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn they_repeat_with_the_seed_and_pass_the_checks() {
        let of = |seed| generated_users(seed, 200).collect::<Vec<_>>();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        let users = of(1);
        assert!(users.iter().all(|user| crate::gateway::accept(user).is_ok()));
        let names: BTreeSet<_> = users.iter().map(|user| user["userName"].to_string()).collect();
        assert_eq!(names.len(), users.len());
    }
}
