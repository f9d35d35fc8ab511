//! Opens, walks through and closes every dialog by keyboard, and checks that the focus is restored.
//!
//! axe-core and the screenshots use this table too.

use crate::page::Page;
use crate::screens::{self, furnished};
use crate::test_server::{EMAIL, PASSWORD, TestServer};
use crate::{create, key_screens};

/// A dialog. `place` opens the view with the button; `opener` names the button. With `entry`, the button
/// opens a menu, and `entry` is the key of the entry's text.
pub(crate) struct Dialog {
    /// The name of the dialog's screenshot.
    pub(crate) name: &'static str,
    place: fn(&Page, &TestServer),
    opener: fn(&Page) -> String,
    entry: Option<&'static str>,
}

const fn dialog(
    name: &'static str,
    place: fn(&Page, &TestServer),
    opener: fn(&Page) -> String,
) -> Dialog {
    Dialog { name, place, opener, entry: None }
}

/// A dialog of an entry of a menu.
const fn chosen(
    name: &'static str,
    place: fn(&Page, &TestServer),
    opener: fn(&Page) -> String,
    entry: &'static str,
) -> Dialog {
    Dialog { name, place, opener, entry: Some(entry) }
}

/// Screens of the owner of an instance with data.
pub(crate) const DIALOGS: &[Dialog] = &[
    dialog("share-selected", screens::keys_selected, |page| page.t("keys.share_selected")),
    dialog("extend-selected", screens::keys_selected, |page| page.t("keys.extend_selected")),
    dialog("revoke-selected", screens::keys_selected, |page| page.t("keys.revoke_selected")),
    dialog("save-template", create::new_key, |page| page.t("new_key.save_template")),
    dialog("rotate", key_screens::key, |page| page.t("rotate.button")),
    dialog("test-access", key_screens::key, |page| page.t("explain.title")),
    chosen(
        "disable-key",
        key_screens::key,
        |page| actions_of(page, "diagram exporter"),
        "key.disable",
    ),
    chosen(
        "revoke-key",
        key_screens::key,
        |page| actions_of(page, "diagram exporter"),
        "key.revoke",
    ),
    chosen(
        "revoke-key-that-created",
        key_screens::key_that_created,
        |page| actions_of(page, "deploy robot"),
        "key.revoke",
    ),
    dialog("edit-permissions", key_screens::key_access, |page| page.t("key.edit_permissions")),
    dialog("edit-networks", key_screens::key_access, |page| page.t("key.edit_networks")),
    dialog("edit-limits", key_screens::key_access, |page| page.t("key.edit_limits")),
    dialog("edit-description", key_screens::key, |page| page.t("key.add_description")),
    dialog("change-expiry", key_screens::key, |page| page.t("key.change_expiry")),
    dialog("invite", screens::people, |page| page.t("people.invite")),
    dialog("remove-person", screens::person, |page| page.t("person.remove_button")),
    dialog("disable-person", screens::person, |page| page.t("person.disable_button")),
    dialog("change-address", screens::person, |page| page.t("person.email_button")),
    dialog("end-sessions", screens::person, |page| page.t("sessions.end_all")),
    dialog("lift-lockout", screens::people_locked_out, |page| {
        page.t_with("lockouts.lift_one", &[("name", "grace@example.com")])
    }),
    dialog("reset-link", screens::person, |page| page.t("person.reset_create")),
    dialog("new-team", screens::teams, |page| page.t("teams.new")),
    dialog("edit-team", screens::team, |page| page.t("team.edit")),
    dialog("remove-team", screens::team, |page| page.t("team.remove")),
    dialog("new-role", screens::roles, |page| page.t("roles.new")),
    dialog("edit-role", screens::role, |page| page.t("role.edit")),
    dialog("remove-role", screens::role, |page| page.t("role.remove")),
    dialog("new-permission", screens::permissions, |page| page.t("permissions.new")),
    dialog("check-audit", screens::audit, |page| page.t("audit_log.check")),
    dialog("export-audit", screens::audit, |page| page.t("audit_log.export_button")),
    dialog("new-organization", screens::organizations, |page| page.t("organizations.new")),
    dialog("change-subscription", screens::one_organization, |page| {
        page.t("one_organization.change_subscription")
    }),
    dialog("change-ceiling", screens::one_organization, |page| {
        page.t("one_organization.change_maximum")
    }),
    dialog("change-domains", screens::acme, |page| page.t("one_organization.change_domains")),
    dialog("suspend", screens::one_organization, |page| page.t("one_organization.suspend")),
    dialog("edit-plan", screens::plans, |page| {
        page.t_with("plans.edit_one", &[("plan", &page.t("plans.name_free"))])
    }),
    dialog("new-gate", screens::gates, |page| page.t("gates.new")),
    dialog("new-route", screens::gate, |page| page.t("gate.add_route")),
    dialog("edit-route", screens::gate, |page| of_route(page, "actions.edit")),
    dialog("remove-route", screens::gate, |page| of_route(page, "actions.remove")),
    dialog("edit-gate", screens::gate, |page| page.t("gate.edit")),
    dialog("remove-gate", screens::gate, |page| page.t("gate.remove")),
    dialog("turn-on-totp", screens::profile, |page| page.t("totp.turn_on")),
    dialog("change-own-address", screens::profile, |page| page.t("profile.change_email")),
];

/// The button that opens the menu of a key.
fn actions_of(page: &Page, key: &str) -> String {
    page.t_with("keys.actions_of", &[("name", key)])
}

/// The button with this action for the first route of the gate.
fn of_route(page: &Page, action: &str) -> String {
    let route = page.t_with("gate.named", &[("methods", "GET"), ("place", "/orders/{id}")]);
    page.t_with("gate.of", &[("action", &page.t(action)), ("route", &route)])
}

impl Dialog {
    /// Opens the dialog with the keyboard.
    pub(crate) fn open(&self, page: &Page, instance: &TestServer) {
        (self.place)(page, instance);
        page.focus("button", &(self.opener)(page));
        page.press(&["Enter"]);
        if let Some(entry) = self.entry {
            page.focus("button", &page.t(entry));
            page.press(&["Enter"]);
        }
        page.dialog();
    }
}

#[test]
fn dialogs_work_by_keyboard_and_restore_the_focus() {
    let instance = furnished();
    let page = Page::open(&instance, "en");
    page.go("/#/teams");
    page.sign_in(EMAIL, PASSWORD);
    for dialog in DIALOGS {
        page.follow("about:blank");
        dialog.open(&page, &instance);
        let name = dialog.name;
        assert_eq!(where_focus_is(&page), "inside", "{name}: not in the dialog that opened");
        // Enough presses to reach the first element again, forward and backward. The browser's own
        // bar follows the last element.
        for chord in ["Tab", "Shift+Tab"] {
            for step in 0..12 {
                page.press(&[chord]);
                let at = where_focus_is(&page);
                assert_ne!(at, "outside", "{name}: {chord} {step} leaves the dialog");
            }
        }
        page.press(&["Escape"]);
        page.no_dialog();
        page.see_focus("button", &(dialog.opener)(&page));
    }
    page.finish();
}

fn where_focus_is(page: &Page) -> String {
    let asked = "document.activeElement.closest('dialog') ? 'inside' : \
                 document.activeElement === document.body ? 'browser' : 'outside'";
    page.evaluate(asked).as_str().unwrap().to_owned()
}
