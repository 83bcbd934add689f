//! TABLE_MAP events.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    tailwater::decode::fuzzing::table_map(input);
});
