//! JSON documents.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    tailwater::decode::fuzzing::json(input);
});
