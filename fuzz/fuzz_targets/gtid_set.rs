//! GTID sets and GTIDs as text: what is read is written so that it reads the same again.
#![no_main]

use tailwater::model::gtid::{Gtid, GtidSet};

libfuzzer_sys::fuzz_target!(|input: &str| {
    if let Ok(set) = input.parse::<GtidSet>() {
        let text = set.to_string();
        assert_eq!(text.parse::<GtidSet>().as_ref(), Ok(&set), "{text}");
        assert!(set.is_subset(&set) && set.minus(&set).is_empty());
    }
    if let Ok(gtid) = input.parse::<Gtid>() {
        let mut set = GtidSet::default();
        set.add(&gtid);
        assert!(set.contains(&gtid) && set.len() == 1);
    }
});
