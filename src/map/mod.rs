//! 3. Decides once per table version: filter, types, envelope, key, topic name.
