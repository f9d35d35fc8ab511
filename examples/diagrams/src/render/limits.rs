//! The maxima of a diagram and of a picture.

/// The elements of all lists together.
pub const ELEMENTS_MAX: usize = 5_000;
/// The components: nodes, icons and images.
pub const COMPONENTS_MAX: usize = 2_000;
pub const GROUPS_MAX: usize = 500;
/// The members of one group, references to other groups included.
pub const MEMBERS_MAX: usize = 5_000;
/// The points of one area.
pub const POINTS_MAX: usize = 500;
/// The distance from the origin, in grid units.
pub const COORDINATE_MAX: f64 = 10_000.0;
/// The width, depth and height of one element, in grid units.
pub const LENGTH_MAX: f64 = 1_000.0;
/// The UTF-8 length of one text, in bytes.
pub const TEXT_BYTES_MAX: usize = 4_096;
/// The lines of one free text.
pub const LINES_MAX: usize = 40;
/// The vendor's largest size of a free text.
pub const TEXT_SIZE_MAX: f64 = 112.0;
/// The width and the height of a picture.
pub const SIDE_PX_MAX: u32 = 8_192;
/// The longer side of a picture at scale 1. Larger drawings are reduced to it.
pub const ORIGINAL_PX_MAX: f64 = 4_096.0;
/// The pixels of a PNG file. Its buffer takes four bytes a pixel: 96 MiB.
pub const PIXELS_MAX: u64 = 25_165_824;
/// The pixels that are filled in one PNG file; a pixel counts once for each shape that covers it.
pub const FILLED_PX_MAX: f64 = 500_000_000.0;
/// The widths and heights of all lines with dashes of one picture, in pixels before it is reduced. Further lines have
/// no dashes, because drawing takes time for each dash.
pub const DASHED_PX_MAX: f64 = 1_000_000.0;
/// The UTF-8 length of all texts that one picture shows, in bytes.
pub const TEXTS_BYTES_MAX: usize = 262_144;
pub const SCALE_MIN: f64 = 0.05;
pub const SCALE_MAX: f64 = 10.0;
/// The width and the height of a page without a paper size, in points: the limit of PDF 1.7 readers.
pub const PAGE_POINTS_MAX: f64 = 14_400.0;
/// The comparisons of lines with components and other lines in one picture. Further connectors take
/// their shortest path.
pub const ROUTE_STEPS_MAX: u32 = 8_000_000;
/// The comparisons of labels with components and other labels in one picture. Further labels take
/// their first place.
pub const LABEL_STEPS_MAX: u32 = 8_000_000;
