//! The common part of visitors of JSON that differ in arrays and objects.

/// The methods of a `Visitor` whose value is a JSON value, for everything that is neither an array nor an object.
macro_rules! visit_scalars {
    () => {
        fn visit_unit<E>(self) -> Result<::serde_json::Value, E> {
            Ok(::serde_json::Value::Null)
        }

        fn visit_bool<E>(self, value: bool) -> Result<::serde_json::Value, E> {
            Ok(::serde_json::Value::Bool(value))
        }

        fn visit_i64<E>(self, value: i64) -> Result<::serde_json::Value, E> {
            Ok(::serde_json::Value::from(value))
        }

        fn visit_u64<E>(self, value: u64) -> Result<::serde_json::Value, E> {
            Ok(::serde_json::Value::from(value))
        }

        fn visit_f64<E>(self, value: f64) -> Result<::serde_json::Value, E> {
            Ok(::serde_json::Number::from_f64(value)
                .map_or(::serde_json::Value::Null, ::serde_json::Value::Number))
        }

        fn visit_str<E>(self, value: &str) -> Result<::serde_json::Value, E> {
            Ok(::serde_json::Value::String(value.to_owned()))
        }

        fn visit_string<E>(self, value: String) -> Result<::serde_json::Value, E> {
            Ok(::serde_json::Value::String(value))
        }
    };
}

pub(crate) use visit_scalars;
