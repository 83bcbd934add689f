//! Rows events and the TABLE_MAP events before them.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    tailwater::decode::fuzzing::rows(input);
});
