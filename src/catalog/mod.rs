//! What `information_schema` knows, read when a table version is first seen.
