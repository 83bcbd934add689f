//! Log lines on their way to stderr.
//!
//! The reader of stderr may stop: a full pipe blocks its writer, a closed pipe refuses. The
//! pipeline must not stop with it, so a thread of its own writes the lines. Lines that find the
//! thread's buffer full are lost, and the log says how many as soon as it can.
//!
//! The same thread draws the progress bars on a terminal, so that bars and lines never overwrite
//! each other: it redraws them at each flush.
//!
//! The crate `tracing-appender` has such a thread too. Tailwater does not use it, because it bounds
//! its queue by lines instead of bytes, and because its thread has no place to redraw the bars.

use std::{
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::runtime::thread_named;

/// Bytes that wait to be written: minutes of ordinary lines.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// How long the end of the process waits for its last lines to be written.
const LAST_LINES_PATIENCE: Duration = Duration::from_secs(1);

/// The way to stderr; all clones share one buffer. Writing to it never waits and never fails.
#[derive(Clone)]
pub struct LogWriter {
    shared: Arc<Shared>,
}

struct Shared {
    waiting: Mutex<WaitingLines>,
    changed: Condvar,
}

/// What is not written yet.
#[derive(Default)]
struct WaitingLines {
    lines: Vec<u8>,
    lines_lost: u64,
    /// Whether a caller waits until the thread has written everything.
    is_awaited: bool,
    /// Whether the thread is writing what it took from here.
    is_writing: bool,
}

impl LogWriter {
    /// Starts the thread that writes to `sink`; it ends with the process. The sink is flushed after
    /// lines, and after `flush_every` without any.
    ///
    /// # Errors
    /// When the system has no thread left to give.
    pub fn start(
        mut sink: impl Write + Send + 'static,
        flush_every: Option<Duration>,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared { waiting: Mutex::default(), changed: Condvar::new() });
        let log = Self { shared };
        let of_thread = log.clone();
        thread_named("log", move || {
            let mut lines = Vec::new();
            loop {
                let lost = of_thread.take(&mut lines, flush_every);
                // There is no place left to report that stderr fails.
                drop(sink.write_all(&lines).and_then(|()| sink.flush()));
                if 0 < lost {
                    tracing::warn!(
                        lines = lost,
                        "log lines were lost, because stderr was not read fast enough"
                    );
                }
            }
        })?;
        Ok(log)
    }

    /// Waits until everything is written and the sink was flushed, but not for long.
    pub fn finish(&self) {
        let mut waiting = self.waiting();
        waiting.is_awaited = true;
        self.shared.changed.notify_all();
        let is_busy = |waiting: &mut WaitingLines| waiting.is_writing || waiting.has_work();
        let waited = self.shared.changed.wait_timeout_while(waiting, LAST_LINES_PATIENCE, is_busy);
        drop(waited);
    }

    /// Waits for lines, not longer than `patience` if there is one, and takes them all; says how
    /// many were lost behind them.
    fn take(&self, lines: &mut Vec<u8>, patience: Option<Duration>) -> u64 {
        let mut waiting = self.waiting();
        waiting.is_writing = false;
        self.shared.changed.notify_all();
        let changed = &self.shared.changed;
        let is_idle = |waiting: &mut WaitingLines| !waiting.has_work();
        let mut waiting = match patience {
            None => changed.wait_while(waiting, is_idle).unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                let waited = changed.wait_timeout_while(waiting, patience, is_idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        lines.clear();
        std::mem::swap(lines, &mut waiting.lines);
        waiting.is_awaited = false;
        waiting.is_writing = true;
        std::mem::take(&mut waiting.lines_lost)
    }

    fn waiting(&self) -> MutexGuard<'_, WaitingLines> {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WaitingLines {
    fn has_work(&self) -> bool {
        self.is_awaited || !self.lines.is_empty()
    }
}

impl Write for LogWriter {
    /// Takes whole lines only: one that does not fit is lost as a whole.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let mut waiting = self.waiting();
        if waiting.lines.is_empty() || waiting.lines.len() + lines.len() <= WAITING_BYTES_MAX {
            waiting.lines.extend_from_slice(lines);
            self.shared.changed.notify_all();
        } else {
            waiting.lines_lost += 1;
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex, mpsc},
    };

    use super::{LogWriter, WAITING_BYTES_MAX};

    /// Takes bytes only as often as it is allowed to.
    struct Reluctant {
        allowed: mpsc::Receiver<()>,
        taken: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Reluctant {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.allowed.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
            self.taken.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_not_read_is_bounded_and_what_is_read_is_in_order() {
        let (allow, allowed) = mpsc::channel();
        let taken = Arc::default();
        let mut log =
            LogWriter::start(Reluctant { allowed, taken: Arc::clone(&taken) }, None).unwrap();
        let mut line = vec![b'x'; 999];
        line.push(b'\n');
        log.write_all(b"first\n").unwrap();
        for _ in 0..3 * WAITING_BYTES_MAX / line.len() {
            log.write_all(&line).unwrap();
        }
        let (waiting, lost) = {
            let waiting = log.waiting();
            (waiting.lines.len(), waiting.lines_lost)
        };
        assert!(waiting <= WAITING_BYTES_MAX && 0 < lost, "{waiting} bytes, {lost} lines lost");
        for _ in 0..3 {
            allow.send(()).unwrap();
        }
        log.finish();
        log.write_all(b"last\n").unwrap();
        log.finish();
        let taken = taken.lock().unwrap();
        assert!(taken.starts_with(b"first\nx") && taken.ends_with(b"x\nlast\n"));
        // As much may be in the thread's hands as waits behind it.
        assert!(taken.len() <= 2 * WAITING_BYTES_MAX + 11, "{} bytes", taken.len());
    }

    #[test]
    fn a_closed_sink_is_no_trouble() {
        let (_, allowed) = mpsc::channel();
        let mut log = LogWriter::start(Reluctant { allowed, taken: Arc::default() }, None).unwrap();
        for _ in 0..3 {
            log.write_all(b"a line\n").unwrap();
            log.finish();
        }
    }
}
