//! The lines of the file behind its first one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::RestoreError;
use crate::store::content::Secret;
use crate::store::restore::Kept;
use crate::types::Types;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Line<'t> {
    Application(ApplicationLine),
    #[serde(borrow)]
    Resource(ResourceLine<'t>),
    End(EndLine),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ApplicationLine {
    pub(super) name: String,
    pub(super) seed: u64,
    pub(super) ids_drawn: u64,
    pub(super) freed_ids: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ResourceLine<'t> {
    #[serde(rename = "type")]
    of_type: Cow<'t, str>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    hidden: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    members: Vec<Cow<'t, str>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    names: BTreeMap<Cow<'t, str>, Cow<'t, str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    member_of: Vec<Cow<'t, str>>,
    #[serde(borrow)]
    document: &'t RawValue,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndLine {
    pub(super) resources: u64,
}

impl<'t> ResourceLine<'t> {
    pub(super) fn of(kept: &'t Kept, types: &'t Types) -> serde_json::Result<Self> {
        let ids = |ids: &'t [Arc<str>]| ids.iter().map(|id| Cow::from(&**id)).collect();
        Ok(Self {
            of_type: types.get(kept.kind).name().into(),
            hidden: kept.hidden,
            secret: kept.secret.map(hex),
            members: ids(&kept.members),
            names: kept.names.iter().map(|(id, name)| ((&**id).into(), (&**name).into())).collect(),
            member_of: ids(&kept.member_of),
            document: serde_json::from_slice(&kept.text)?,
        })
    }

    pub(super) fn kept(self, types: &Types) -> Result<Kept, RestoreError> {
        let ids = |ids: Vec<Cow<'_, str>>| ids.into_iter().map(Arc::from).collect();
        Ok(Kept {
            kind: types
                .named(&self.of_type)
                .ok_or_else(|| RestoreError::UnknownType(self.of_type.into_owned()))?,
            text: Bytes::copy_from_slice(self.document.get().as_bytes()),
            hidden: self.hidden,
            secret: self.secret.map(|text| digest(&text).ok_or(RestoreError::Secret)).transpose()?,
            members: ids(self.members),
            names: self.names.into_iter().map(|(id, name)| (Arc::from(id), Box::from(name))).collect(),
            member_of: ids(self.member_of),
        })
    }
}

fn digest(text: &str) -> Option<Secret> {
    let pairs =
        text.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).ok().filter(|pair| pair.len() == 2));
    let bytes = pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect::<Option<Vec<u8>>>();
    bytes?.try_into().ok()
}

fn hex(secret: Secret) -> String {
    secret.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
