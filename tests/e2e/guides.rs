//! Follows the vendors' public guides for API keys by their labels, in English, French and Spanish.
//!
//! The labels are literal texts, not keys of `web/locales`, because a person reads them in the guide and
//! searches for them on the page.

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::page::Page;
use crate::seeds::copied_secret;
use crate::test_server::{EMAIL, PASSWORD, TestServer};

/// The labels of one guide that creates a key: menu, entry, button, fields, button.
struct Creation {
    language: &'static str,
    menu: &'static str,
    entry: &'static str,
    create: &'static str,
    name: &'static str,
    permissions: &'static str,
    teams: &'static str,
    save: &'static str,
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
fn cloudmc_guide_generates_renames_and_revokes_a_key_in_french() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "ancienne"}));
    let page = signed_in(&instance, "fr");
    open_menu(&page, "Utilisateur");
    page.within("navigation", "Utilisateur").click("link", "Mon profil");
    page.find("heading", "Mon profil");
    page.click("link", "Identifiants d’API");
    page.find("heading", "Clés d’API");
    page.find("link", "ancienne");

    // The API URL is above the list, with a button that copies this URL.
    page.click("button", "Copier l’URL de l’API");
    assert!(page.clipboard().starts_with("http"), "no URL was copied");

    page.click("link", "Générer une clé d’API");
    page.fill("Nom", "application");
    page.click("button", "Générer");
    page.find("dialog", "Votre nouvelle clé");
    page.click("button", "Afficher le secret");
    let secret = copied_secret(&page);
    assert_eq!(instance.bare(&Ask::forward_auth(&secret)).status, 200);

    page.go("/#/keys");
    let row = page.within("row", "ancienne");
    row.find("button", "Révoquer la clé d’API : ancienne");
    assert_eq!(titles(&page), ["Modification de la clé d’API", "Révoquer la clé d’API", "Actions"]);
    row.click("button", "Modification de la clé d’API : ancienne");
    page.within("table", "Clés d’API").fill("Nom", "renommée");
    page.press(&["Enter"]);
    page.find("link", "renommée");
    page.click("button", "Révoquer la clé d’API : renommée");
    page.within("dialog", "Révoquer la clé d’API").click("button", "Révoquer");
    page.no_dialog();
    page.within("row", "renommée").see("Révoquée");
    page.find_no("button", "Révoquer la clé d’API : renommée");
    page.see_focus("link", "renommée");
    instance.bare(&Ask::forward_auth(&key.secret)).problem(401, "REVOKED");
    page.finish();
}

fn create_by(guide: &Creation) {
    let instance = TestServer::start();
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
    let secret = copied_secret(&page);
    assert_eq!(instance.all_keys()[0]["name"], "Automation Key");
    assert_eq!(instance.bare(&Ask::forward_auth(&secret)).status, 200);
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
    let buttons = page.names("button");
    let name = buttons.iter().find(|name| name.starts_with(label)).expect("the user menu");
    page.click("button", name);
}

/// Returns the tooltips of the buttons at the end of the last row.
fn titles(page: &Page) -> Vec<String> {
    let found = page.evaluate(
        "[...document.querySelectorAll('tbody tr:last-child td:last-child button')].map((button) => button.title)",
    );
    found.as_array().unwrap().iter().map(|title| title.as_str().unwrap().to_owned()).collect()
}
