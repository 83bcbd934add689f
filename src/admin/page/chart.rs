//! The lag of the last hour as a picture.

use std::fmt::Write as _;

use super::text;
use crate::admin::history::SAMPLES_MAX;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 120.0;

/// A lag below this is drawn near the bottom, so that a healthy connector looks healthy.
const PEAK_MIN_SECONDS: f64 = 1.0;

/// An SVG of the samples; the newest is at the right, the left edge is one hour ago.
pub(super) fn lag(samples: &[f64]) -> String {
    let peak = samples.iter().copied().fold(0.0, f64::max);
    let top = peak.max(PEAK_MIN_SECONDS) * 1.1;
    let missing = SAMPLES_MAX.saturating_sub(samples.len());
    let x = |index: usize| index_number(missing + index) / index_number(SAMPLES_MAX - 1) * WIDTH;
    let y = |lag: f64| HEIGHT - lag / top * HEIGHT;
    let mut line = String::new();
    for (index, lag) in samples.iter().enumerate() {
        let command = if index == 0 { 'M' } else { 'L' };
        write!(line, "{command}{:.1} {:.1}", x(index), y(*lag))
            .expect("writing to a String cannot fail");
    }
    let peak = text::duration(peak);
    let (start, bottom) = (x(0), HEIGHT);
    let area = if samples.is_empty() {
        String::new()
    } else {
        format!("{line}L{WIDTH} {bottom}L{start:.1} {bottom}Z")
    };
    format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" \
         role=\"img\" aria-label=\"Lag over the last hour, at most {peak}\">\
         <path class=\"grid\" d=\"M0 30H{WIDTH}M0 60H{WIDTH}M0 90H{WIDTH}\"/>\
         <path class=\"area\" d=\"{area}\"/><path class=\"line\" d=\"{line}\"/></svg>\
         <div class=\"axis\"><span>1 h ago</span><span>peak {peak}</span><span>now</span></div>"
    )
}

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "at most 360")]
fn index_number(index: usize) -> f64 {
    index as f64
}

#[cfg(test)]
mod tests {
    use super::{SAMPLES_MAX, lag};

    #[test]
    fn the_newest_sample_is_at_the_right_and_the_highest_near_the_top() {
        let chart = lag(&[0.0, 10.0]);
        assert!(chart.contains("class=\"line\" d=\"M718.0 120.0L720.0 10.9\""), "{chart}");
        assert!(chart.contains("at most 10 s"), "{chart}");
        let full = lag(&[0.5; SAMPLES_MAX]);
        assert!(full.contains("d=\"M0.0 65.5"), "{full}");
        assert!(lag(&[]).contains("class=\"area\" d=\"\""));
    }
}
