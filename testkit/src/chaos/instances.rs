//! Instances of one connector: a standby that takes over, and runs that capture other tables.

use anyhow::Result;
use serde_json::json;

use super::campaign::Campaign;
use super::check::Kind;
use super::workload::{IGNORED, VISITS};
use crate::{Connector, Random};

impl Campaign {
    /// An instance stands by; the one that streams dies, ends in order or freezes, and the other
    /// goes on. One that was frozen ends with 75 when it wakes up.
    pub(super) fn take_over(&mut self, random: &mut Random) -> Result<()> {
        // One that was started as a standby would stand by again instead of ending.
        if self.stands_by {
            self.kill_connector()?;
        }
        self.ensure_streaming()?;
        let Some(mut first) = self.connector.take() else { return Ok(()) };
        let (program, settings) = (&self.arena.program, &self.arena.settings);
        let mut second = Connector::start_with(program, settings, &["run", "--standby"])?;
        self.report.starts += 1;
        let stands_by = second.wait_while_running("a standby", |connector| {
            let status = connector.get("/status")?.json()?;
            let state = status.get("state").and_then(serde_json::Value::as_str);
            // A machine that is busy may make it take over already.
            Ok(state.filter(|state| ["standby", "streaming"].contains(state)).map(drop))
        });
        self.connector = Some(second);
        self.stands_by = true;
        if let Err(error) = stands_by {
            self.violate(Kind::Stuck, format!("does not stand by: {error:#}"));
        }
        let end = if first.has_ended()? { 3 } else { random.in_range(0..3) };
        match end {
            0 => {
                self.report.kills += 1;
                first.kill()?;
                self.bury(&first);
            }
            1 => {
                first.terminate()?;
                self.report.terminations += 1;
            }
            2 => {
                first.pause()?;
                self.report.freezes += 1;
            }
            _ => {}
        }
        self.await_progress()?;
        self.count("takeover by a standby");
        match end {
            0 => Ok(()),
            // The other may have thought it dead a moment before.
            1 => self.judge_exit(&mut first, &[0, 75]),
            2 => self.wake_up(first),
            _ => self.judge_exit(&mut first, &[75]),
        }
    }

    /// Wakes up an instance that another one has replaced: it ends with 75.
    pub(super) fn wake_up(&mut self, mut first: Connector) -> Result<()> {
        first.resume()?;
        self.report.fenced += 1;
        self.judge_exit(&mut first, &[75])
    }

    /// The connector dies or ends in order, and the next run captures a table that this one left
    /// out, or the other way round.
    pub(super) fn change_capture(&mut self, random: &mut Random) -> Result<()> {
        self.ensure_streaming()?;
        if random.is_one_in(2) {
            self.kill_connector()?;
        } else if let Some(mut connector) = self.connector.take() {
            connector.terminate()?;
            self.report.terminations += 1;
            self.judge_exit(&mut connector, &[0, 74])?;
        }
        self.set_capture(!self.is_left_out);
        self.await_progress()
    }

    /// Says what the next run captures.
    pub(super) fn set_capture(&mut self, is_left_out: bool) {
        if self.is_left_out != is_left_out {
            self.count("change of the capture list");
        }
        self.is_left_out = is_left_out;
        let name = self.arena.database.name();
        let mut excluded = vec![format!("{name}.{IGNORED}")];
        if is_left_out {
            excluded.push(format!("{name}.{VISITS}"));
        }
        self.arena.settings.set("capture.exclude_tables", json!(excluded));
    }
}
