//! The log: where its lines go, and in which form.

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use tracing_subscriber::{
    EnvFilter, Layer as _, filter::LevelFilter, fmt, layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use super::{
    arguments::{Arguments, Command, LogFormat},
    bars::{Bars, Screen},
    notice_layer::NoticeLayer,
};
use crate::{
    config,
    logging::LogWriter,
    status::{Notices, Status},
};

/// How often the bars are redrawn.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The log on stderr, with progress bars below it if stderr is a terminal and the log is text.
pub(super) fn start_writer(arguments: &Arguments, status: &Status) -> io::Result<LogWriter> {
    let may_have_bars = matches!(arguments.command, Command::Run { .. }) && is_text(arguments);
    match Bars::new().filter(|_| may_have_bars) {
        Some(bars) => LogWriter::start(Screen::new(bars, status.clone()), Some(LOOK_EVERY)),
        None => LogWriter::start(io::stderr(), None),
    }
}

/// Whether log lines are text, not JSON.
fn is_text(arguments: &Arguments) -> bool {
    match arguments.log_format {
        Some(format) => matches!(format, LogFormat::Text),
        None => io::stderr().is_terminal(),
    }
}

/// Checks the value of `--log`. A directive without `=` that is no level would be read as a target
/// with all its lines, of which there are none.
pub(super) fn check_level(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    let is_level = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    let unknown = text.split(',').map(str::trim).find(|directive| {
        !directive.contains(['=', '['])
            && !directive.starts_with("tailwater")
            && !is_level(directive)
    });
    if let Some(unknown) = unknown {
        return Err(format!("`{unknown}` is no level; the levels are {}", LEVELS.join(", ")));
    }
    let filter = EnvFilter::try_new(text);
    filter.map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// Sends all log lines to the writer, from here on, and keeps errors and warnings for `/status`,
/// whatever level is logged.
pub(super) fn start(arguments: &Arguments, log: &LogWriter, notices: &Notices) {
    // What a tail shows is for people, and so are its messages.
    let usual = if matches!(arguments.command, Command::Tail(_)) { "warn" } else { "info" };
    let level = arguments.log.as_deref().unwrap_or(usual);
    let filter = EnvFilter::new(level);
    let log = log.clone();
    let lines = fmt::layer().with_writer(move || log.clone());
    let lines = if is_text(arguments) {
        let is_colored = io::stderr().is_terminal() && !config::is_plain_terminal();
        lines.with_ansi(is_colored).with_target(false).with_filter(filter).boxed()
    } else {
        lines.json().flatten_event(true).with_filter(filter).boxed()
    };
    let notices = NoticeLayer::new(notices.clone()).with_filter(LevelFilter::WARN);
    tracing_subscriber::registry().with(lines).with(notices).init();
    // The default hook writes to stderr itself and would block when the reader of stderr does.
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
}
