//! A compressed transaction.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    tailwater::mysql::fuzzing::payload(input);
});
