//! How each built-in profile of the mock behaves, copied by hand from the table of the outer face.

/// What becomes of a PATCH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchWay {
    /// It is passed on.
    Works,
    /// The gateway answers this status and passes nothing on.
    Refused(u16),
    /// The gateway answers 2xx and passes nothing on.
    Swallowed,
    /// It is passed on and carried out, and the answer is a SCIM 404.
    AppliedThenNotFound,
}

/// What becomes of a PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutWay {
    /// It is passed on.
    Works,
    /// The gateway answers a 404 that is not SCIM.
    HtmlNotFound,
}

/// What becomes of a DELETE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteWay {
    /// The account is gone.
    Works,
    /// The gateway answers 405.
    Refused,
    /// Answered 204; the account stays, inactive.
    Deactivates,
}

/// One profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behaviour {
    /// Its name at the mock.
    pub name: &'static str,
    /// What ServiceProviderConfig says of PATCH.
    pub advertises_patch: bool,
    /// PATCH.
    pub patch: PatchWay,
    /// PUT.
    pub put: PutWay,
    /// DELETE.
    pub delete: DeleteWay,
    /// Whether the application behind the gateway takes partial updates.
    pub partial_update: bool,
    /// Whether a change to `active: false` deletes the account.
    pub disable_deletes: bool,
}

const AQUERA: Behaviour = Behaviour {
    name: "aquera",
    advertises_patch: true,
    patch: PatchWay::Works,
    put: PutWay::Works,
    delete: DeleteWay::Works,
    partial_update: true,
    disable_deletes: false,
};

const BUILTINS: [Behaviour; 13] = [
    AQUERA,
    Behaviour { name: "no-partial-update", advertises_patch: false, partial_update: false, ..AQUERA },
    Behaviour { name: "patch-405", advertises_patch: false, patch: PatchWay::Refused(405), ..AQUERA },
    Behaviour { name: "patch-501", advertises_patch: false, patch: PatchWay::Refused(501), ..AQUERA },
    Behaviour { name: "patch-400", patch: PatchWay::Refused(400), ..AQUERA },
    Behaviour { name: "patch-ignored-200", patch: PatchWay::Swallowed, ..AQUERA },
    Behaviour { name: "patch-ignored-204", patch: PatchWay::Swallowed, ..AQUERA },
    Behaviour { name: "patch-lies-200", patch: PatchWay::Swallowed, ..AQUERA },
    Behaviour { name: "patch-then-404", patch: PatchWay::AppliedThenNotFound, ..AQUERA },
    Behaviour { name: "no-put", put: PutWay::HtmlNotFound, ..AQUERA },
    Behaviour { name: "no-delete", delete: DeleteWay::Refused, ..AQUERA },
    Behaviour { name: "delete-deactivates", delete: DeleteWay::Deactivates, ..AQUERA },
    Behaviour { name: "disable-deletes", disable_deletes: true, ..AQUERA },
];

/// Every built-in profile.
pub fn builtins() -> &'static [Behaviour] {
    &BUILTINS
}

/// The built-in profile of this name.
pub fn builtin(name: &str) -> Option<Behaviour> {
    BUILTINS.iter().copied().find(|behaviour| behaviour.name == name)
}
