//! Reads the members of one element of a diagram. Errors name the place (RFC 6901).
//!
//! A member that only decorates is ignored if its type is another one, because the types of components
//! are not all known. Numbers that place or size an element must be numbers, or texts of numbers.

use serde_json::{Map, Value};

use super::Error;
use super::colour::{Colours, Rgb};
use super::limits::{COORDINATE_MAX, TEXT_BYTES_MAX};
use super::plane::{Point, point};

/// One element and its place in the diagram.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    object: &'a Map<String, Value>,
    list: &'static str,
    index: usize,
}

/// The least and the greatest value of a number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub least: f64,
    pub greatest: f64,
}

const COORDINATES: Range = Range { least: -COORDINATE_MAX, greatest: COORDINATE_MAX };

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value, list: &'static str, index: usize) -> Result<Self, Error> {
        match value.as_object() {
            Some(object) => Ok(Self { object, list, index }),
            None => Err(invalid(format!("/{list}/{index}"), "must be an object")),
        }
    }

    pub(super) fn error(&self, member: &str, detail: &str) -> Error {
        invalid(format!("/{}/{}/{member}", self.list, self.index), detail)
    }

    /// A text, or nothing if the member is absent or of another type.
    pub(super) fn text(&self, member: &str) -> Result<Option<&'a str>, Error> {
        let Some(text) = self.object.get(member).and_then(Value::as_str) else {
            return Ok(None);
        };
        if text.len() > TEXT_BYTES_MAX {
            return Err(self
                .error(member, &format!("is longer than the maximum of {TEXT_BYTES_MAX} bytes")));
        }
        Ok((!text.is_empty()).then_some(text))
    }

    /// An id: a text or an integer.
    pub(super) fn id(&self, member: &str) -> Result<Option<String>, Error> {
        if let Some(number) = self.object.get(member).and_then(Value::as_i64) {
            return Ok(Some(number.to_string()));
        }
        Ok(self.text(member)?.map(str::to_owned))
    }

    pub(super) fn is(&self, member: &str) -> bool {
        self.object.get(member).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(super) fn get(&self, member: &str) -> Option<&'a Value> {
        self.object.get(member).filter(|value| !value.is_null())
    }

    /// A number in `range`; nothing if the member is absent or null.
    pub(super) fn number(&self, member: &str, range: Range) -> Result<Option<f64>, Error> {
        self.get(member).map(|value| self.in_range(value, member, range)).transpose()
    }

    /// A number in `range`, or the nearest one in it: for sizes whose exact value only decorates.
    pub(super) fn clamped(&self, member: &str, range: Range) -> Result<Option<f64>, Error> {
        let wide = Range { least: f64::MIN, greatest: f64::MAX };
        Ok(self.number(member, wide)?.map(|number| number.clamp(range.least, range.greatest)))
    }

    /// Two numbers; nothing if the member is absent or null.
    pub(super) fn pair(&self, member: &str, range: Range) -> Result<Option<Point>, Error> {
        self.get(member).map(|value| self.pair_of(value, member, range)).transpose()
    }

    /// The position of an element. An element without a position is at the origin.
    pub(super) fn position(&self) -> Result<Point, Error> {
        Ok(self.pair("mapPos", COORDINATES)?.unwrap_or(point(0.0, 0.0)))
    }

    /// A list of at most `most` positions.
    pub(super) fn points(&self, member: &str, most: usize) -> Result<Vec<Point>, Error> {
        let values = self.list(member, most)?;
        let place = |index: usize| format!("{member}/{index}");
        let pairs = values.iter().enumerate();
        pairs.map(|(index, value)| self.pair_of(value, &place(index), COORDINATES)).collect()
    }

    /// A list of at most `most` values; an absent one is empty.
    pub(super) fn list(&self, member: &str, most: usize) -> Result<&'a [Value], Error> {
        let Some(value) = self.get(member) else { return Ok(&[]) };
        let values = value.as_array().ok_or_else(|| self.error(member, "must be an array"))?;
        if values.len() > most {
            return Err(self.error(member, &format!("has more than the maximum of {most} values")));
        }
        Ok(values)
    }

    /// The colours of a member. A value that is not `#rgb` or `#rrggbb` counts as absent.
    pub(super) fn colours(&self, member: &str) -> Colours {
        let parse = |value: Option<&Value>| value.and_then(Value::as_str).and_then(Rgb::parse);
        let value = self.object.get(member);
        let one = parse(value);
        let of =
            |projection: &str| one.or_else(|| parse(value.and_then(|both| both.get(projection))));
        let (isometric, flat) = (of("isometric"), of("2d"));
        Colours { isometric, flat: flat.or(isometric) }
    }

    /// A link to another site: `http` or `https`, without spaces and control characters.
    pub(super) fn link(&self) -> Result<Option<&'a str>, Error> {
        Ok(self.text("link")?.filter(|link| is_web_link(link)))
    }

    fn pair_of(&self, value: &Value, member: &str, range: Range) -> Result<Point, Error> {
        match value.as_array().map(Vec::as_slice) {
            Some([x, y]) => Ok(point(
                self.in_range(x, &format!("{member}/0"), range)?,
                self.in_range(y, &format!("{member}/1"), range)?,
            )),
            _ => Err(self.error(member, "must be an array of two numbers")),
        }
    }

    fn in_range(&self, value: &Value, member: &str, range: Range) -> Result<f64, Error> {
        let number = value.as_f64().or_else(|| value.as_str().and_then(decimal));
        let number = number.ok_or_else(|| self.error(member, "must be a number"))?;
        if number < range.least || number > range.greatest {
            let detail = format!("must be between {} and {}", range.least, range.greatest);
            return Err(self.error(member, &detail));
        }
        Ok(number)
    }
}

pub(super) fn invalid(pointer: String, detail: &str) -> Error {
    Error::Invalid { pointer, detail: detail.to_owned() }
}

/// A number in decimal notation. `NaN`, `inf` and the like are no numbers.
fn decimal(text: &str) -> Option<f64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    if !is_plain || text.len() > 32 {
        return None;
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

fn is_web_link(link: &str) -> bool {
    let has_scheme = ["https://", "http://"].iter().any(|scheme| {
        link.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    has_scheme && !link.chars().any(|letter| letter.is_whitespace() || letter.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_numbers_are_numbers_but_texts_without_a_value_are_not() {
        assert_eq!(decimal("200"), Some(200.0));
        assert_eq!(decimal("-0.25"), Some(-0.25));
        for wrong in ["", "NaN", "inf", "Infinity", "1e999", "0x10", "1,5", "--1"] {
            assert_eq!(decimal(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_links_of_the_web_are_links() {
        assert!(is_web_link("https://example.com/a?b=c#d"));
        assert!(is_web_link("HTTP://example.com"));
        for wrong in [
            "javascript:alert(1)",
            " https://example.com",
            "https://example.com/\n",
            "data:text/html,x",
            "blueprint://1",
            "//example.com",
            "htt\u{e9}",
        ] {
            assert!(!is_web_link(wrong), "{wrong}");
        }
    }
}
