//! Made-up users in the shape of PingOne's, for runs with many of them.
//!
//! The same count and seed give the same users. Names come from several scripts; about three in a hundred are
//! disabled; every attribute that the default mappings read occurs.

use std::io::{self, Write};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};

/// Given name, family name, the latin spelling of both for addresses, and a locale.
const PEOPLE: [(&str, &str, &str, &str, &str); 16] = [
    ("Astrid", "Lindqvist", "astrid", "lindqvist", "sv-SE"),
    ("Søren", "Ægidius", "soren", "aegidius", "da-DK"),
    ("Łucja", "Wójcik", "lucja", "wojcik", "pl-PL"),
    ("Ελένη", "Παππά", "eleni", "pappa", "el-GR"),
    ("Олена", "Шевчук", "olena", "shevchuk", "uk-UA"),
    ("美咲", "佐藤", "misaki", "sato", "ja-JP"),
    ("伟", "王", "wei", "wang", "zh-CN"),
    ("지우", "김", "jiwoo", "kim", "ko-KR"),
    ("ليلى", "حداد", "layla", "haddad", "ar-LB"),
    ("נועה", "לוי", "noa", "levi", "he-IL"),
    ("अनन्या", "शर्मा", "ananya", "sharma", "hi-IN"),
    ("สมชาย", "ใจดี", "somchai", "jaidee", "th-TH"),
    ("Siobhán", "O'Connor", "siobhan", "oconnor", "en-IE"),
    ("María José", "Núñez de la Cruz", "mariajose", "nunez", "es-MX"),
    ("Nguyễn", "Thị Hương", "nguyen", "huong", "vi-VN"),
    ("Zoë", "van der Berg", "zoe", "vanderberg", "nl-NL"),
];

const TITLES: [&str; 8] = [
    "Engineer",
    "Accountant",
    "Warehouse Lead",
    "Nurse",
    "Vice President, Sales",
    "Teacher \"Year 3\"",
    "R&D Chemist",
    "Driver",
];

const CITIES: [(&str, &str, &str, &str, &str); 6] = [
    ("Göteborg", "Västra Götaland", "411 03", "SE", "Europe/Stockholm"),
    ("Louisville", "KY", "40202", "US", "America/Kentucky/Louisville"),
    ("横浜市", "神奈川県", "220-0012", "JP", "Asia/Tokyo"),
    ("Αθήνα", "Αττική", "105 57", "GR", "Europe/Athens"),
    ("Ciudad de México", "CDMX", "06000", "MX", "America/Mexico_City"),
    ("Bengaluru", "Karnataka", "560001", "IN", "Asia/Kolkata"),
];

/// Writes `count` users, one JSON object a line.
///
/// # Errors
/// Those of the writer.
pub fn write(out: &mut impl Write, count: u64, seed: u64) -> io::Result<()> {
    let mut random = StdRng::seed_from_u64(seed);
    for number in 0..count {
        serde_json::to_writer(&mut *out, &user(number, &mut random))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn pick<'a, T>(random: &mut StdRng, from: &'a [T]) -> &'a T {
    &from[random.random_range(0..from.len())]
}

fn id(random: &mut StdRng) -> String {
    let [high, low]: [u64; 2] = [random.random(), random.random()];
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | ((low >> 48) & 0x3fff),
        low & 0xffff_ffff_ffff
    )
}

fn user(number: u64, random: &mut StdRng) -> Value {
    let (given, family, latin_given, latin_family, locale) = *pick(random, &PEOPLE);
    let (city, region, postal_code, country, zone) = *pick(random, &CITIES);
    let address = format!("{latin_given}.{latin_family}.{number}@example.com");
    let population = if random.random_range(0..100) < 85 { "employees" } else { "contractors" };
    let mut name = json!({ "given": given, "family": family, "formatted": format!("{given} {family}") });
    let mut optional = Map::new();
    let mut maybe = |chance: u32, key: &str, value: Value, random: &mut StdRng| {
        if random.random_range(0..100) < chance {
            optional.insert(key.to_owned(), value);
        }
    };
    maybe(30, "nickname", json!(given.chars().take(3).collect::<String>()), random);
    maybe(60, "mobilePhone", json!(format!("+46 70 {:07}", random.random_range(0..10_000_000))), random);
    maybe(40, "primaryPhone", json!(format!("+1 502 555 {:04}", random.random_range(0..10_000))), random);
    maybe(80, "title", json!(pick(random, &TITLES)), random);
    maybe(50, "type", json!(if population == "employees" { "Employee" } else { "Contractor" }), random);
    maybe(70, "locale", json!(locale), random);
    maybe(50, "preferredLanguage", json!(locale.split('-').next()), random);
    maybe(60, "timezone", json!(zone), random);
    maybe(20, "photo", json!({ "href": format!("https://photos.example.com/{number}.jpg") }), random);
    let street = format!("{} Main Street", random.random_range(1..400));
    maybe(
        60,
        "address",
        json!({ "streetAddress": street, "locality": city, "region": region,
                "postalCode": postal_code, "countryCode": country }),
        random,
    );
    for (chance, key, value) in
        [(15, "middle", "Maria"), (10, "honorificPrefix", "Dr."), (5, "honorificSuffix", "Jr.")]
    {
        if random.random_range(0..100) < chance {
            name[key] = json!(value);
        }
    }
    let mut user = json!({
        "id": id(random),
        "environment": { "id": "0b1a5f5e-7a3c-4b7e-9f43-6a1d2c3e4f50" },
        "population": { "id": population },
        "username": address,
        "email": address,
        "enabled": random.random_range(0..100) >= 3,
        "name": name,
        "lifecycle": { "status": "ACCOUNT_OK" },
        "mfaEnabled": false,
        "createdAt": "2026-01-15T08:30:00.000Z",
        "updatedAt": "2026-01-15T08:30:00.000Z",
    });
    if let Some(object) = user.as_object_mut() {
        object.append(&mut optional);
    }
    user
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn users(count: u64, seed: u64) -> Vec<Value> {
        let mut out = Vec::new();
        write(&mut out, count, seed).expect("a vector takes everything");
        String::from_utf8(out)
            .expect("UTF-8")
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_users() {
        assert_eq!(users(50, 7), users(50, 7));
        assert_ne!(users(50, 7), users(50, 8));
    }

    #[test]
    fn ids_and_names_are_unique_and_some_are_disabled() {
        let users = users(3_000, 1);
        let unique =
            |key: &str| users.iter().map(|user| user[key].to_string()).collect::<BTreeSet<_>>().len();
        assert_eq!((unique("id"), unique("username")), (3_000, 3_000));
        let disabled = users.iter().filter(|user| user["enabled"] == false).count();
        assert!((45..=150).contains(&disabled), "about three in a hundred, not {disabled}");
        let contractors = users.iter().filter(|user| user["population"]["id"] == "contractors").count();
        assert!((300..=600).contains(&contractors), "{contractors}");
        for path in ["/nickname", "/photo/href", "/address/countryCode", "/name/honorificSuffix", "/timezone"]
        {
            assert!(users.iter().any(|user| user.pointer(path).is_some()), "{path} occurs");
        }
    }
}
