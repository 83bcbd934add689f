//! The commands and the native stack.
