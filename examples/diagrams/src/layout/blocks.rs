//! Blocks of components on the grid: rectangles that are put beside each other, and never overlap.
//!
//! Lengths are halves of a grid unit, from the corner with the smallest coordinates.

use std::cmp::Reverse;

/// The side of a component.
pub(super) const COMPONENT: usize = 4;
/// The distance between the corners of neighbours in a grid. It leaves room for labels and connectors.
pub(super) const PITCH: usize = 8;
/// The widths of rows that are tried, in percent of the side of a square with the area of all blocks.
const WIDTHS_PERCENT: [usize; 6] = [100, 115, 130, 150, 175, 200];

/// A rectangle with components.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Block {
    pub width: usize,
    pub depth: usize,
    /// The components, by their places in the scene, and their corners.
    pub components: Vec<(usize, Corner)>,
    pub zones: Vec<Zone>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Corner {
    pub x: usize,
    pub y: usize,
}

/// The ground of an availability zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Zone {
    pub name: String,
    pub corner: Corner,
    pub width: usize,
    pub depth: usize,
}

impl Block {
    /// Components in rows of at most `columns`.
    pub(super) fn grid(components: &[usize], columns: usize) -> Self {
        let columns = columns.clamp(1, components.len().max(1));
        let corner = |at: usize| Corner { x: at % columns * PITCH, y: at / columns * PITCH };
        let placed = components.iter().enumerate().map(|(at, place)| (*place, corner(at)));
        if components.is_empty() {
            return Self::default();
        }
        let side = |count: usize| (count - 1) * PITCH + COMPONENT;
        Self {
            width: side(columns),
            depth: side(components.len().div_ceil(columns)),
            components: placed.collect(),
            zones: Vec::new(),
        }
    }

    /// Components in a grid that is about a square.
    pub(super) fn square(components: &[usize]) -> Self {
        Self::grid(components, side_of(components.len()))
    }

    /// Components in columns of at most `depth`, or in a square if that is deeper.
    pub(super) fn columns(components: &[usize], depth: usize) -> Self {
        let rows = ((depth + PITCH - COMPONENT) / PITCH).max(side_of(components.len())).max(1);
        Self::grid(components, components.len().div_ceil(rows))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.components.is_empty()
    }

    /// The block with space around it. An empty block stays empty.
    pub(super) fn padded(self, by: usize) -> Self {
        if self.is_empty() {
            return self;
        }
        let (width, depth) = (self.width + 2 * by, self.depth + 2 * by);
        let mut padded = Self { width, depth, ..Self::default() };
        padded.absorb(self, Corner { x: by, y: by });
        padded
    }

    /// The block on the ground of an availability zone.
    pub(super) fn in_zone(mut self, name: String) -> Self {
        let corner = Corner { x: 0, y: 0 };
        self.zones.push(Zone { name, corner, width: self.width, depth: self.depth });
        self
    }

    /// Blocks beside each other along x, their middles on one line.
    pub(super) fn row(blocks: Vec<Self>, gap: usize) -> Self {
        let depth = blocks.iter().map(|block| block.depth).max().unwrap_or_default();
        let mut row = Self { depth, ..Self::default() };
        for block in blocks.into_iter().filter(|block| !block.is_empty()) {
            let x = if row.width == 0 { 0 } else { row.width + gap };
            row.width = x + block.width;
            let y = (depth - block.depth) / 2;
            row.absorb(block, Corner { x, y });
        }
        row
    }

    /// Blocks beside each other along y.
    pub(super) fn stack(blocks: Vec<Self>, gap: usize) -> Self {
        let mut stack = Self::default();
        for block in blocks.into_iter().filter(|block| !block.is_empty()) {
            let y = if stack.depth == 0 { 0 } else { stack.depth + gap };
            stack.depth = y + block.depth;
            stack.width = stack.width.max(block.width);
            stack.absorb(block, Corner { x: 0, y });
        }
        stack
    }

    /// Blocks in rows, about in their order, so that all together are about a square.
    pub(super) fn shelves(blocks: Vec<Self>, gap: usize) -> Self {
        let blocks: Vec<Self> = blocks.into_iter().filter(|block| !block.is_empty()).collect();
        let area: usize = blocks.iter().map(|it| (it.width + gap) * (it.depth + gap)).sum();
        let widest = blocks.iter().map(|it| it.width).max().unwrap_or_default();
        let widths = WIDTHS_PERCENT.map(|percent| widest.max(area.isqrt() * percent / 100));
        let shelves = widths.map(|width| Shelves::of(&blocks, width, gap));
        // The area of an isometric picture grows with the sum of both sides.
        let best = shelves.into_iter().min_by_key(|it| (it.width + it.depth, Reverse(it.width)));
        let Some(Shelves { width, depth, corners, .. }) = best else { return Self::default() };
        let mut all = Self { width, depth, ..Self::default() };
        for (block, corner) in blocks.into_iter().zip(corners) {
            all.absorb(block, corner);
        }
        all
    }

    /// Moves what is in `other` into this block.
    fn absorb(&mut self, other: Self, by: Corner) {
        let moved = |corner: Corner| Corner { x: corner.x + by.x, y: corner.y + by.y };
        let components = other.components.into_iter();
        self.components.extend(components.map(|(place, corner)| (place, moved(corner))));
        let zones = other.zones.into_iter();
        self.zones.extend(zones.map(|zone| Zone { corner: moved(zone.corner), ..zone }));
    }
}

/// The corners of blocks in rows. A row consists of columns, and a column of blocks under each other.
struct Shelves {
    width: usize,
    depth: usize,
    corners: Vec<Corner>,
    rows: Vec<Row>,
    columns: Vec<Column>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    y: usize,
    width: usize,
    depth: usize,
}

#[derive(Debug, Clone, Copy)]
struct Column {
    x: usize,
    row: Row,
    width: usize,
    depth: usize,
}

impl Shelves {
    /// Puts each block into the first place that has room for it.
    fn of(blocks: &[Block], width_max: usize, gap: usize) -> Self {
        let mut shelves = Self {
            width: 0,
            depth: 0,
            corners: Vec::with_capacity(blocks.len()),
            rows: Vec::new(),
            columns: Vec::new(),
        };
        for block in blocks {
            let corner = shelves
                .under(block, gap)
                .or_else(|| shelves.beside(block, width_max, gap))
                .unwrap_or_else(|| shelves.below(block, gap));
            shelves.corners.push(corner);
            shelves.width = shelves.width.max(corner.x + block.width);
            shelves.depth = shelves.depth.max(corner.y + block.depth);
        }
        shelves
    }

    /// A place in a column that is as wide as the block.
    fn under(&mut self, block: &Block, gap: usize) -> Option<Corner> {
        let has_room = |column: &&mut Column| {
            let depth = column.depth + gap + block.depth;
            block.width <= column.width && depth <= column.row.depth
        };
        let column = self.columns.iter_mut().find(has_room)?;
        let y = column.row.y + column.depth + gap;
        column.depth += gap + block.depth;
        Some(Corner { x: column.x, y })
    }

    /// A place at the end of a row that is as deep as the block, or of the last row, which becomes as deep.
    fn beside(&mut self, block: &Block, width_max: usize, gap: usize) -> Option<Corner> {
        let last = self.rows.len().saturating_sub(1);
        let has_room = |(at, row): &(usize, &mut Row)| {
            let is_deep = *at == last || block.depth <= row.depth;
            is_deep && row.width + gap + block.width <= width_max
        };
        let (_, row) = self.rows.iter_mut().enumerate().find(has_room)?;
        row.depth = row.depth.max(block.depth);
        let x = row.width + gap;
        row.width = x + block.width;
        let (width, depth) = (block.width, block.depth);
        self.columns.push(Column { x, row: *row, width, depth });
        Some(Corner { x, y: row.y })
    }

    /// A place in a new row.
    fn below(&mut self, block: &Block, gap: usize) -> Corner {
        let y = if self.rows.is_empty() { 0 } else { self.depth + gap };
        let row = Row { y, width: block.width, depth: block.depth };
        self.rows.push(row);
        self.columns.push(Column { x: 0, row, width: block.width, depth: block.depth });
        Corner { x: 0, y }
    }
}

/// The smallest whole number whose square is `count` or more.
fn side_of(count: usize) -> usize {
    let side = count.isqrt();
    if side * side < count { side + 1 } else { side }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_has_about_as_many_rows_as_columns() {
        for (count, width, depth) in [
            (1, COMPONENT, COMPONENT),
            (2, PITCH + COMPONENT, COMPONENT),
            (3, PITCH + COMPONENT, PITCH + COMPONENT),
            (10, 3 * PITCH + COMPONENT, 2 * PITCH + COMPONENT),
        ] {
            let block = Block::square(&(0..count).collect::<Vec<usize>>());
            assert_eq!((block.width, block.depth), (width, depth), "{count}");
        }
        assert_eq!(Block::square(&[]), Block::default());
    }

    #[test]
    fn rows_and_stacks_leave_out_empty_blocks() {
        let one = || Block::square(&[0]);
        let row = Block::row(vec![Block::default(), one(), Block::default(), one()], 3);
        assert_eq!((row.width, row.depth), (2 * COMPONENT + 3, COMPONENT));
        let stack = Block::stack(vec![Block::default(), one(), Block::default(), one()], 3);
        assert_eq!((stack.width, stack.depth), (COMPONENT, 2 * COMPONENT + 3));
    }

    #[test]
    fn a_small_block_goes_under_another_one_in_the_same_row() {
        let deep = Block::grid(&[0, 1, 2], 1);
        let blocks = vec![deep, Block::square(&[3]), Block::square(&[4])];
        let all = Block::shelves(blocks, 2);
        assert_eq!((all.width, all.depth), (2 * COMPONENT + 2, 2 * PITCH + COMPONENT));
    }

    #[test]
    fn shelves_of_equal_blocks_are_about_a_square() {
        let blocks: Vec<Block> = (0..9).map(|place| Block::square(&[place])).collect();
        let all = Block::shelves(blocks, 2);
        assert_eq!((all.width, all.depth), (3 * COMPONENT + 4, 3 * COMPONENT + 4));
    }
}
