//! The values of a path's parameters.

/// Maximum number of parameters of a route. The table's tests find a route with more.
pub(super) const PATH_PARAMS_MAX: usize = 3;

/// Where the values of a path's parameters are in the path, in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PathParams {
    places: [(usize, usize); PATH_PARAMS_MAX],
    count: usize,
}

impl PathParams {
    /// Adds the place of the next value, from its first byte to the byte after it.
    pub(super) fn push(&mut self, start: usize, end: usize) {
        if let Some(place) = self.places.get_mut(self.count) {
            *place = (start, end);
            self.count += 1;
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// A value in the path from which it was found, or in a target that begins with this path.
    pub(super) fn get<'a>(&self, at: usize, path: &'a str) -> Option<&'a str> {
        let (start, end) = *self.places.get(at).filter(|_place| at < self.count)?;
        path.get(start..end)
    }

    /// What follows a value in a target that begins with the path.
    pub(super) fn after<'a>(&self, at: usize, target: &'a str) -> Option<&'a str> {
        let (_start, end) = *self.places.get(at).filter(|_place| at < self.count)?;
        target.get(end..)
    }
}
