//! The colours of a picture's own parts in both themes.

use super::Theme;
use super::colour::Rgb;

/// The colours of one theme.
#[derive(Debug, Clone, Copy)]
pub(super) struct Palette {
    pub background: Rgb,
    pub grid: Rgb,
    pub text: Rgb,
    pub detail: Rgb,
    pub line: Rgb,
    /// The body of a component without a colour of its own.
    pub body: Rgb,
    /// What shaded faces are mixed with.
    pub shade: Rgb,
    /// The opacity of a shadow, in percent.
    pub shadow_percent: u32,
    /// The opacity of a group's ground, in percent.
    pub tint_percent: u32,
}

impl Palette {
    pub(super) fn of(theme: Theme) -> Self {
        match theme {
            Theme::Light => Self {
                background: Rgb::WHITE,
                grid: Rgb::hex(0x00e9_ecf2),
                text: Rgb::hex(0x0017_1f33),
                detail: Rgb::hex(0x005b_6780),
                line: Rgb::hex(0x0064_718c),
                body: Rgb::hex(0x00f4_f6fa),
                shade: Rgb::hex(0x0024_3050),
                shadow_percent: 9,
                tint_percent: 7,
            },
            Theme::Dark => Self {
                background: Rgb::hex(0x0012_1722),
                grid: Rgb::hex(0x0020_2838),
                text: Rgb::hex(0x00ee_f1f7),
                detail: Rgb::hex(0x00a4_b0c6),
                line: Rgb::hex(0x0098_a6c0),
                body: Rgb::hex(0x0043_4e66),
                shade: Rgb::hex(0x0006_0a14),
                shadow_percent: 40,
                tint_percent: 11,
            },
        }
    }
}
