//! Says what is going on while a command works: one moving line a job on a terminal, a plain line
//! every ten seconds elsewhere. All of it goes to stderr.

use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::stopwatch::Stopwatch;

const TERMINAL_INTERVAL: Duration = Duration::from_millis(200);
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Prints one line to stderr, above the moving lines if there are any.
pub fn say(text: impl AsRef<str>) {
    BARS.suspend(|| {
        // A closed stderr must not stop the work.
        drop(writeln!(io::stderr(), "{}", text.as_ref()));
    });
}

/// Something that takes a while. Dropped without [`Job::done`] it vanishes in silence, because
/// the error that ended it is reported elsewhere.
#[derive(Debug)]
pub struct Job {
    name: String,
    stopwatch: Stopwatch,
    bar: Option<ProgressBar>,
    ticker: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Job {
    /// Starts showing `name` with what `describe` says about how far it is.
    pub fn start(name: impl Into<String>, describe: impl Fn() -> String + Send + 'static) -> Self {
        let name = name.into();
        let stopwatch = Stopwatch::start();
        let bar = io::stderr().is_terminal().then(|| BARS.add(spinner(&name)));
        let interval = if bar.is_some() { TERMINAL_INTERVAL } else { PLAIN_INTERVAL };
        let (stop, stopped) = channel::<()>();
        let (ticker_name, ticker_bar) = (name.clone(), bar.clone());
        let ticker = thread::spawn(move || {
            // A timeout is the normal case; the other error is that the job is over.
            while stopped
                .recv_timeout(interval)
                .is_err_and(|error| matches!(error, std::sync::mpsc::RecvTimeoutError::Timeout))
            {
                match &ticker_bar {
                    Some(bar) => bar.set_message(describe()),
                    None => say(plain_line(&ticker_name, &describe(), stopwatch.elapsed())),
                }
            }
        });
        Self { name, stopwatch, bar, ticker: Some((stop, ticker)) }
    }

    /// Ends the job and leaves one line with `result` and the time it took.
    pub fn done(mut self, result: &str) {
        self.end();
        say(plain_line(&self.name, result, self.stopwatch.elapsed()));
    }

    fn end(&mut self) {
        if let Some((stop, ticker)) = self.ticker.take() {
            drop(stop);
            drop(ticker.join());
        }
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.end();
    }
}

/// A duration as people read it: `8.4 s`, `2 min 05 s`.
pub fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

fn plain_line(name: &str, text: &str, elapsed: Duration) -> String {
    format!("  {name}: {text} ({})", human(elapsed))
}

fn spinner(name: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {prefix}: {wide_msg} {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new_spinner().with_style(style).with_prefix(name.to_owned());
    bar.enable_steady_tick(TERMINAL_INTERVAL);
    bar
}
