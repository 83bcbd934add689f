//! A single event, its header and its checksum.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    tailwater::decode::fuzzing::framing(input);
});
