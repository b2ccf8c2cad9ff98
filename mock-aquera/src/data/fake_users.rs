//! Fake users, the same for the same seed.

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use scim::schema::{ENTERPRISE_URN, USER_URN};

use super::FillError;
use crate::gateway::{Settings, resource};
use crate::problem::Problem;
use crate::store::Store;
use crate::types::{Role, TypeId};

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

/// Which users are generated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FakeUsers {
    /// The resource type of users.
    pub(crate) of_type: TypeId,
    pub(crate) seed: u64,
    pub(crate) count: usize,
}

impl FakeUsers {
    /// Adds the users to a store, each as a POST would, with all its checks.
    pub(super) fn add_to(
        self,
        settings: &Settings,
        store: &mut Store,
        now: Timestamp,
    ) -> Result<(), FillError> {
        for (index, body) in bodies(self.seed).take(self.count).enumerate() {
            create(settings, store, self.of_type, body.as_bytes(), now)
                .map_err(|problem| FillError::FakeUser { index, problem })?;
        }
        Ok(())
    }
}

/// Adds a resource as a POST would, with all its checks.
pub(crate) fn create(
    settings: &Settings,
    store: &mut Store,
    of_type: TypeId,
    body: &[u8],
    now: Timestamp,
) -> Result<(), Problem> {
    let kind = settings.types.get(of_type);
    let taken = resource::take(settings, kind, body).map_err(|refusal| refusal.problem)?;
    let mut content = taken.content;
    if kind.role == Role::User && content.active.is_none() {
        content.add_flag("active", true);
    }
    if let Some(path) = store.taken(of_type, &content.keys, None) {
        let path = path.to_owned();
        let value = content.keys.iter().find_map(|key| {
            let indexed = kind.indexed.get(usize::from(key.index))?;
            (indexed.text == path).then(|| key.text.to_string())
        });
        return Err(Problem::Taken { path, value: value.unwrap_or_default() });
    }
    let id = store.new_id();
    store.insert(of_type, id, content, now);
    Ok(())
}

/// The users' bodies as JSON, without an end; about one in twenty is inactive.
fn bodies(seed: u64) -> impl Iterator<Item = String> {
    let mut rng = StdRng::seed_from_u64(seed);
    (1..).map(move |number| user(&mut rng, number))
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
    fn fake_users_repeat_with_the_seed_and_are_valid() {
        let of = |seed| bodies(seed).take(200).collect::<Vec<_>>();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        let options = DecodeOptions { refuse_unknown: true, ..DecodeOptions::default() };
        let types = Types::standard();
        for user in of(1) {
            types.get(types.of_role(Role::User).unwrap()).reader.decode(user.as_bytes(), options).unwrap();
        }
        let names: BTreeSet<String> = of(1)
            .iter()
            .map(|user| serde_json::from_str::<Value>(user).unwrap()["userName"].to_string())
            .collect();
        assert_eq!(names.len(), 200);
    }
}
