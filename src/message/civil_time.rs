//! Seconds since 1970 as the calendar and the clock of UTC, for eyes. How they are written is up to
//! who shows them; nothing decides by them.

/// A second in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CivilTime {
    /// Since the birth of Christ.
    pub year: u64,
    /// 1 is January.
    pub month: u64,
    /// Of the month, from 1.
    pub day: u64,
    /// Below 24.
    pub hour: u64,
    /// Below 60.
    pub minute: u64,
    /// Below 60: leap seconds are not counted.
    pub second: u64,
}

impl CivilTime {
    /// Of seconds since the Unix epoch.
    #[must_use]
    pub fn of_seconds(seconds: u64) -> Self {
        let (year, month, day) = date(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        Self { year, month, day, hour, minute, second }
    }
}

/// Year, month and day of a day since 1970. Years are counted from March, so that the leap day is
/// the last of its year, in cycles of 400 years, which all have 146,097 days.
fn date(days_since_1970: u64) -> (u64, u64, u64) {
    // From 1 March of the year 0 to 1 January 1970.
    let days = days_since_1970 + 719_468;
    let (cycle, day_of_cycle) = (days / 146_097, days % 146_097);
    let leap_days = day_of_cycle / 1460 - day_of_cycle / 36_524 + day_of_cycle / 146_096;
    let year_of_cycle = (day_of_cycle - leap_days) / 365;
    let first_day = 365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100;
    let day_of_year = day_of_cycle - first_day;
    // Months from March have 31 and 30 days in a pattern of five months with 153 days.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (cycle * 400 + year_of_cycle + u64::from(month <= 2), month, day)
}
