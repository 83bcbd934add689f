//! 2. Understands it: framing and checksums, TABLE_MAP, rows, the transaction grammar.
