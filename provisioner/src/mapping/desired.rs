//! The values that the target should carry for one user.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::TargetPath;
use crate::ids::UserName;

/// The attributes that the target should carry, `active` excluded; always with a user name. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired(Arc<Wanted>);

#[derive(Debug, PartialEq)]
struct Wanted {
    user_name: UserName,
    values: BTreeMap<TargetPath, Value>,
}

impl Desired {
    /// Creates the wanted values, or returns `None` if there is no user name among them.
    pub(crate) fn new(values: BTreeMap<TargetPath, Value>) -> Option<Self> {
        let user_name = values.get(&TargetPath::user_name())?.as_str()?;
        Some(Self(Arc::new(Wanted { user_name: user_name.parse().ok()?, values })))
    }

    /// Creates the wanted values of a user of whom only the name matters.
    pub(crate) fn only_user_name(name: &UserName) -> Self {
        let values = BTreeMap::from([(TargetPath::user_name(), Value::from(name.as_str()))]);
        Self(Arc::new(Wanted { user_name: name.clone(), values }))
    }

    /// Returns the user name at the target.
    pub fn user_name(&self) -> UserName {
        self.0.user_name.clone()
    }

    /// Returns the `externalId` at the target, if it is a text.
    pub(crate) fn external_id(&self) -> Option<&str> {
        self.get(&TargetPath::external_id())?.as_str()
    }

    /// Returns the value of one path.
    pub fn get(&self, path: &TargetPath) -> Option<&Value> {
        self.0.values.get(path)
    }

    /// Returns a JSON object from path to value, in the order of the paths.
    pub(crate) fn to_json(&self) -> String {
        let member =
            |(path, value): (&TargetPath, &Value)| format!("{}:{value}", Value::from(path.to_string()));
        format!("{{{}}}", self.0.values.iter().map(member).collect::<Vec<_>>().join(","))
    }

    /// Returns every path with its value, in the order of the paths.
    pub fn iter(&self) -> impl Iterator<Item = (&TargetPath, &Value)> {
        self.0.values.iter()
    }
}
