//! What the target should carry for one user.

use std::collections::BTreeMap;

use serde_json::Value;

use super::TargetPath;
use crate::ids::UserName;

/// The attributes that the target should carry, `active` excluded; always with a user name.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    user_name: UserName,
    values: BTreeMap<TargetPath, Value>,
}

impl Desired {
    /// The values, unless there is no user name among them.
    pub(crate) fn new(values: BTreeMap<TargetPath, Value>) -> Option<Self> {
        let user_name = values.get(&TargetPath::new(None, "userName", None, None))?.as_str()?;
        Some(Self { user_name: user_name.parse().ok()?, values })
    }

    /// A user of whom nothing but the name is wanted.
    pub(crate) fn only_user_name(name: &UserName) -> Self {
        let values = BTreeMap::from([(TargetPath::user_name(), Value::from(name.as_str()))]);
        Self { user_name: name.clone(), values }
    }

    /// The user name at the target.
    pub fn user_name(&self) -> UserName {
        self.user_name.clone()
    }

    /// The `externalId` at the target, where it is a text.
    pub(crate) fn external_id(&self) -> Option<&str> {
        self.get(&TargetPath::external_id())?.as_str()
    }

    /// The value of one path.
    pub fn get(&self, path: &TargetPath) -> Option<&Value> {
        self.values.get(path)
    }

    /// A JSON object from path to value, in the order of the paths.
    pub(crate) fn to_json(&self) -> String {
        let member =
            |(path, value): (&TargetPath, &Value)| format!("{}:{value}", Value::from(path.to_string()));
        format!("{{{}}}", self.values.iter().map(member).collect::<Vec<_>>().join(","))
    }

    /// Every path with its value, in the order of the paths.
    pub fn iter(&self) -> impl Iterator<Item = (&TargetPath, &Value)> {
        self.values.iter()
    }
}
