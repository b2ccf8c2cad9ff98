//! The User schema (RFC 7643 §4.1, §8.7.1) and its enterprise extension (§4.3).

use super::{
    Attribute, AttributeType, ENTERPRISE_URN, Returned, Schema, USER_URN, Uniqueness,
    build::{complex, reference, text, typed},
};
use crate::name::Urn;

pub(super) fn user() -> Schema {
    let attributes = vec![
        text("userName", "The name under which the user signs in.").required().unique(Uniqueness::Server),
        complex(
            "name",
            "The parts of the user's real name.",
            vec![
                text("formatted", "The whole name, ready to be shown."),
                text("familyName", "The family name."),
                text("givenName", "The given name."),
                text("middleName", "The middle names."),
                text("honorificPrefix", "What stands before the name, such as Dr."),
                text("honorificSuffix", "What stands after the name, such as III."),
            ],
        ),
        text("displayName", "The name to show for the user."),
        text("nickName", "What the user is called in daily life."),
        reference("profileUrl", &["external"], "A page about the user."),
        text("title", "The user's title at work."),
        text("userType", "How the user belongs to the organisation, such as Contractor."),
        text("preferredLanguage", "The language the user prefers, as in Accept-Language."),
        text("locale", "The user's locale for dates, numbers and currency."),
        text("timezone", "The user's time zone, by its name in the tz database."),
        typed("active", AttributeType::Boolean, "Whether the user may use the service."),
        text("password", "The user's password, in clear; it can be set and never read.")
            .exact()
            .write_only()
            .returned(Returned::Never),
        plural("emails", "E-mail addresses.", text("value", "The address."), &["work", "home", "other"]),
        plural(
            "phoneNumbers",
            "Telephone numbers.",
            text("value", "The number."),
            &["work", "home", "mobile", "fax", "pager", "other"],
        ),
        plural(
            "ims",
            "Instant messaging addresses.",
            text("value", "The address."),
            &["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"],
        ),
        plural(
            "photos",
            "Pictures of the user.",
            reference("value", &["external"], "Where the picture is."),
            &["photo", "thumbnail"],
        ),
        addresses(),
        complex(
            "groups",
            "The groups that the user belongs to; they are changed at the group.",
            vec![
                text("value", "The group's id.").exact(),
                reference("$ref", &["User", "Group"], "The group's address."),
                text("display", "The group's name."),
                text("type", "How the user belongs to it.").suggests(&["direct", "indirect"]),
            ],
        )
        .many()
        .read_only(),
        plural("entitlements", "What the user is entitled to.", text("value", "The entitlement."), &[]),
        plural("roles", "The roles of the user.", text("value", "The role."), &[]),
        plural(
            "x509Certificates",
            "Certificates issued to the user.",
            typed("value", AttributeType::Binary, "The DER encoding in Base64.").exact(),
            &[],
        ),
    ];
    Schema::new(Urn::literal(USER_URN), "User", "A user account.", attributes)
}

/// Returns a multi-valued attribute with the sub-attributes of RFC 7643 §2.4.
fn plural(name: &str, description: &str, value: Attribute, types: &[&str]) -> Attribute {
    let subs = vec![
        value,
        text("display", "The value in a form to be shown."),
        text("type", "What the value is for.").suggests(types),
        primary(),
    ];
    complex(name, description, subs).many()
}

fn primary() -> Attribute {
    typed("primary", AttributeType::Boolean, "Whether this is the preferred value; at most one is.")
}

fn addresses() -> Attribute {
    complex(
        "addresses",
        "Postal addresses.",
        vec![
            text("formatted", "The whole address, ready to be printed."),
            text("streetAddress", "Street, number, flat."),
            text("locality", "The town or city."),
            text("region", "The state or region."),
            text("postalCode", "The postal code."),
            text("country", "The country, by its ISO 3166-1 alpha-2 code."),
            text("type", "What the address is for.").suggests(&["work", "home", "other"]),
            primary(),
        ],
    )
    .many()
}

pub(super) fn enterprise() -> Schema {
    let attributes = vec![
        text("employeeNumber", "The number that the organisation gave the user."),
        text("costCenter", "The cost centre."),
        text("organization", "The organisation."),
        text("division", "The division."),
        text("department", "The department."),
        complex(
            "manager",
            "The user's manager.",
            vec![
                text("value", "The manager's id.").exact(),
                reference("$ref", &["User"], "The manager's address."),
                text("displayName", "The manager's name, as the server knows it.").read_only(),
            ],
        ),
    ];
    Schema::new(Urn::literal(ENTERPRISE_URN), "EnterpriseUser", "A user within an organisation.", attributes)
}
