//! Keeps the errors and warnings of the log for `/status`.

use std::fmt::{Debug, Write as _};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use crate::{
    runtime::wall_clock,
    status::{Notice, Notices},
};

/// Keeps every event that comes.
pub(super) struct NoticeLayer(Notices);

impl NoticeLayer {
    /// Keeps events here.
    pub(super) fn new(notices: Notices) -> Self {
        Self(notices)
    }
}

impl<S: Subscriber> Layer<S> for NoticeLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = EventFields::default();
        event.record(&mut fields);
        let EventFields { message, reason, hint, others } = fields;
        let message = if others.is_empty() { message } else { format!("{message} ({others})") };
        let is_error = *event.metadata().level() == Level::ERROR;
        self.0.add(Notice { time: wall_clock(), count: 1, is_error, reason, message, hint });
    }
}

/// The fields of an event.
#[derive(Default)]
struct EventFields {
    message: String,
    reason: Option<String>,
    hint: Option<String>,
    /// `name: value`, separated by commas.
    others: String,
}

impl EventFields {
    fn take(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            "reason" => self.reason = Some(value),
            "hint" => self.hint = Some(value),
            name => {
                let separator = if self.others.is_empty() { "" } else { ", " };
                let written = write!(self.others, "{separator}{name}: {value}");
                written.expect("writing to a String cannot fail");
            }
        }
    }
}

impl Visit for EventFields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.take(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::{Layer as _, filter::LevelFilter, layer::SubscriberExt as _};

    use super::NoticeLayer;
    use crate::status::Notices;

    #[test]
    fn errors_and_warnings_are_kept_with_their_fields_and_nothing_else_is() {
        let notices = Notices::default();
        let layer = NoticeLayer::new(notices.clone()).with_filter(LevelFilter::WARN);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::info!("streaming");
            let hint = Some("Start it.");
            tracing::warn!(reason = "kafka_unreachable", hint, "no broker; trying again");
            tracing::error!(table = %"shop.orders", rows = 3, "lost");
        });
        let kept = notices.newest_first();
        let [error, warning] = &kept[..] else { panic!("{kept:?}") };
        assert!(error.is_error && !warning.is_error);
        assert_eq!(error.message, "lost (table: shop.orders, rows: 3)");
        assert_eq!(warning.message, "no broker; trying again");
        assert_eq!(warning.reason.as_deref(), Some("kafka_unreachable"));
        assert_eq!(warning.hint.as_deref(), Some("Start it."));
    }
}
