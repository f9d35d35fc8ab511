//! Tables of stable names with a meaning: fault codes and actions of the audit log.

/// Defines a constant of the type for each name, and `ALL` with all of them. The type has the fields
/// `name` and `meaning`.
macro_rules! named {
    ($named:ident: $($constant:ident = $name:literal, $meaning:literal;)*) => {
        impl $named {
            $(pub const $constant: Self = Self { name: $name, meaning: $meaning };)*

            /// The whole table, sorted by name.
            pub const ALL: &[Self] = &[$(Self::$constant),*];
        }
    };
}

pub(super) use named;

#[cfg(test)]
mod tests {
    use crate::model::audit_action::AuditAction;
    use crate::model::fault::FaultCode;

    #[test]
    fn each_name_is_in_its_table_once() {
        let codes: Vec<_> = FaultCode::ALL.iter().map(|it| it.name).collect();
        let actions: Vec<_> = AuditAction::ALL.iter().map(|it| it.name).collect();
        for names in [codes, actions] {
            assert!(names.is_sorted_by(|one, next| one < next), "{names:?}");
        }
    }
}
