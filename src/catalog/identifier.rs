//! Names in statements.

/// An identifier in backticks, those inside doubled.
pub(super) fn quoted(identifier: &str) -> String {
    format!("`{}`", identifier.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn an_identifier_cannot_leave_its_backticks() {
        assert_eq!(quoted("a`; DROP TABLE b; `"), "`a``; DROP TABLE b; ```");
    }
}
