//! Numbers and escaped text of XML.

use super::plane::Point;

pub(super) fn push_point(out: &mut String, at: Point) {
    push_number(out, at.x);
    out.push(' ');
    push_number(out, at.y);
}

/// Appends a number with at most two decimals.
pub(super) fn push_number(out: &mut String, value: f64) {
    push_decimal(out, whole(value * 100.0), 2);
}

/// Appends a number with at most four decimals, for matrices.
pub(super) fn push_precise(out: &mut String, value: f64) {
    push_decimal(out, whole(value * 10_000.0), 4);
}

pub(super) fn push_percent(out: &mut String, percent: u32) {
    push_decimal(out, i64::from(percent), 2);
}

/// Appends `units` / 10^`places` without zeros at the end.
fn push_decimal(out: &mut String, units: i64, places: u32) {
    if units < 0 {
        out.push('-');
    }
    let one = 10_u64.pow(places);
    let (whole, mut rest) = (units.unsigned_abs() / one, units.unsigned_abs() % one);
    push_integer(out, whole);
    let mut place = one / 10;
    if rest > 0 {
        out.push('.');
    }
    while rest > 0 {
        push_digit(out, rest / place);
        rest %= place;
        place /= 10;
    }
}

fn push_integer(out: &mut String, value: u64) {
    if value >= 10 {
        push_integer(out, value / 10);
    }
    push_digit(out, value % 10);
}

fn push_digit(out: &mut String, digit: u64) {
    let digit = u32::try_from(digit).ok().and_then(|digit| char::from_digit(digit, 10));
    out.push(digit.unwrap_or('0'));
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "coordinates are bounded, and the conversion saturates"
)]
pub(super) fn whole(value: f64) -> i64 {
    value.round() as i64
}

/// Appends text for XML character data and attribute values in double quotes.
pub(super) fn push_escaped(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            '\n' => out.push_str("&#10;"),
            letter if letter.is_control() => out.push('\u{fffd}'),
            letter => out.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_exact() {
        for (value, text) in [
            (0.0, "0"),
            (-0.001, "0"),
            (1.5, "1.5"),
            (-12.345, "-12.35"),
            (100.0, "100"),
            (0.05, "0.05"),
            (-0.2, "-0.2"),
        ] {
            let mut out = String::new();
            push_number(&mut out, value);
            assert_eq!(out, text, "{value}");
        }
    }

    #[test]
    fn text_cannot_end_an_attribute_or_an_element() {
        let mut out = String::new();
        push_escaped(&mut out, "\"'><script>&\u{0}\n\u{ffff}");
        assert_eq!(out, "&quot;&#39;&gt;&lt;script&gt;&amp;\u{fffd}&#10;\u{fffd}");
    }
}
