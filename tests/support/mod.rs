//! What suites share: a connector on real servers, a writer under load, recorded rows.

pub(crate) mod load;
pub(crate) mod reference;
pub(crate) mod setup;
pub(crate) mod turnstile;
