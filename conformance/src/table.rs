//! TOML tables whose keys are the variants of enums.
//!
//! A table is read as groups, each of them an enum with one variant per key. A choice, such as the action of a step, is
//! a group of which a table holds one key.

use std::fmt::Display;
use std::marker::PhantomData;

use cli_support::suggest::did_you_mean_or_list;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::{Error as NoValue, MapAccessDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// The keys of one group that a table holds, in the order in which the enum declares them.
#[derive(Debug)]
pub(crate) struct Group<K>(Vec<(&'static str, K)>);

impl<K> Default for Group<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// A choice for which a table holds too many keys, or none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} {what}, found {}", found(.keys))]
pub struct ChoiceError {
    what: &'static str,
    expected: &'static str,
    keys: Vec<&'static str>,
}

/// A key that narrows another one, which the table lacks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` needs `{needs}`")]
pub struct Incomplete {
    key: &'static str,
    needs: &'static str,
}

fn found(keys: &[&str]) -> String {
    if keys.is_empty() { "none".to_owned() } else { keys.join(" and ") }
}

impl<K> Group<K> {
    /// Returns the only key of the group and its value; `what` names the choice.
    pub(crate) fn one(mut self, what: &'static str) -> Result<(&'static str, K), ChoiceError> {
        match (self.0.pop(), self.0.is_empty()) {
            (Some(entry), true) => Ok(entry),
            (last, _) => {
                let keys = self.0.into_iter().chain(last).map(|(key, _)| key).collect();
                Err(ChoiceError { what, expected: "exactly one", keys })
            }
        }
    }

    /// Returns the key of the group and its value, if the table holds any.
    pub(crate) fn at_most_one(self, what: &'static str) -> Result<Option<(&'static str, K)>, ChoiceError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        self.one(what).map(Some).map_err(|error| ChoiceError { expected: "at most one", ..error })
    }

    /// Returns the keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(key, _)| *key)
    }

    /// Converts each value.
    pub(crate) fn try_map<T, E>(
        self,
        mut convert: impl FnMut(&'static str, K) -> Result<T, E>,
    ) -> Result<Group<T>, E> {
        let convert = |(key, value)| Ok((key, convert(key, value)?));
        self.0.into_iter().map(convert).collect::<Result<_, E>>().map(Group)
    }

    /// Adds the keys of another group.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Checks that the table holds the key that another one narrows.
    pub(crate) fn require(&self, key: &'static str, needs: &'static str) -> Result<(), Incomplete> {
        if self.keys().any(|given| given == key) && !self.keys().any(|given| given == needs) {
            return Err(Incomplete { key, needs });
        }
        Ok(())
    }

    /// Returns the values.
    pub(crate) fn into_values(self) -> impl Iterator<Item = K> {
        self.0.into_iter().map(|(_, value)| value)
    }
}

/// The groups of a table.
pub(crate) trait Groups: Default {
    /// Returns the keys of all groups.
    fn keys() -> Vec<&'static str>;

    /// Reads the value of a key. Returns `false` if no group has the key.
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &'static str, map: &mut A) -> Result<bool, A::Error>;

    /// Returns the schemas of the enums.
    fn schemas(generator: &mut SchemaGenerator) -> Vec<Schema>;
}

impl<K: DeserializeOwned + JsonSchema> Groups for Group<K> {
    fn keys() -> Vec<&'static str> {
        variants::<K>().to_vec()
    }

    fn read<'de, A: MapAccess<'de>>(&mut self, key: &'static str, map: &mut A) -> Result<bool, A::Error> {
        let declared = variants::<K>();
        let position = |key: &str| declared.iter().position(|declared| *declared == key);
        if position(key).is_none() {
            return Ok(false);
        }
        let value = K::deserialize(MapAccessDeserializer::new(Entry { key: Some(key), map }))?;
        let at = self.0.partition_point(|(other, _)| position(other) < position(key));
        self.0.insert(at, (key, value));
        Ok(true)
    }

    fn schemas(generator: &mut SchemaGenerator) -> Vec<Schema> {
        vec![K::json_schema(generator)]
    }
}

macro_rules! groups {
    ($($group:ident)*) => {
        impl<$($group: Groups),*> Groups for ($($group,)*) {
            fn keys() -> Vec<&'static str> {
                [$($group::keys()),*].concat()
            }

            #[expect(non_snake_case, reason = "the type parameters name the fields")]
            fn read<'de, Map: MapAccess<'de>>(
                &mut self,
                key: &'static str,
                map: &mut Map,
            ) -> Result<bool, Map::Error> {
                let ($($group,)*) = self;
                Ok($($group.read(key, map)?)||*)
            }

            fn schemas(generator: &mut SchemaGenerator) -> Vec<Schema> {
                [$($group::schemas(generator)),*].concat()
            }
        }
    };
}

groups!(A B);
groups!(A B C);
groups!(A B C D);
groups!(A B C D E F G H);

/// A key of a table and its value, as a map of its own.
struct Entry<'a, A> {
    key: Option<&'static str>,
    map: &'a mut A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entry<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let key = self.key.take();
        key.map(|key| seed.deserialize(IntoDeserializer::<A::Error>::into_deserializer(key))).transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// Returns the names of an enum's variants.
fn variants<K: DeserializeOwned>() -> &'static [&'static str] {
    let mut variants: &'static [&'static str] = &[];
    // The deserializer has no value to give: what counts is what it is asked for.
    drop(K::deserialize(Variants(&mut variants)));
    variants
}

/// A deserializer that records the names of variants which an enum asks for.
struct Variants<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Variants<'_> {
    type Error = NoValue;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NoValue> {
        Err(NoValue::custom("expected an enum"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, NoValue> {
        *self.0 = variants;
        Err(NoValue::custom("the variants are known"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// A table: its keys, by group.
#[derive(Debug)]
pub(crate) struct Table<G>(pub(crate) G);

impl<G: Groups> Table<G> {
    /// Reads a table and converts it. An error of the conversion has the place of the table.
    pub(crate) fn read<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: TryFrom<Self, Error: Display>,
        D: Deserializer<'de>,
    {
        deserializer.deserialize_map(TableVisitor(PhantomData::<(G, T)>))
    }
}

/// Implements `Deserialize` for a type by its conversion from a table.
macro_rules! deserialize_from_table {
    ($type:ident, $table:ident) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $table::read(deserializer)
            }
        }
    };
}
pub(crate) use deserialize_from_table;

struct TableVisitor<G, T>(PhantomData<(G, T)>);

impl<'de, G: Groups, T: TryFrom<Table<G>, Error: Display>> Visitor<'de> for TableVisitor<G, T> {
    type Value = T;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let keys = G::keys();
        let mut groups = G::default();
        while let Some(key) = map.next_key_seed(Key(&keys))? {
            groups.read(key, &mut map)?;
        }
        T::try_from(Table(groups)).map_err(A::Error::custom)
    }
}

/// Reads a key of a table.
struct Key<'a>(&'a [&'static str]);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static str, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = &'static str;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<&'static str, E> {
        self.0
            .iter()
            .copied()
            .find(|known| *known == key)
            .ok_or_else(|| E::custom(format!("unknown field `{key}`{}", did_you_mean_or_list(key, self.0))))
    }
}

impl<G: Groups> JsonSchema for Table<G> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Table".into()
    }

    /// Returns an object with one optional property per key.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut properties = serde_json::Map::new();
        for schema in G::schemas(generator) {
            for variant in schema.get("oneOf").and_then(|variants| variants.as_array()).into_iter().flatten()
            {
                let described = variant.get("description");
                for (key, property) in variant["properties"].as_object().into_iter().flatten() {
                    let mut property = property.clone();
                    if let (Some(description), Some(property)) = (described, property.as_object_mut()) {
                        property.insert("description".to_owned(), description.clone());
                    }
                    properties.insert(key.clone(), property);
                }
            }
        }
        schemars::json_schema!({
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    enum Shape {
        /// A radius.
        Circle(u32),
        Square(u32),
    }

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    enum Paint {
        Colour(String),
        LineWidth(f64),
    }

    type Drawing = Table<(Group<Shape>, Group<Paint>)>;

    fn read(text: &str) -> Result<Drawing, toml::de::Error> {
        Drawing::read(toml::Deserializer::parse(text)?)
    }

    #[test]
    fn table_keys_are_grouped_in_the_order_of_declaration() {
        let text = "line-width = 0.5\nsquare = 2\ncolour = \"red\"\n";
        let Table((shapes, paints)) = read(text).expect("a drawing");
        assert_eq!(shapes.one("shape"), Ok(("square", Shape::Square(2))));
        let paints: Vec<_> = paints.into_values().collect();
        assert_eq!(paints, [Paint::Colour("red".to_owned()), Paint::LineWidth(0.5)]);
    }

    #[test]
    fn choice_with_two_keys_or_none_is_refused() {
        let shapes = |text: &str| read(text).expect("a drawing").0.0;
        let both = shapes("square = 1\ncircle = 1\n").one("shape").expect_err("two");
        assert_eq!(both.to_string(), "expected exactly one shape, found circle and square");
        let none = shapes("").one("shape").expect_err("none");
        assert_eq!(none.to_string(), "expected exactly one shape, found none");
        let both = shapes("square = 1\ncircle = 1\n").at_most_one("shape").expect_err("two");
        assert_eq!(both.to_string(), "expected at most one shape, found circle and square");
        assert_eq!(shapes("").at_most_one("shape"), Ok(None));
    }

    #[test]
    fn unknown_key_and_wrong_value_name_the_line_and_the_nearest_key() {
        let unknown = read("square = 1\ncolor = \"red\"\n").expect_err("a bad key");
        let unknown = unknown.to_string();
        assert!(unknown.contains("line 2, column 1"), "{unknown}");
        assert!(unknown.contains("unknown field `color`; did you mean `colour`?"), "{unknown}");
        let strange = read("zzz = 1\n").expect_err("a bad key").to_string();
        let expected = "unknown field `zzz`; expected `circle` or `square` or `colour` or `line-width`";
        assert!(strange.contains(expected), "{strange}");
        let wrong = read("square = \"x\"\n").expect_err("a bad value").to_string();
        assert!(wrong.contains("line 1, column 10"), "{wrong}");
    }

    #[test]
    fn table_schema_has_each_key_and_no_other() {
        let schema = schemars::schema_for!(Drawing);
        let properties = schema.get("properties").and_then(|keys| keys.as_object()).expect("properties");
        assert_eq!(properties.keys().collect::<Vec<_>>(), ["circle", "colour", "line-width", "square"]);
        assert_eq!(properties["circle"]["description"], "A radius.");
        assert_eq!(schema.get("additionalProperties"), Some(&false.into()));
    }
}
