//! A part of the page, or all of it, and what a person does there: look, click, fill, choose.
//!
//! Everything waits until it can be done, and what can't be done within 20 s stops the test.

use std::rc::Rc;

use serde_json::json;
use thirtyfour::error::WebDriverResult;
use thirtyfour::{By, Key, WebElement};

use crate::driver::{Driver, is_passing, wait};
use crate::texts::Texts;
use crate::tree::Node;

/// Roles of what takes text.
const TAKE_TEXT: [&str; 6] = ["textbox", "searchbox", "spinbutton", "combobox", "Date", "DateTime"];

/// The whole page, or what is inside one thing on it.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) driver: Rc<Driver>,
    pub(crate) texts: Texts,
    /// Each inside the one before: role, and a text that it holds.
    within: Vec<(String, String)>,
}

impl Part {
    /// All of the page.
    pub(crate) fn whole(driver: Rc<Driver>, texts: Texts) -> Self {
        Self { driver, texts, within: Vec::new() }
    }

    /// What is inside the one thing of this role that holds this text: `("row", "deploy key")`.
    pub(crate) fn within(&self, role: &str, text: &str) -> Self {
        let mut part = self.clone();
        part.within.push((role.to_owned(), text.to_owned()));
        part
    }

    /// The page's text with this key.
    pub(crate) fn t(&self, key: &str) -> String {
        self.texts.t(key)
    }

    /// The same with its places filled.
    pub(crate) fn t_with(&self, key: &str, parameters: &[(&str, &str)]) -> String {
        self.texts.with(key, parameters)
    }

    /// Clicks the one thing of this role and name.
    pub(crate) fn click(&self, role: &str, name: &str) {
        self.act(&[role], &[name], |driver, element| driver.attempt(element.click()));
    }

    /// Puts this text in the field of this label, in the place of what it holds.
    pub(crate) fn fill(&self, label: &str, text: &str) {
        let optional = format!("{label} {}", self.t("forms.optional"));
        self.act(&TAKE_TEXT, &[label, &optional], |driver, element| {
            driver.attempt(async {
                element.clear().await?;
                // chromedriver has no keys for what lies beyond U+FFFF, such as emoji.
                if text.chars().all(|letter| letter <= '\u{ffff}') {
                    return element.send_keys(text).await;
                }
                element.focus().await?;
                let asked = json!({"text": text});
                driver.session().cdp().send_raw("Input.insertText", asked).await.map(|_| ())
            })
        });
    }

    /// Chooses an option of the list of this label.
    pub(crate) fn choose(&self, label: &str, option: &str) {
        let optional = format!("{label} {}", self.t("forms.optional"));
        assert!(!option.contains('"'), "an option that XPath can't name: {option}");
        let option = format!(".//option[normalize-space() = \"{option}\"]");
        self.act(&["combobox", "listbox"], &[label, &optional], |driver, element| {
            driver.attempt(async { element.find(By::XPath(option.as_str())).await?.click().await })
        });
    }

    /// Puts the focus on the one thing of this role and name, as a script would: for keyboard tests.
    pub(crate) fn focus(&self, role: &str, name: &str) {
        self.act(&[role], &[name], |driver, element| driver.attempt(element.focus()));
    }

    /// Waits until this text is shown.
    pub(crate) fn see(&self, text: &str) {
        let missing =
            || format!("{text:?} is not shown{}; shown is:\n{}", self.place(), self.text());
        wait(missing, || shown(&self.text()).contains(&shown(text)).then_some(()));
    }

    /// Waits until this text is not shown.
    pub(crate) fn see_no(&self, text: &str) {
        let still = || format!("{text:?} is still shown{}:\n{}", self.place(), self.text());
        wait(still, || (!shown(&self.text()).contains(&shown(text))).then_some(()));
    }

    /// Waits until there is one thing of this role and name; what it is.
    pub(crate) fn find(&self, role: &str, name: &str) -> Node {
        self.wait_for(&[role], &[name], Some)
    }

    /// Waits until there is nothing of this role and name.
    pub(crate) fn find_no(&self, role: &str, name: &str) {
        let still = || format!("there is still a {role} {name:?}{}", self.place());
        let gone =
            || self.here().is_some_and(|it| self.named(it.as_ref(), &[role], &[name]).is_empty());
        wait(still, || gone().then_some(()));
    }

    /// Waits for the field of this label; what it holds.
    pub(crate) fn value(&self, label: &str) -> String {
        let optional = format!("{label} {}", self.t("forms.optional"));
        self.wait_for(&TAKE_TEXT, &[label, &optional], |node| Some(node.value))
    }

    /// The names of all that has this role now, in the page's order.
    pub(crate) fn names(&self, role: &str) -> Vec<String> {
        let Some(below) = self.here() else { return Vec::new() };
        let nodes = self.driver.nodes(below.as_ref(), Some(role), None);
        nodes.into_iter().map(|node| node.name).collect()
    }

    /// All text that is shown now.
    pub(crate) fn text(&self) -> String {
        match self.here() {
            None => String::new(),
            Some(None) => {
                let text = self.driver.evaluate("document.body?.innerText ?? ''");
                text.as_str().unwrap_or_default().to_owned()
            },
            Some(Some(node)) => self.driver.text_of(&node).unwrap_or_default(),
        }
    }

    /// Does something to the one thing that has one of these roles and names, once it can be done.
    fn act(
        &self,
        roles: &[&str],
        names: &[&str],
        deed: impl Fn(&Driver, &WebElement) -> WebDriverResult<()>,
    ) {
        self.wait_for(roles, names, |node| {
            if node.disabled {
                return None;
            }
            match deed(&self.driver, &self.driver.element(&node)?) {
                Ok(()) => Some(()),
                Err(error) if is_passing(&error) => None,
                Err(error) => panic!("{roles:?} {names:?}: {error}"),
            }
        });
    }

    fn wait_for<T>(&self, roles: &[&str], names: &[&str], use_it: impl Fn(Node) -> Option<T>) -> T {
        let missing = || {
            let found: Vec<_> = roles.iter().map(|role| (role, self.names(role))).collect();
            let place = self.place();
            format!("not one usable {roles:?} {:?}{place}: {found:?}\n{}", names[0], self.text())
        };
        wait(missing, || {
            let below = self.here()?;
            match self.named(below.as_ref(), roles, names).as_slice() {
                [only] => use_it(only.clone()),
                _ => None,
            }
        })
    }

    fn named(&self, below: Option<&Node>, roles: &[&str], names: &[&str]) -> Vec<Node> {
        let of_name = |name: &&str| self.driver.nodes(below, None, Some(name));
        let all = names.iter().flat_map(of_name);
        all.filter(|node| roles.contains(&node.role.as_str())).collect()
    }

    /// The node this part is, `Some(None)` for all of the page, `None` while there is none.
    #[expect(clippy::option_option, reason = "no such part, the whole, or that part")]
    fn here(&self) -> Option<Option<Node>> {
        let mut at = None;
        for (role, text) in &self.within {
            let nodes = self.driver.nodes(at.as_ref(), Some(role), None);
            let holds = |node: &Node| {
                node.name.contains(text)
                    || self.driver.text_of(node).is_some_and(|shown| shown.contains(text))
            };
            let found: Vec<Node> = nodes.into_iter().filter(holds).collect();
            let [only] = found.as_slice() else { return None };
            at = Some(only.clone());
        }
        Some(at)
    }

    fn place(&self) -> String {
        let places = self.within.iter().map(|(role, text)| format!(" in {role} {text:?}"));
        places.collect::<Vec<_>>().concat()
    }
}

/// Text without regard to how it is broken into lines.
fn shown(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A key by its name (`Enter`), or the one that writes a character.
pub(crate) fn key(name: &str) -> char {
    let key = match name {
        "Shift" => Key::Shift,
        "Control" => Key::Control,
        "Alt" => Key::Alt,
        "Tab" => Key::Tab,
        "Enter" => Key::Enter,
        "Escape" => Key::Escape,
        "Space" => Key::Space,
        "Backspace" => Key::Backspace,
        "Delete" => Key::Delete,
        "Home" => Key::Home,
        "End" => Key::End,
        "Left" => Key::Left,
        "Right" => Key::Right,
        "Up" => Key::Up,
        "Down" => Key::Down,
        other => {
            let mut letters = other.chars();
            return match (letters.next(), letters.next()) {
                (Some(letter), None) => letter,
                _ => panic!("no key is called {other:?}"),
            };
        },
    };
    key.value()
}
