//! GTID sets: text in and out, and the algebra against a model that counts single numbers.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const A: &str = "0e4d5dcd-a33b-11ea-80f1-02010a22a99e";
const B: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

fn check(text: &str, expected: &str) {
    assert_eq!(text.parse::<GtidSet>().unwrap().to_string(), expected);
}

#[test]
fn text_is_read_and_written_in_the_servers_own_form() {
    check("", "");
    check(&format!("{A}:1-5"), &format!("{A}:1-5"));
    check(&format!("{B}:7 ,\n{A}:3-4:1-2"), &format!("{A}:1-4,{B}:7"));
    check(&A.to_uppercase().replace('-', "").replace("9E", "9E:9"), &format!("{A}:9"));
    check(&format!("{A}:1-3:blue:1:3-4,{B}:red:2"), &format!("{A}:1-3:blue:1:3-4,{B}:red:2"));
}

#[test]
fn bad_text_is_refused() {
    for text in ["x", A, "0e4d5dcd:1", &format!("{A}:0"), &format!("{A}:5-4"), &format!("{A}:1-x")]
    {
        assert!(text.parse::<GtidSet>().is_err(), "{text}");
    }
}

#[test]
fn tags_are_sequences_of_their_own() {
    let set: GtidSet = format!("{A}:1-3:blue:1-3").parse().unwrap();
    let plain: GtidSet = format!("{A}:1-3").parse().unwrap();
    assert!(plain.is_subset(&set));
    assert!(!set.is_subset(&plain));
    assert_eq!(set.minus(&plain).to_string(), format!("{A}:blue:1-3"));
    assert_eq!(set.len(), 6);
}

fn set_of(numbers: &BTreeSet<u64>) -> GtidSet {
    let mut set = GtidSet::default();
    for &number in numbers {
        set.add(&Gtid { source: source(), number });
    }
    set
}

fn source() -> GtidSource {
    GtidSource { uuid: A.parse().unwrap(), tag: None }
}

proptest! {
    #[test]
    fn the_algebra_agrees_with_sets_of_single_numbers(
        left in prop::collection::vec(1_u64..40, 0..30),
        right in prop::collection::btree_set(1_u64..40, 0..30),
    ) {
        let mut a = GtidSet::default();
        for &number in &left {
            a.add(&Gtid { source: source(), number });
        }
        let left: BTreeSet<u64> = left.into_iter().collect();
        let b = set_of(&right);
        prop_assert_eq!(&a, &set_of(&left));
        prop_assert_eq!(a.len(), u64::try_from(left.len()).unwrap());
        prop_assert_eq!(a.is_subset(&b), left.is_subset(&right));
        prop_assert_eq!(a.minus(&b), set_of(&left.difference(&right).copied().collect()));
        let mut union = a.clone();
        union.add_all(&b);
        prop_assert_eq!(&union, &set_of(&left.union(&right).copied().collect()));
        prop_assert_eq!(union.to_string().parse::<GtidSet>().unwrap(), union);
        for number in 1..40 {
            let gtid = Gtid { source: source(), number };
            prop_assert_eq!(a.contains(&gtid), left.contains(&number));
        }
    }
}
