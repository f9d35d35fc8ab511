//! Colours, and how much they differ. All arithmetic is on integers, so that every machine gets the same bytes.

/// A colour of sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rgb {
    red: u8,
    green: u8,
    blue: u8,
}

impl Rgb {
    pub(super) const WHITE: Self = Self::hex(0x00ff_ffff);
    pub(super) const INK: Self = Self::hex(0x0017_1f33);

    /// The colour `0x00rrggbb`.
    pub(super) const fn hex(value: u32) -> Self {
        let [_, red, green, blue] = value.to_be_bytes();
        Self { red, green, blue }
    }

    /// Reads `#rgb` or `#rrggbb`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let value = u32::from_str_radix(digits, 16).ok()?;
        match digits.len() {
            6 => Some(Self::hex(value)),
            3 => {
                let (red, green, blue) = (value >> 8, (value >> 4) & 15, value & 15);
                Some(Self::hex(red * 0x0011_0000 + green * 0x1100 + blue * 0x11))
            },
            _ => None,
        }
    }

    /// `percent` of `other` in this colour.
    pub(super) fn mix(self, other: Self, percent: u32) -> Self {
        let channel = |from: u8, to: u8| {
            let sum = u32::from(from) * (100 - percent.min(100)) + u32::from(to) * percent.min(100);
            u8::try_from((sum + 50) / 100).unwrap_or(u8::MAX)
        };
        Self {
            red: channel(self.red, other.red),
            green: channel(self.green, other.green),
            blue: channel(self.blue, other.blue),
        }
    }

    /// The relative luminance of WCAG 2 with a gamma of 2, from 0 to 10,000.
    fn luminance(self) -> u32 {
        let square = |channel: u8| u32::from(channel) * u32::from(channel);
        (2126 * square(self.red) + 7152 * square(self.green) + 722 * square(self.blue)) / 65_025
    }

    pub(super) fn is_dark(self) -> bool {
        self.luminance() < 1_800
    }

    /// The contrast ratio of WCAG 2 with `other` in percent, from 100 to 2,100.
    pub(super) fn contrast(self, other: Self) -> u32 {
        let (one, two) = (self.luminance() + 500, other.luminance() + 500);
        one.max(two) * 100 / one.min(two)
    }

    /// This colour, moved towards white or ink until its contrast with `background` is at least
    /// `percent`.
    pub(super) fn visible_on(self, background: Self, percent: u32) -> Self {
        let towards = if background.is_dark() { Self::WHITE } else { Self::INK };
        (0..10)
            .map(|step| self.mix(towards, step * 10))
            .find(|colour| colour.contrast(background) >= percent)
            .unwrap_or(towards)
    }

    /// White or ink, whichever is easier to read on this colour. White is preferred, because pictograms
    /// are white on most colours.
    pub(super) fn text_on(self) -> Self {
        if self.contrast(Self::WHITE) >= 260 { Self::WHITE } else { Self::INK }
    }

    /// Appends `#rrggbb`.
    pub(super) fn push(self, out: &mut String) {
        out.push('#');
        for channel in [self.red, self.green, self.blue] {
            for digit in [channel >> 4, channel & 15] {
                out.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
        }
    }
}

/// The colours of an element: `"#rrggbb"`, or one for each projection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Colours {
    pub isometric: Option<Rgb>,
    pub flat: Option<Rgb>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hexadecimal_colours_are_read() {
        assert_eq!(Rgb::parse("#ff8000"), Some(Rgb::hex(0x00ff_8000)));
        assert_eq!(Rgb::parse("#f80"), Some(Rgb::hex(0x00ff_8800)));
        for wrong in ["", "red", "#ff80", "#+f8000", "#ff80000", "url(#x)", "#ff8\u{e9}0"] {
            assert_eq!(Rgb::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_colour_becomes_visible_on_any_background() {
        for background in [Rgb::WHITE, Rgb::INK, Rgb::hex(0x0080_8080)] {
            for colour in [Rgb::WHITE, Rgb::INK, Rgb::hex(0x0003_a9f4), background] {
                let visible = colour.visible_on(background, 250);
                assert!(visible.contrast(background) >= 250, "{colour:?} on {background:?}");
            }
        }
    }
}
