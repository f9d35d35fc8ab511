//! The change of one field: keep, clear or set.

/// A change of a field that may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Edit<T> {
    #[default]
    Keep,
    Clear,
    Set(T),
}

impl<T> Edit<T> {
    pub const fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// The new value, if the edit sets one.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Keep | Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }

    /// Applies a function to the value of the edit, if the edit sets one.
    pub fn map<U>(self, value: impl FnOnce(T) -> U) -> Edit<U> {
        match self {
            Self::Keep => Edit::Keep,
            Self::Clear => Edit::Clear,
            Self::Set(old) => Edit::Set(value(old)),
        }
    }
}

impl<T: Clone> Edit<T> {
    /// Applies the edit to an optional field.
    pub fn apply(&self, field: &mut Option<T>) {
        match self {
            Self::Keep => {},
            Self::Clear => *field = None,
            Self::Set(value) => *field = Some(value.clone()),
        }
    }
}

impl<T: Clone + Default> Edit<T> {
    /// Applies the edit to a field whose default is its empty value.
    pub fn apply_or_default(&self, field: &mut T) {
        match self {
            Self::Keep => {},
            Self::Clear => *field = T::default(),
            Self::Set(value) => field.clone_from(value),
        }
    }
}
