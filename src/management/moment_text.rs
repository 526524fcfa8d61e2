//! A moment as RabbitMQ writes it: `2026-11-30T06:21:20.066+00:00`.

use crate::message::{CivilTime, Moment};

/// The moment in UTC, to the millisecond.
pub(super) fn text(moment: Moment) -> String {
    let CivilTime { year, month, day, hour, minute, second } =
        CivilTime::of_seconds(moment.0 / 1000);
    let part = moment.0 % 1000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{part:03}+00:00")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc() {
        for (ms, expected) in [
            (0, "1970-01-01T00:00:00.000+00:00"),
            (951_782_400_007, "2000-02-29T00:00:00.007+00:00"),
            (1_796_019_680_066, "2026-11-30T06:21:20.066+00:00"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999+00:00"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000+00:00"),
        ] {
            assert_eq!(text(Moment(ms)), expected);
        }
    }
}
