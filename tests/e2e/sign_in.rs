//! Who comes in: by the form, and not by a wrong password.

use crate::house::{EMAIL, House, PASSWORD};
use crate::page::Page;
use crate::texts::LANGUAGES;

#[test]
fn people_sign_in_in_their_language() {
    let house = House::start();
    for language in LANGUAGES {
        let page = Page::open(&house, language);
        page.go("/#/teams");
        page.find("heading", &page.t("sign_in.title"));
        assert_eq!(page.evaluate("document.documentElement.lang"), language);
        page.sign_in(EMAIL, PASSWORD);
        page.find("heading", &page.t("teams.title"));
        page.finish();
    }
}
