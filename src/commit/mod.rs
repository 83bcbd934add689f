//! 6. Remembers how far: the state topic and the position record.
