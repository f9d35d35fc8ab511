//! Follows the vendors' public guides for API keys by their labels, in English, French and Spanish.
//!
//! The labels are literal texts, not keys of `web/locales`, because a person reads them in the guide and
//! searches for them on the page.

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::page::Page;
use crate::test_server::{EMAIL, PASSWORD, TestServer};
use crate::texts::LANGUAGES;

const SUPPORT: &str = "https://support.example.com/keys";

/// The labels of one guide that creates a key: menu, entry, button, fields, button. The guide ends with the support.
struct Creation {
    language: &'static str,
    menu: &'static str,
    entry: &'static str,
    create: &'static str,
    name: &'static str,
    permissions: &'static str,
    teams: &'static str,
    save: &'static str,
    copy: &'static str,
    support: &'static str,
}

/// Cloudcraft's guides. Its French guide keeps the English labels, so the page shows their usual
/// translation.
const CREATIONS: [Creation; 3] = [
    Creation {
        language: "en",
        menu: "User",
        entry: "API keys",
        create: "Create API key",
        name: "Name",
        permissions: "Permissions",
        teams: "Teams",
        save: "Save key",
        copy: "Copy the secret",
        support: "Support",
    },
    Creation {
        language: "fr",
        menu: "Utilisateur",
        entry: "Clés d’API",
        create: "Générer une clé d’API",
        name: "Nom",
        permissions: "Autorisations",
        teams: "Équipes",
        save: "Générer",
        copy: "Copier le secret",
        support: "Assistance",
    },
    Creation {
        language: "es",
        menu: "Usuario",
        entry: "Claves de API",
        create: "Crear clave de API",
        name: "Nombre",
        permissions: "Permisos",
        teams: "Equipos",
        save: "Guardar clave",
        copy: "Copiar el secreto",
        support: "Soporte",
    },
];

/// The labels of the guide that generates, renames and revokes a key.
struct Management {
    language: &'static str,
    menu: &'static str,
    profile: &'static str,
    credentials: &'static str,
    keys: &'static str,
    copy_url: &'static str,
    generate: &'static str,
    name: &'static str,
    save: &'static str,
    show: &'static str,
    copy: &'static str,
    rename: &'static str,
    revoke: &'static str,
    confirm: &'static str,
    revoked: &'static str,
}

/// The other vendor's guide. It exists in French; the other languages have the equivalent labels.
const MANAGEMENTS: [Management; 3] = [
    Management {
        language: "en",
        menu: "User",
        profile: "My profile",
        credentials: "API credentials",
        keys: "API keys",
        copy_url: "Copy the API URL",
        generate: "Create API key",
        name: "Name",
        save: "Save key",
        show: "Show the secret",
        copy: "Copy the secret",
        rename: "Rename API key",
        revoke: "Revoke API key",
        confirm: "Revoke key",
        revoked: "Revoked",
    },
    Management {
        language: "fr",
        menu: "Utilisateur",
        profile: "Mon profil",
        credentials: "Identifiants d’API",
        keys: "Clés d’API",
        copy_url: "Copier l’URL de l’API",
        generate: "Générer une clé d’API",
        name: "Nom",
        save: "Générer",
        show: "Afficher le secret",
        copy: "Copier le secret",
        rename: "Modification de la clé d’API",
        revoke: "Révoquer la clé d’API",
        confirm: "Révoquer",
        revoked: "Révoquée",
    },
    Management {
        language: "es",
        menu: "Usuario",
        profile: "Mi perfil",
        credentials: "Credenciales de API",
        keys: "Claves de API",
        copy_url: "Copiar la URL de la API",
        generate: "Crear clave de API",
        name: "Nombre",
        save: "Guardar clave",
        show: "Mostrar el secreto",
        copy: "Copiar el secreto",
        rename: "Cambiar el nombre de la clave de API",
        revoke: "Revocar la clave de API",
        confirm: "Revocar la clave",
        revoked: "Revocada",
    },
];

#[test]
fn cloudcraft_guide_creates_a_key_in_english() {
    create_by(&CREATIONS[0]);
}

#[test]
fn cloudcraft_guide_creates_a_key_in_french() {
    create_by(&CREATIONS[1]);
}

#[test]
fn cloudcraft_guide_creates_a_key_in_spanish() {
    create_by(&CREATIONS[2]);
}

#[test]
fn cloudmc_guide_generates_renames_and_revokes_a_key_in_english() {
    manage_by(&MANAGEMENTS[0]);
}

#[test]
fn cloudmc_guide_generates_renames_and_revokes_a_key_in_french() {
    manage_by(&MANAGEMENTS[1]);
}

#[test]
fn cloudmc_guide_generates_renames_and_revokes_a_key_in_spanish() {
    manage_by(&MANAGEMENTS[2]);
}

#[test]
fn both_guides_are_followed_in_each_language() {
    assert_eq!(CREATIONS.map(|guide| guide.language), LANGUAGES);
    assert_eq!(MANAGEMENTS.map(|guide| guide.language), LANGUAGES);
}

fn create_by(guide: &Creation) {
    let instance = TestServer::start_with(&["--support-url", SUPPORT]);
    instance.team("makers", "visible", &[&instance.owner()]);
    let page = signed_in(&instance, guide.language);
    open_menu(&page, guide.menu);
    page.within("navigation", guide.menu).click("link", guide.entry);
    page.find("heading", guide.entry);
    page.click("link", guide.create);
    page.find("heading", guide.create);
    page.fill(guide.name, "Automation Key");
    page.within("group", guide.permissions).click("radio", &page.t("new_key.read"));
    let teams = page.within("group", guide.teams);
    teams.fill(&page.t("key.share_more"), "mak");
    teams.click("option", "makers");
    teams.find("combobox", "makers");
    page.click("button", guide.save);
    let secret = copied(&page, guide.copy);
    page.click("button", &page.t("secret.close"));
    page.no_dialog();
    assert_eq!(instance.all_keys()[0]["name"], "Automation Key");
    assert_eq!(instance.bare(&Ask::forward_auth(&secret)).status, 200);

    open_menu(&page, guide.menu);
    page.focus("link", guide.support);
    assert_eq!(page.evaluate("document.activeElement.href"), SUPPORT);
    page.finish();
}

fn manage_by(guide: &Management) {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "former"}));
    assert_eq!(instance.bare(&Ask::forward_auth(&key.secret)).status, 200);
    let page = signed_in(&instance, guide.language);
    open_menu(&page, guide.menu);
    page.within("navigation", guide.menu).click("link", guide.profile);
    page.find("heading", guide.profile);
    page.click("link", guide.credentials);
    page.find("heading", guide.keys);

    // The list shows the name of each key, and from where it was last used.
    let row = page.within("row", "former");
    row.find("link", "former");
    row.see("192.0.2.7");

    // The API URL is above the list, with a button that copies this URL.
    page.click("button", guide.copy_url);
    page.see(&page.t("copy.copied"));
    assert_eq!(page.clipboard(), instance.server().url());

    page.click("link", guide.generate);
    page.fill(guide.name, "application");
    page.click("button", guide.save);
    page.click("button", guide.show);
    let secret = copied(&page, guide.copy);
    page.see(&secret);
    page.click("button", &page.t("secret.close"));
    page.no_dialog();
    assert_eq!(instance.bare(&Ask::forward_auth(&secret)).status, 200);

    page.go("/#/keys");
    row.find("link", "former");
    assert_eq!(titles(&page), [guide.rename, guide.revoke, &page.t("keys.actions")]);
    row.click("button", &button_of(&page, guide.rename, "former"));
    page.within("table", guide.keys).fill(guide.name, "renamed");
    page.press(&["Enter"]);
    page.find("link", "renamed");
    page.click("button", &button_of(&page, guide.revoke, "renamed"));
    page.within("dialog", guide.revoke).click("button", guide.confirm);
    page.no_dialog();
    page.within("row", "renamed").see(guide.revoked);
    assert_eq!(find_button(&page, guide.revoke, "renamed"), None);
    page.see_focus("link", "renamed");
    instance.bare(&Ask::forward_auth(&key.secret)).problem(401, "REVOKED");
    page.finish();
}

fn signed_in(instance: &TestServer, language: &'static str) -> Page {
    let page = Page::open(instance, language);
    page.go("/");
    page.sign_in(EMAIL, PASSWORD);
    page
}

/// The menu's button shows the label, and its name contains the label and the user.
fn open_menu(page: &Page, label: &str) {
    page.within("banner", "Keyhouse").see(label);
    page.click("button", &button_of(page, label, "ada"));
}

/// Copies the secret from its dialog.
fn copied(page: &Page, label: &str) -> String {
    page.find("dialog", &page.t("secret.title"));
    page.click("button", label);
    page.see(&page.t("copy.copied"));
    page.clipboard()
}

/// The full name of the button with this label for the object with this name.
fn button_of(page: &Page, label: &str, name: &str) -> String {
    find_button(page, label, name).unwrap_or_else(|| panic!("no button {label:?} for {name:?}"))
}

fn find_button(page: &Page, label: &str, name: &str) -> Option<String> {
    let mut buttons = page.names("button").into_iter();
    buttons.find(|button| button.starts_with(label) && button.ends_with(name))
}

/// Returns the tooltips of the buttons at the end of the last row.
fn titles(page: &Page) -> Vec<String> {
    let found = page.evaluate(
        "[...document.querySelectorAll('tbody tr:last-child td:last-child button')].map((button) => button.title)",
    );
    found.as_array().unwrap().iter().map(|title| title.as_str().unwrap().to_owned()).collect()
}
