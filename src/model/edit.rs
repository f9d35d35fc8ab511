//! What a change says of one field: nothing, that it goes, or what it becomes.

/// A change of a field that may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Edit<T> {
    /// The field stays as it is.
    #[default]
    Keep,
    /// The field is emptied.
    Clear,
    /// The field becomes this.
    Set(T),
}

impl<T> Edit<T> {
    /// Whether the field stays as it is.
    pub const fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// What the field becomes, where it becomes anything.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Keep | Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }

    /// The same edit of what `value` makes of it.
    pub fn map<U>(self, value: impl FnOnce(T) -> U) -> Edit<U> {
        match self {
            Self::Keep => Edit::Keep,
            Self::Clear => Edit::Clear,
            Self::Set(old) => Edit::Set(value(old)),
        }
    }
}

impl<T: Clone> Edit<T> {
    /// Carries the edit out.
    pub fn apply(&self, field: &mut Option<T>) {
        match self {
            Self::Keep => {},
            Self::Clear => *field = None,
            Self::Set(value) => *field = Some(value.clone()),
        }
    }
}

impl<T: Clone + Default> Edit<T> {
    /// Carries the edit out on a field whose emptiness is a value.
    pub fn apply_or_default(&self, field: &mut T) {
        match self {
            Self::Keep => {},
            Self::Clear => *field = T::default(),
            Self::Set(value) => field.clone_from(value),
        }
    }
}
