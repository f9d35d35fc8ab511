//! The vendors' public guides for API keys, followed on the page in English, French and Spanish.

mod labels;
mod policies;

use crate::page::Page;

/// Copies the secret from its dialog, which confirms that it is saved, and closes the dialog.
pub(crate) fn copied_secret(page: &Page) -> String {
    page.find("dialog", &page.t("secret.title"));
    page.click("button", &page.t("secret.copy"));
    page.see(&page.t("copy.copied"));
    let secret = page.clipboard();
    page.click("button", &page.t("secret.close"));
    page.no_dialog();
    secret
}
