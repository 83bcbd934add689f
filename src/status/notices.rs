//! The errors and warnings that were logged last.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use crate::error::Failure;

/// Most notices that are kept.
const NOTICES_MAX: usize = 20;

/// Most characters of a text that is kept.
const TEXT_CHARACTERS_MAX: usize = 2000;

/// The errors and warnings that were logged last; all copies are one. A text that comes again
/// moves to the end and counts how often it came.
#[derive(Clone, Default)]
pub struct Notices(Arc<Mutex<VecDeque<Notice>>>);

/// An error or a warning of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// When it was logged last.
    pub time: SystemTime,
    /// How often it was logged while it was kept.
    pub count: u64,
    /// Whether it is an error, otherwise a warning.
    pub is_error: bool,
    /// The reason code, if it has one.
    pub reason: Option<String>,
    /// What happened, with the fields of the log line.
    pub message: String,
    /// How to fix it.
    pub hint: Option<String>,
}

impl Notice {
    /// The failure that ends the pipeline. The log has it as text only.
    pub(super) fn of(failure: &Failure, time: SystemTime) -> Self {
        Self {
            time,
            count: 1,
            is_error: true,
            reason: Some(failure.reason.name().to_owned()),
            message: failure.message.clone(),
            hint: Some(failure.hint.clone()).filter(|hint| !hint.is_empty()),
        }
    }
}

impl Notices {
    /// Keeps a notice.
    pub fn add(&self, mut notice: Notice) {
        shorten(&mut notice.message);
        notice.hint.iter_mut().for_each(shorten);
        let mut notices = self.lock();
        let is_same = |kept: &Notice| {
            (&kept.message, &kept.reason, &kept.hint)
                == (&notice.message, &notice.reason, &notice.hint)
        };
        if let Some(same) = notices.iter().position(is_same).and_then(|at| notices.remove(at)) {
            notice.count = notice.count.saturating_add(same.count);
        } else if notices.len() == NOTICES_MAX {
            notices.pop_front();
        }
        notices.push_back(notice);
    }

    /// All that are kept, the newest first.
    pub fn newest_first(&self) -> Vec<Notice> {
        self.lock().iter().rev().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Notice>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shorten(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(TEXT_CHARACTERS_MAX) {
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{NOTICES_MAX, Notice, Notices, TEXT_CHARACTERS_MAX};

    fn notice(message: &str, second: u64) -> Notice {
        Notice {
            time: UNIX_EPOCH + Duration::from_secs(second),
            count: 1,
            is_error: false,
            reason: None,
            message: message.to_owned(),
            hint: None,
        }
    }

    #[test]
    fn the_newest_notices_are_kept_and_a_repeated_one_is_kept_once() {
        let notices = Notices::default();
        for second in 0..100 {
            notices.add(notice(&format!("number {}", second / 2), second));
        }
        let kept = notices.newest_first();
        assert_eq!(kept.len(), NOTICES_MAX);
        assert_eq!(kept.first(), Some(&Notice { count: 2, ..notice("number 49", 99) }));
        assert_eq!(kept.last().unwrap().message, "number 30");
        notices.add(notice(&"ä".repeat(5000), 200));
        let long = notices.newest_first().remove(0).message;
        assert_eq!(long.chars().count(), TEXT_CHARACTERS_MAX + 1);
    }
}
