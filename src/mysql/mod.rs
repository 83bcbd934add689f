//! 1. Reads the binlog: connections, preflight, dump stream, heartbeats, reconnection.
