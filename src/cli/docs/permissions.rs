//! The page on permissions: Keyhouse's own permissions, and those of the built-in roles.

use super::{Table, code, codes};
use crate::model::catalogue::OWN_CATALOGUE;
use crate::model::role::BuiltinRole;

const INTRODUCTION: &str = "\
# Permissions

[Permissions and requirements](requirements.md) explains patterns, requirements, and what a key is granted.
The permissions of your own APIs are in the catalogue of the instance: `/v1/permissions`, or Permissions
on the page.

## Keyhouse's own permissions

Only a pattern whose first segment is literally `keyhouse` grants these. `keyhouse:instance:*` needs the
first two segments literally, and is held by operators only.

";

const ROLES: &str = "
## Built-in roles

An organization can add roles of its own. `keyhouse:keys:create` is part of the role user while the
organization lets members create keys (`members_create_keys`).

";

pub(super) fn page() -> String {
    let mut permissions = Table::new(["permission", "allows"]);
    for own in OWN_CATALOGUE {
        permissions.row([&code(own.name), own.english]);
    }
    let mut roles = Table::new(["role", "patterns"]);
    for role in BuiltinRole::ALL {
        let held = role.patterns(true);
        let held = codes(held.texts(), ", ");
        roles.row([&code(role.name()), if held.is_empty() { "none" } else { &held }]);
    }
    format!("{INTRODUCTION}{}{ROLES}{}", permissions.text, roles.text)
}
