//! The HTTP statuses of a schema registry, sorted by what they mean. `docs/OPERATING.md` shows the
//! table.

use std::{fmt, ops::RangeInclusive};

/// What a status means for the connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusMeaning {
    /// It passes: tried again, as long as it takes.
    Passes,
    /// The login is refused, or the account may not do it.
    Login,
    /// There is nothing at that path: no schema, no subject, or no registry.
    NotThere,
    /// What answers is no registry.
    Elsewhere,
    /// The schema is refused.
    Refused,
    /// It is not known.
    Unknown,
}

/// HTTP statuses with their meaning.
#[derive(Clone, Debug)]
pub struct RegistryStatus {
    /// The statuses.
    pub statuses: RangeInclusive<u16>,
    /// Their name.
    pub name: &'static str,
    /// What happened.
    pub says: &'static str,
    /// What it means.
    pub meaning: StatusMeaning,
}

const fn row(
    statuses: RangeInclusive<u16>,
    name: &'static str,
    says: &'static str,
    meaning: StatusMeaning,
) -> RegistryStatus {
    RegistryStatus { statuses, name, says, meaning }
}

use StatusMeaning::{Elsewhere, Login, NotThere, Passes, Refused, Unknown};

/// Every status that is sorted, by number.
#[rustfmt::skip]
pub const REGISTRY_STATUSES: &[RegistryStatus] = &[
    row(300..=399, "redirection", "a login page or a gateway answers", Elsewhere),
    row(400..=400, "Bad Request", "the registry does not accept the schema", Refused),
    row(401..=401, "Unauthorized", "the login is refused", Login),
    row(403..=403, "Forbidden", "the account lacks a right", Login),
    row(404..=404, "Not Found", "no such schema or subject; at the start, no registry at that path", NotThere),
    row(405..=405, "Method Not Allowed", "the server does not know the request", Refused),
    row(408..=408, "Request Timeout", "the registry was too slow", Passes),
    row(409..=409, "Conflict", "the schema is incompatible with earlier ones", Refused),
    row(413..=413, "Content Too Large", "the schema is larger than the registry accepts", Refused),
    row(422..=422, "Unprocessable Content", "the registry does not accept the schema", Refused),
    row(425..=425, "Too Early", "not yet", Passes),
    row(429..=429, "Too Many Requests", "a rate limit is reached", Passes),
    row(500..=599, "server error", "the registry or its store failed", Passes),
];

/// What a status means.
pub(super) fn meaning(status: u16) -> StatusMeaning {
    let row = REGISTRY_STATUSES.iter().find(|row| row.statuses.contains(&status));
    row.map_or(Unknown, |row| row.meaning)
}

impl StatusMeaning {
    /// What the connector does, for `docs/OPERATING.md`.
    pub fn does(self) -> &'static str {
        match self {
            Passes => "retries (`registry_unavailable`)",
            Login => {
                "ends with 78 (`registry_access_denied`), after two minutes of retries if an \
                 earlier login worked"
            }
            NotThere => "registers the missing schema, or halts (`registry_path_wrong`)",
            Elsewhere => "halts (`registry_path_wrong`)",
            Refused => "halts (`schema_incompatible` for 409, otherwise `schema_refused`)",
            Unknown => "retries for two minutes, then halts (`registry_error_unknown`)",
        }
    }
}

impl fmt::Display for RegistryStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.statuses.start(), self.statuses.end());
        if first == last { write!(f, "{first}") } else { write!(f, "{first} to {last}") }
    }
}

#[cfg(test)]
mod tests {
    use super::{REGISTRY_STATUSES, StatusMeaning, meaning};

    #[test]
    fn statuses_are_in_order_and_no_two_rows_have_one() {
        let apart =
            |rows: &[super::RegistryStatus]| rows[0].statuses.end() < rows[1].statuses.start();
        assert!(REGISTRY_STATUSES.windows(2).all(apart));
        assert_eq!(meaning(418), StatusMeaning::Unknown);
    }
}
