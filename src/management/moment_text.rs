//! A moment as RabbitMQ writes it: `2026-11-30T06:21:20.066+00:00`.

use crate::message::Moment;

const DAY_MS: u64 = 86_400_000;

/// The moment in UTC, to the millisecond.
pub(super) fn text(moment: Moment) -> String {
    let (year, month, day) = date(moment.0 / DAY_MS);
    let ms = moment.0 % DAY_MS;
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    let part = ms % 1000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{part:03}+00:00")
}

/// The date of a day since the epoch, after Howard Hinnant's `civil_from_days`: years begin in
/// March there, so that the day which some years have more is their last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leap_days = day_of_era / 1460 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days + day_of_era / 36_524) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
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
