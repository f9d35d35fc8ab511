//! The page or a part of it, and the actions of a user: see, click, fill, choose.
//!
//! Each action waits until the element is ready, and fails the test after 20 s.

use std::rc::Rc;

use serde_json::json;
use thirtyfour::error::{WebDriverErrorInner, WebDriverResult};
use thirtyfour::{By, Key, WebElement};

use crate::driver::{Driver, is_passing, wait};
use crate::texts::Texts;
use crate::tree::Node;

/// Roles of text fields.
const TAKE_TEXT: [&str; 6] = ["textbox", "searchbox", "spinbutton", "combobox", "Date", "DateTime"];

/// The whole page, or the content of one element.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) driver: Rc<Driver>,
    pub(crate) texts: Texts,
    /// The path to the part: for each element its role and a text that it contains.
    within: Vec<(String, String)>,
}

impl Part {
    /// The whole page.
    pub(crate) fn whole(driver: Rc<Driver>, texts: Texts) -> Self {
        Self { driver, texts, within: Vec::new() }
    }

    /// The content of the only element of this role that contains this text: `("row", "deploy key")`.
    pub(crate) fn within(&self, role: &str, text: &str) -> Self {
        let mut part = self.clone();
        part.within.push((role.to_owned(), text.to_owned()));
        part
    }

    /// Returns the page's text with this key.
    pub(crate) fn t(&self, key: &str) -> String {
        self.texts.t(key)
    }

    /// The page's text with its parameters.
    pub(crate) fn t_with(&self, key: &str, parameters: &[(&str, &str)]) -> String {
        self.texts.with(key, parameters)
    }

    /// Clicks the only element of this role and name.
    pub(crate) fn click(&self, role: &str, name: &str) {
        self.act(&[role], &[name], |driver, element| {
            driver.attempt(element.click()).or_else(|error| {
                if !matches!(error.as_inner(), WebDriverErrorInner::ElementClickIntercepted(_)) {
                    return Err(error);
                }
                // The driver does not scroll an element that the sticky header covers.
                driver.attempt(async {
                    element.scroll_into_view().await?;
                    element.click().await
                })
            })
        });
    }

    /// Replaces the text of the field with this label.
    pub(crate) fn fill(&self, label: &str, text: &str) {
        let optional = format!("{label} {}", self.t("forms.optional"));
        self.act(&TAKE_TEXT, &[label, &optional], |driver, element| {
            driver.attempt(async {
                element.clear().await?;
                // chromedriver can't type characters above U+FFFF, such as emoji.
                if text.chars().all(|letter| letter <= '\u{ffff}') {
                    return element.send_keys(text).await;
                }
                element.focus().await?;
                let asked = json!({"text": text});
                driver.session().cdp().send_raw("Input.insertText", asked).await.map(|_| ())
            })
        });
    }

    /// Chooses an option of the select with this label.
    pub(crate) fn choose(&self, label: &str, option: &str) {
        let optional = format!("{label} {}", self.t("forms.optional"));
        assert!(!option.contains('"'), "an option that XPath can't name: {option}");
        let option = format!(".//option[normalize-space() = \"{option}\"]");
        self.act(&["combobox", "listbox"], &[label, &optional], |driver, element| {
            driver.attempt(async { element.find(By::XPath(option.as_str())).await?.click().await })
        });
    }

    /// Focuses the only element of this role and name by script, for keyboard tests.
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

    /// Waits for the only element of this role and name.
    pub(crate) fn find(&self, role: &str, name: &str) -> Node {
        self.wait_for(&[role], &[name], Some)
    }

    /// Waits until no element has this role and name.
    pub(crate) fn find_no(&self, role: &str, name: &str) {
        let still = || format!("there is still a {role} {name:?}{}", self.place());
        let gone =
            || self.here().is_some_and(|it| self.named(it.as_ref(), &[role], &[name]).is_empty());
        wait(still, || gone().then_some(()));
    }

    /// The value of the field with this label.
    pub(crate) fn value(&self, label: &str) -> String {
        let optional = format!("{label} {}", self.t("forms.optional"));
        self.wait_for(&TAKE_TEXT, &[label, &optional], |node| Some(node.value))
    }

    /// The names of all elements of this role, in page order.
    pub(crate) fn names(&self, role: &str) -> Vec<String> {
        let Some(below) = self.here() else { return Vec::new() };
        let nodes = self.driver.nodes(below.as_ref(), Some(role), None);
        nodes.into_iter().map(|node| node.name).collect()
    }

    /// Returns all visible text.
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

    /// Acts on the only element with one of these roles and names, as soon as the element is
    /// enabled.
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

    /// The node of this part; `Some(None)` is the whole page, `None` means that the part does not exist.
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

/// Text without its line breaks.
fn shown(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns a key by its name (`Enter`) or its character.
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
