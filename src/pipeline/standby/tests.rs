//! When a standby starts, and what it takes for silence.

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Cause, PATIENCE_MAX, PATIENCE_MIN, Standby,
    heard::{Heard, STEP_MAX},
};
use crate::state::{Seen, SeenPosition};

const MOMENT: Duration = Duration::from_millis(200);

fn instance(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// The state topic with one position of the instance with this number and the marker behind it.
fn seen(offset: i64, generation: u64, released: bool) -> Seen {
    Seen {
        end: offset + 2,
        last_record: Some(offset),
        position: Some(SeenPosition {
            offset,
            generation,
            instance: Some(instance(generation.into())),
            released,
        }),
    }
}

/// Has listened from this end on, and heard nothing for so long.
fn heard(from: i64, silence: Duration) -> Heard {
    Heard { from, silence, ..Heard::default() }
}

#[test]
fn it_starts_at_once_only_where_nobody_can_be_at_work() {
    let standby = Standby::default();
    let decide = |seen, own| standby.decide(&seen, instance(own), &heard(5, MOMENT));
    assert_eq!(decide(Seen::default(), 0), Some(Cause::First));
    assert_eq!(decide(seen(7, 3, true), 0), Some(Cause::Released));
    assert_eq!(decide(seen(7, 3, false), 3), Some(Cause::Own));
    assert_eq!(decide(seen(7, 3, false), 2), None);
    let unreadable = Seen { position: None, ..seen(7, 3, false) };
    assert_eq!(decide(unreadable, 0), None);
    // A release from before it listened may be another one's.
    assert_eq!(decide(seen(3, 3, true), 0), None);
    let silent = heard(5, PATIENCE_MIN);
    assert_eq!(standby.decide(&seen(3, 3, true), instance(0), &silent), Some(Cause::Silent));
}

#[test]
fn a_start_that_failed_is_repeated_until_somebody_shows_life() {
    // GIVEN one that decided to start and could not
    let mut standby = Standby::default();
    standby.start(Cause::Silent, 9, Instant::now());
    let decide = |seen| standby.decide(&seen, instance(0), &heard(9, MOMENT));
    // THEN it need not wait again, unless something has come since
    assert_eq!(decide(seen(7, 3, false)), Some(Cause::Still));
    assert_eq!(decide(Seen { end: 10, ..seen(7, 3, false) }), Some(Cause::Still));
    assert_eq!(decide(seen(9, 4, false)), None);
}

#[test]
fn who_is_fenced_waits_whatever_it_saw_before() {
    // GIVEN two that started at once
    let mut standby = Standby::default();
    standby.start(Cause::Released, 9, Instant::now());
    standby.fenced_after(Some(MOMENT));
    let decide = |seen, own| standby.decide(&seen, instance(own), &heard(9, MOMENT));
    // THEN the one that was fenced leaves it to the other
    assert_eq!(decide(seen(7, 3, true), 4), None);
    assert_eq!(decide(seen(7, 4, false), 4), None);
    assert_eq!(decide(Seen::default(), 0), None);
    // AND takes it up when that one releases it too
    assert_eq!(decide(seen(9, 4, true), 3), Some(Cause::Released));
}

#[test]
fn the_patience_of_who_loses_what_it_had_doubles_up_to_a_limit() {
    let mut standby = Standby::default();
    for _ in 0..4 {
        let before = standby.patience;
        standby.fenced_after(Some(PATIENCE_MIN));
        assert_eq!(standby.patience, before * 2);
        // Lost to one that had heard the same silence.
        standby.fenced_after(Some(MOMENT));
        assert_eq!(standby.patience, before * 2);
    }
    for _ in 0..9 {
        standby.fenced_after(Some(PATIENCE_MIN));
    }
    assert_eq!(standby.patience, PATIENCE_MAX);
    standby.fenced_after(Some(Duration::from_hours(1)));
    assert_eq!(standby.patience, PATIENCE_MIN);
}

#[test]
fn silence_is_time_in_which_answers_came_and_the_end_stood_still() {
    let mut now = Instant::now();
    let mut heard = Heard::default();
    let mut hear = |answer, after| {
        now += after;
        heard.hear(answer, now);
        heard.silence
    };
    assert_eq!(hear(Some(5), MOMENT), Duration::ZERO);
    assert_eq!(hear(Some(5), MOMENT), MOMENT);
    assert_eq!(hear(Some(5), MOMENT), 2 * MOMENT);
    assert_eq!(hear(Some(6), MOMENT), Duration::ZERO);
    // A pause of this process counts for a moment, not for its length.
    assert_eq!(hear(Some(6), Duration::from_hours(1)), STEP_MAX);
    assert_eq!(hear(Some(6), STEP_MAX), 2 * STEP_MAX);
    // An outage says nothing, neither its time nor the time before it.
    assert_eq!(hear(None, STEP_MAX), Duration::ZERO);
    assert_eq!(hear(Some(6), STEP_MAX), Duration::ZERO);
    assert_eq!(hear(Some(6), MOMENT), MOMENT);
}

#[test]
fn it_is_calm_when_no_silence_was_a_long_one_for_a_while() {
    let mut now = Instant::now();
    let mut heard = Heard::default();
    let mut is_calm_after = |end, step| {
        now += step;
        heard.hear(Some(end), now);
        heard.is_calm()
    };
    for end in 0..=60 {
        assert!(!is_calm_after(end, Duration::from_millis(999)));
    }
    assert!(is_calm_after(61, STEP_MAX));
    is_calm_after(61, STEP_MAX);
    assert!(!is_calm_after(61, STEP_MAX), "two seconds are half of a death");
    assert!(!is_calm_after(62, MOMENT));
}
