//! Tables that change while they are captured: every record fits the schema whose id it carries,
//! keys stay what they were, and what nobody can be told halts.

mod trouble;
