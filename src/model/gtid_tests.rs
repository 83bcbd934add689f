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
    for text in [
        "x",
        A,
        "0e4d5dcd:1",
        "0e4d5dcd-a33b-11ea-80f1-02010a22a99e0:1",
        "0e4d-5dcda33b-11ea-80f1-02010a22a99e:1",
        "0e4d5dcda33b-11ea80f102010a22a99e:1",
        &format!("{A}:0"),
        &format!("{A}:5-4"),
        &format!("{A}:1-x"),
        &format!("{A}:+1"),
        &format!("{A}:1-+2"),
        &format!("{A}:-2"),
        &format!("{A}:1:"),
        &format!("{A}:1:blue"),
        &format!("{A}:blue:red:1"),
        &format!("{A}:blue-ish:1"),
        &format!("{A}:{}:1", "a".repeat(TAG_BYTES_MAX + 1)),
        &format!("{A}:9223372036854775807"),
        &format!("{A}:99999999999999999999"),
    ] {
        assert!(text.parse::<GtidSet>().is_err(), "{text}");
    }
    check(&format!("{A}:1-9223372036854775806"), &format!("{A}:1-9223372036854775806"));
}

/// What another program sends has no say in how long an answer or a message becomes.
#[test]
fn long_text_is_read_in_a_moment_or_refused_and_never_repeated() {
    // No number is next to another, and each comes before the earlier ones.
    let numbers: Vec<String> = (0..200_000).rev().map(|n| (2 * n + 1).to_string()).collect();
    let set: GtidSet = format!("{A}:{}", numbers.join(":")).parse().unwrap();
    assert_eq!(set.len(), 200_000);
    assert_eq!(set.minus(&set), GtidSet::default());
    assert!(set.is_subset(&set));
    assert_eq!(set.brief().to_string(), format!("{A}:1:3:5:7 and more, 200000 in all"));

    let message = "x".repeat(100_000).parse::<GtidSet>().unwrap_err().to_string();
    assert!(message.len() < 200, "{} bytes", message.len());
    let too_long = " ".repeat(TEXT_BYTES_MAX + 1);
    assert!(too_long.parse::<GtidSet>().is_err());
}

#[test]
fn huge_ranges_neither_overflow_nor_take_long() {
    let all = format!("{A}:1-{NUMBER_MAX}");
    let set: GtidSet = all.parse().unwrap();
    let middle: GtidSet = format!("{A}:5-{}", NUMBER_MAX - 5).parse().unwrap();
    assert_eq!(set.minus(&middle).to_string(), format!("{A}:1-4:{}-{NUMBER_MAX}", NUMBER_MAX - 4));
    assert_eq!(middle.minus(&set), GtidSet::default());
    assert_eq!(set.len(), NUMBER_MAX);
    let mut joined = set.minus(&middle);
    joined.add_all(&middle);
    assert_eq!(joined, set);
    joined.add(&Gtid { source: source(), number: NUMBER_MAX });
    assert_eq!(joined.to_string(), all);
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

/// Everything that a set of a few sources can hold: the source and the number.
fn source_of(index: u8) -> GtidSource {
    let uuid = if index.is_multiple_of(2) { A } else { B }.parse().unwrap();
    let tag = match index / 2 {
        0 => None,
        1 => Some("blue".into()),
        _ => Some("red".into()),
    };
    GtidSource { uuid, tag }
}

type Model = BTreeSet<(u8, u64)>;

/// Ranges of up to six sources, which overlap, touch and repeat.
fn ranges() -> impl Strategy<Value = Vec<(u8, u64, u64)>> {
    prop::collection::vec((0_u8..6, 1_u64..40, 0_u64..6), 0..30)
}

/// The same set by its own means and by counting.
fn both(ranges: &[(u8, u64, u64)]) -> (GtidSet, Model) {
    let (mut set, mut model) = (GtidSet::default(), Model::new());
    for &(index, first, more) in ranges {
        let last = first + more;
        set.add_interval(&source_of(index), Interval { first, last });
        model.extend((first..=last).map(|number| (index, number)));
    }
    (set, model)
}

fn set_of_model(model: &Model) -> GtidSet {
    let mut set = GtidSet::default();
    for &(index, number) in model {
        set.add(&Gtid { source: source_of(index), number });
    }
    set
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

    #[test]
    fn ranges_of_many_sources_agree_with_the_same_counted(left in ranges(), right in ranges()) {
        let ((a, counted_a), (b, counted_b)) = (both(&left), both(&right));
        prop_assert_eq!(&a, &set_of_model(&counted_a));
        prop_assert_eq!(a.len(), u64::try_from(counted_a.len()).unwrap());
        prop_assert_eq!(a.is_subset(&b), counted_a.is_subset(&counted_b));
        prop_assert_eq!(a.minus(&b), set_of_model(&(&counted_a - &counted_b)));
        let mut union = a.clone();
        union.add_all(&b);
        prop_assert_eq!(&union, &set_of_model(&(&counted_a | &counted_b)));
        prop_assert_eq!(union.minus(&a).is_empty(), b.is_subset(&a));
        // No interval is empty, and none touches the next.
        for (_, intervals) in union.iter() {
            prop_assert!(!intervals.is_empty());
            prop_assert!(intervals.windows(2).all(|pair| pair[0].last + 1 < pair[1].first));
        }
    }

    #[test]
    fn text_in_any_order_is_the_same_set(ranges in ranges(), seed in any::<u64>()) {
        let (set, _) = both(&ranges);
        prop_assert_eq!(&set.to_string().parse::<GtidSet>().unwrap(), &set);
        let mut parts: Vec<String> = ranges
            .iter()
            .map(|&(index, first, more)| format!("{}:{first}-{}", source_of(index), first + more))
            .collect();
        let middle = usize::try_from(seed).unwrap() % parts.len().max(1);
        parts.rotate_left(middle);
        prop_assert_eq!(parts.join(",").parse::<GtidSet>().unwrap(), set);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-0-9a-f:, _A-Z+é]{0,60}") {
        drop(text.parse::<GtidSet>().map(|set| set.to_string()));
    }
}
