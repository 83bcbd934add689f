//! Position records of the state topic: what is read is written so that it reads the same again.
#![no_main]

use tailwater::state::PositionRecord;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    // Written, a record can be larger than it may be: a character may need an escape.
    if let Ok(record) = PositionRecord::from_json(input, "inventory")
        && let Ok(text) = record.to_json("inventory", 1_700_000_000_000_000)
    {
        let again = PositionRecord::from_json(&text, "inventory").expect("what was written");
        assert_eq!(again, record);
    }
});
