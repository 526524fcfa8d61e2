//! Where log lines go and how they look: RabbitMQ's shape as text, or JSON. Events come through
//! `tracing` from anywhere; this is the one place that writes them. What is logged is the business
//! of whoever logs it, and which levels pass was decided in `config::logs`.
//!
//! ```text
//! 2026-08-01 12:00:00.123456+00:00 [info] <leveret::server> message field=value
//! ```
//!
//! A line is written at once, under one short lock for each output, so nothing is kept in memory.
//! Nothing that happens for every message may be logged above `debug`. An output that fails to
//! take a line loses it: there is nowhere else to say so.

use std::{
    fmt::{self, Write as _},
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    warn,
};
use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets},
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};

use super::log_exchange;
use super::log_level::{LiveFilter, LogControl, LogFile};
use crate::broker::LogLines;
use crate::message::CivilTime;
use crate::node::config::{
    Warning,
    logs::{FileLog, LogCategory, LogConfig, LogFilter, LogFormat, LogLevel, LogStream},
};

/// The categories with the targets that events name.
const CATEGORIES: &[(LogCategory, &str)] = &[
    (LogCategory::Connection, "connection"),
    (LogCategory::Channel, "channel"),
    (LogCategory::Queue, "queue"),
];

/// Logging could not start.
#[derive(Debug)]
pub enum LogError {
    /// The file could not be opened for appending.
    File { path: PathBuf, source: io::Error },
    /// The process logs already.
    Started,
}

/// Starts logging for the whole process, until its end. What goes to the exchange of logs is left
/// among these lines.
///
/// # Errors
/// When the log file cannot be opened, or logging was started before.
pub fn start(config: &LogConfig, lines: Option<Arc<LogLines>>) -> Result<LogControl, LogError> {
    let mut control = LogControl::default();
    let console = config.console.as_ref().map(|console| {
        let writer: Box<dyn Write + Send> = match console.stream {
            LogStream::Output => Box::new(io::stdout()),
            LogStream::Error => Box::new(io::stderr()),
        };
        let filter = LiveFilter::from(&console.filter);
        control.add(&filter);
        Output::layer(writer, console.format, filter)
    });
    let file = config.file.as_ref().map(|log| file_layer(log, &mut control)).transpose()?;
    let exchange = config.exchange.as_ref().zip(lines);
    let exchange = exchange.map(|(log, lines)| {
        let filter = LiveFilter::from(&log.filter);
        control.add(&filter);
        log_exchange::layer(log.format, filter, lines)
    });
    let subscriber = Registry::default().with(console).with(file).with(exchange);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Started)?;
    Ok(control)
}

/// Says what the configuration left to be said, now that logging is up.
pub fn report(warnings: &[Warning]) {
    for warning in warnings {
        warn!(target: "node", "{warning}");
    }
}

/// One output, with a lock that keeps its lines whole.
struct Output {
    writer: Mutex<Box<dyn Write + Send>>,
    format: LogFormat,
}

/// An event, taken apart.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Entry {
    message: String,
    fields: Map<String, Value>,
}

/// An event as JSON. The names are RabbitMQ's.
#[derive(Serialize)]
struct JsonLine<'a> {
    time: &'a str,
    level: &'a str,
    target: &'a str,
    msg: &'a str,
    #[serde(flatten)]
    fields: &'a Map<String, Value>,
}

impl Output {
    fn layer<S>(
        writer: Box<dyn Write + Send>,
        format: LogFormat,
        filter: LiveFilter,
    ) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    {
        Self { writer: Mutex::new(writer), format }.with_filter(filter)
    }
}

impl<S: Subscriber> Layer<S> for Output {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let (entry, metadata) = (Entry::of(event), event.metadata());
        let time = timestamp(since_epoch());
        let line = entry.line(self.format, &time, *metadata.level(), metadata.target());
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writer.write_all(line.as_bytes()).and_then(|()| writer.flush());
    }
}

impl Entry {
    pub(super) fn of(event: &Event<'_>) -> Self {
        let mut entry = Self::default();
        event.record(&mut entry);
        entry
    }

    /// The whole line, with its end.
    pub(super) fn line(&self, format: LogFormat, time: &str, level: Level, target: &str) -> String {
        let level = level_name(level);
        let mut line = match format {
            LogFormat::Text => self.text(time, level, target),
            LogFormat::Json => {
                let line =
                    JsonLine { time, level, target, msg: &self.message, fields: &self.fields };
                serde_json::to_string(&line).unwrap_or_default()
            }
        };
        line.push('\n');
        line
    }

    fn text(&self, time: &str, level: &str, target: &str) -> String {
        let mut line = format!("{time} [{level}] <{target}> ");
        push_visible(&mut line, &self.message);
        for (name, value) in &self.fields {
            let _ = write!(line, " {name}=");
            match value {
                Value::String(text) => push_visible(&mut line, text),
                other => push_visible(&mut line, &other.to_string()),
            }
        }
        line
    }

    fn note(&mut self, field: &Field, value: Value) {
        if field.name() != "message" {
            self.fields.insert(field.name().to_owned(), value);
        } else if let Value::String(message) = value {
            self.message = message;
        }
    }
}

impl Visit for Entry {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.note(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.note(field, Value::String(value.to_owned()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.note(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.note(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.note(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.note(field, value.into());
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Output").field("format", &self.format).finish_non_exhaustive()
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, source } => {
                write!(formatter, "the log file {} cannot be opened: {source}", path.display())
            }
            Self::Started => formatter.write_str("logging was started already"),
        }
    }
}

impl std::error::Error for LogError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { source, .. } => Some(source),
            Self::Started => None,
        }
    }
}

fn file_layer<S>(
    log: &FileLog,
    control: &mut LogControl,
) -> Result<impl Layer<S> + use<S>, LogError>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    let file = LogFile::open(log.path.clone())
        .map_err(|source| LogError::File { path: log.path.clone(), source })?;
    let filter = LiveFilter::from(&log.filter);
    control.add_file(&file);
    control.add(&filter);
    Ok(Output::layer(Box::new(file), log.format, filter))
}

pub(super) fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    File::options().append(true).create(true).open(path)
}

/// Every category is named, those without a level of their own with the common one, so that a
/// module inside another category's module does not inherit from it.
pub(super) fn targets(filter: &LogFilter) -> Targets {
    let level_of = |category| filter.categories.get(category).copied().unwrap_or(filter.default);
    let levels =
        CATEGORIES.iter().map(|(category, target)| (*target, threshold(level_of(category))));
    Targets::new().with_default(threshold(filter.default)).with_targets(levels)
}

/// `tracing` knows no notice and nothing above error: a notice is a warning to it, and who asks
/// for critical alone still sees errors rather than nothing.
fn threshold(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Notice | LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Error | LogLevel::Critical => LevelFilter::ERROR,
        LogLevel::None => LevelFilter::OFF,
    }
}

pub(super) fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        _ => "debug",
    }
}

/// Appends a text with its control characters escaped: names come from peers, and none may forge
/// a line, color a terminal, or turn around what stands beside it.
fn push_visible(line: &mut String, text: &str) {
    for character in text.chars() {
        if character.is_control() || is_misleading(character) {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
}

/// A separator of lines or paragraphs, or what changes the direction of a text.
fn is_misleading(character: char) -> bool {
    matches!(
        character,
        '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// The wall clock, for the eyes of operators alone.
#[expect(clippy::disallowed_methods, reason = "a log line tells the time of day; nothing decides")]
pub(super) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// `2026-08-01 12:00:00.123456+00:00`, for a time since 1970.
pub(super) fn timestamp(since_epoch: Duration) -> String {
    let CivilTime { year, month, day, hour, minute, second } =
        CivilTime::of_seconds(since_epoch.as_secs());
    let microseconds = since_epoch.subsec_micros();
    format!(
        "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{microseconds:06}+00:00"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tracing::{debug, error, info};

    use super::*;

    /// An output that a test can read.
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn filter(default: LogLevel, categories: &[(LogCategory, LogLevel)]) -> LogFilter {
        LogFilter { default, categories: categories.iter().copied().collect() }
    }

    /// The lines that `log` leaves, without their time.
    fn lines(format: LogFormat, filter: &LogFilter, log: impl FnOnce()) -> Vec<String> {
        let shared = Shared::default();
        let layer = Output::layer(Box::new(shared.clone()), format, filter.into());
        tracing::subscriber::with_default(Registry::default().with(layer), log);
        let bytes = shared.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    fn after_time(line: &str) -> &str {
        let time_length = "2026-08-01 12:00:00.123456+00:00 ".len();
        &line[time_length..]
    }

    #[test]
    fn a_line_of_text_has_the_shape_of_rabbitmq() {
        let lines = lines(LogFormat::Text, &filter(LogLevel::Info, &[]), || {
            info!(target: "leveret::server", peer = "[::1]:9", count = 3, "accepting {}", "x");
            error!(target: "leveret::store", "lost");
        });
        assert_eq!(
            after_time(&lines[0]),
            "[info] <leveret::server> accepting x count=3 peer=[::1]:9"
        );
        assert_eq!(after_time(&lines[1]), "[error] <leveret::store> lost");
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn a_line_of_json_is_one_object() {
        let lines = lines(LogFormat::Json, &filter(LogLevel::Debug, &[]), || {
            let queue = "a\"b";
            debug!(target: "leveret::queue", queue, messages = 7, is_durable = true, "x\ny");
        });
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(line["level"], "debug");
        assert_eq!(line["target"], "leveret::queue");
        assert_eq!(line["msg"], "x\ny");
        assert_eq!(line["queue"], "a\"b");
        assert_eq!(line["messages"], 7);
        assert_eq!(line["is_durable"], true);
        assert!(line["time"].as_str().unwrap().ends_with("+00:00"));
        assert_eq!(lines.len(), 1);
    }

    #[test]
    fn a_name_from_a_peer_cannot_forge_a_line() {
        let lines = lines(LogFormat::Text, &filter(LogLevel::Info, &[]), || {
            let user = "x\n2026 [info]\u{1b}[31m\u{2028}\u{202e}\u{85}";
            info!(target: "leveret::server", user, "gr\u{fc}\u{df}e\r");
        });
        assert_eq!(
            lines.iter().map(|line| after_time(line)).collect::<Vec<_>>(),
            ["[info] <leveret::server> gr\u{fc}\u{df}e\\r user=x\\n2026 [info]\\u{1b}[31m\
              \\u{2028}\\u{202e}\\u{85}"]
        );
    }

    #[test]
    fn what_is_below_the_level_stays_out() {
        let log = || {
            debug!("d");
            info!("i");
            warn!("w");
            error!("e");
        };
        let counts = [
            (LogLevel::Debug, 4),
            (LogLevel::Info, 3),
            (LogLevel::Notice, 2),
            (LogLevel::Warning, 2),
            (LogLevel::Error, 1),
            (LogLevel::Critical, 1),
            (LogLevel::None, 0),
        ];
        for (level, count) in counts {
            let found = lines(LogFormat::Text, &filter(level, &[]), log).len();
            assert_eq!(found, count, "{level:?}");
        }
    }

    #[test]
    fn a_category_has_its_own_level_and_does_not_lend_it_to_others() {
        let filter = filter(
            LogLevel::Warning,
            &[(LogCategory::Connection, LogLevel::Debug), (LogCategory::Queue, LogLevel::None)],
        );
        let lines = lines(LogFormat::Text, &filter, || {
            debug!(target: "connection", "kept");
            info!(target: "connection", "kept");
            info!(target: "channel", "dropped");
            warn!(target: "channel", "kept");
            error!(target: "queue", "dropped");
            info!(target: "node", "dropped");
        });
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines.iter().all(|line| line.ends_with("kept")));
    }

    #[test]
    fn a_file_is_appended_to_and_its_folder_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/leveret.log");
        let log = FileLog {
            path: path.clone(),
            format: LogFormat::Text,
            filter: LogFilter { default: LogLevel::Info, categories: BTreeMap::new() },
        };
        for word in ["one", "two"] {
            let layer = file_layer(&log, &mut LogControl::default()).unwrap();
            tracing::subscriber::with_default(Registry::default().with(layer), || info!("{word}"));
        }
        let text = fs::read_to_string(&path).unwrap();
        let words: Vec<_> = text.lines().filter_map(|line| line.rsplit(' ').next()).collect();
        assert_eq!(words, ["one", "two"]);
        let blocked = FileLog { path: path.join("below"), ..log };
        let error =
            file_layer::<Registry>(&blocked, &mut LogControl::default()).err().unwrap().to_string();
        assert!(error.starts_with("the log file "), "{error}");
    }

    #[test]
    fn timestamps_are_civil() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00.000000+00:00"),
            (951_782_399, "2000-02-28 23:59:59.000000+00:00"),
            (951_782_400, "2000-02-29 00:00:00.000000+00:00"),
            (1_709_251_199, "2024-02-29 23:59:59.000000+00:00"),
            (1_735_689_599, "2024-12-31 23:59:59.000000+00:00"),
            (1_785_585_600, "2026-08-01 12:00:00.000000+00:00"),
            (4_107_542_400, "2100-03-01 00:00:00.000000+00:00"),
        ] {
            assert_eq!(timestamp(Duration::from_secs(seconds)), expected);
        }
        let fraction = timestamp(Duration::new(1, 123_456_789));
        assert_eq!(fraction, "1970-01-01 00:00:01.123456+00:00");
    }
}
