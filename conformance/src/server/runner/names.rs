//! What the names and bodies of a step stand for.

use serde_json::Value;

use crate::case::step::Body;
use crate::case::template::{Place, Property, Unfilled, Values as _};
use crate::json::get;
use crate::server::bindings::Known;
use crate::server::blank::name_schemas;
use crate::server::discovery::{ResourceType, merge};
use crate::server::fit::clears_what_is_required;
use crate::server::runner::{End, Player};

impl Player<'_> {
    pub(super) fn body(&self, body: &Body, name: Option<&str>) -> Result<Option<String>, End> {
        Ok(match body {
            Body::None | Body::Bytes(_) => None,
            Body::Json(json) | Body::Operations(json, _) => Some(json.fill(&self.bindings)?.to_string()),
            Body::Text(text) => Some(text.fill(&self.bindings)?),
            Body::With(with) => {
                let seen = name.and_then(|name| self.bindings.known(name));
                let mut body = seen.map(Known::to_send).unwrap_or_default();
                let mut with = with.fill(&self.bindings)?;
                if let Some(known) = name.and_then(|name| self.type_of(name)) {
                    if let Some(required) = clears_what_is_required(&self.context.facts, known, &with) {
                        return Err(End::Skipped(format!(
                            "it could not be tried: it clears {required}, which the server's schema requires"
                        )));
                    }
                    self.bindings.fitted(known, |fit| fit.body(&mut with));
                }
                merge(&mut body, &with);
                // What a client sends names its schemas, whatever the answer showed; or a case leaves them out on purpose.
                if let Some(known) = name.and_then(|name| self.type_of(name))
                    && get(&with, "schemas").is_none()
                {
                    name_schemas(&mut body, known);
                }
                Some(body.to_string())
            }
        })
    }

    pub(super) fn path(&self, name: &str) -> Result<String, End> {
        let place = Place::Of(name.to_owned(), Property::Path);
        match self.bindings.value(&place) {
            Some(Value::String(path)) => Ok(path),
            _ => Err(Unfilled(place).into()),
        }
    }

    /// Returns the endpoint of the resource that is at a path, or an address.
    pub(super) fn endpoint_above(&self, path: &str) -> Option<String> {
        let below = self.context.client.below(path);
        let (endpoint, _) = below.as_deref().unwrap_or(path).rsplit_once('/')?;
        let types = &self.context.facts.resource_types;
        types.iter().any(|known| known.endpoint == endpoint).then(|| endpoint.to_owned())
    }

    /// Returns the endpoint that a name's path is below.
    pub(super) fn endpoint(&self, name: &str) -> Option<String> {
        let path = self.bindings.known(name)?.path.as_deref()?;
        path.rsplit_once('/').map(|(endpoint, _)| endpoint.to_owned())
    }

    /// Returns the resource type of a name.
    pub(super) fn type_of(&self, name: &str) -> Option<&ResourceType> {
        let endpoint = self.endpoint(name)?;
        self.context.facts.resource_types.iter().find(|known| known.endpoint == endpoint)
    }

    pub(super) fn type_path(&self, resource_type: &str) -> Result<String, End> {
        let known = self.context.facts.resource_type(resource_type);
        known
            .map(|known| known.endpoint.clone())
            .ok_or_else(|| End::NotAdvertised(format!("no resource type is called {resource_type}")))
    }
}
