//! Logs while the node runs: which lines pass can be changed, and the file can be opened anew and
//! followed. How a line looks, and the first filter, are in `logging`.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use tracing::callsite::rebuild_interest_cache;
use tracing::subscriber::Interest;
use tracing::{Metadata, info};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Filter};

use super::config::logs::{LogCategory, LogFilter, LogLevel};
use super::logging;

/// What the tools of RabbitMQ say of a level that is none.
const LEVELS: &str = "Try one of debug, info, warning, error, critical, none";

/// The logs of the process, as they can be changed.
#[derive(Clone, Debug, Default)]
pub struct LogControl {
    outputs: Vec<LiveFilter>,
    file: Option<LogFile>,
}

impl LogControl {
    pub(super) fn add(&mut self, filter: &LiveFilter) {
        self.outputs.push(filter.clone());
    }

    pub(super) fn add_file(&mut self, file: &LogFile) {
        self.file = Some(file.clone());
    }

    /// The file, where there is one.
    pub(super) fn file(&self) -> Result<&LogFile, String> {
        self.file.as_ref().ok_or_else(|| "the node logs to no file".to_owned())
    }

    /// Only lines of this level pass from now on, of one category or of all.
    pub(super) fn set_level(&self, level: &str, category: Option<&str>) -> Result<(), String> {
        let unknown = || format!("level {level} is not supported. {LEVELS}");
        let level = LogLevel::from_name(level).ok_or_else(unknown)?;
        let category = match category {
            None => None,
            Some(name) => Some(LogCategory::from_name(name).ok_or_else(|| {
                format!("there is no category {name}: connection, channel and queue are")
            })?),
        };
        self.outputs.iter().for_each(|output| output.set(level, category));
        // What a call site may log is remembered there.
        rebuild_interest_cache();
        Ok(())
    }

    /// Opens the file anew, where there is one: as SIGHUP does.
    pub(super) fn reopen(&self) {
        match self.file().map(LogFile::reopen) {
            Ok(Ok(())) => info!(target: "node", "opened the log file anew"),
            Ok(Err(error)) => tracing::error!(target: "node", "{error}"),
            Err(_) => {}
        }
    }
}

/// Which lines pass to an output.
#[derive(Clone, Debug)]
pub(super) struct LiveFilter(Arc<RwLock<Passing>>);

#[derive(Debug)]
struct Passing {
    meant: LogFilter,
    targets: Targets,
}

impl From<&LogFilter> for LiveFilter {
    fn from(meant: &LogFilter) -> Self {
        let targets = logging::targets(meant);
        Self(Arc::new(RwLock::new(Passing { meant: meant.clone(), targets })))
    }
}

impl LiveFilter {
    fn set(&self, level: LogLevel, category: Option<LogCategory>) {
        let mut passing = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match category {
            Some(category) => {
                passing.meant.categories.insert(category, level);
            }
            None => {
                passing.meant.default = level;
                passing.meant.categories.clear();
            }
        }
        passing.targets = logging::targets(&passing.meant);
    }

    fn passing(&self) -> RwLockReadGuard<'_, Passing> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Filter<S> for LiveFilter {
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        Filter::<S>::enabled(&self.passing().targets, metadata, context)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        Filter::<S>::callsite_enabled(&self.passing().targets, metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Filter::<S>::max_level_hint(&self.passing().targets)
    }
}

/// The log file, which may be moved away and opened anew.
#[derive(Clone, Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: Arc<Mutex<File>>,
}

impl LogFile {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let file = Arc::new(Mutex::new(logging::open(&path)?));
        Ok(Self { path, file })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &PathBuf {
        &self.path
    }

    /// Opens it anew. Where that fails, lines go where they went.
    pub(super) fn reopen(&self) -> Result<(), String> {
        let path = self.path.display();
        let opened = logging::open(&self.path)
            .map_err(|error| format!("the log file {path} cannot be opened anew: {error}"))?;
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = opened;
        Ok(())
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use tracing::{debug, error};
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::{Layer, Registry, fmt};

    use super::*;

    fn filter() -> LiveFilter {
        let mut categories = BTreeMap::new();
        categories.insert(LogCategory::Queue, LogLevel::Debug);
        (&LogFilter { default: LogLevel::Info, categories }).into()
    }

    /// What passes: a debug line of a queue, one of a connection, one of others, and an error.
    fn passing(filter: &LiveFilter) -> [bool; 4] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let file = Mutex::new(File::create(&path).unwrap());
        let layer = fmt::layer().with_writer(file).with_filter(filter.clone());
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            debug!(target: "queue", "one");
            debug!(target: "connection", "two");
            debug!(target: "node", "three");
            error!(target: "node", "four");
        });
        let text = fs::read_to_string(&path).unwrap();
        ["one", "two", "three", "four"].map(|word| text.contains(word))
    }

    #[test]
    fn a_level_is_set_for_all_or_for_one_category() {
        let mut control = LogControl::default();
        let filter = filter();
        control.add(&filter);
        assert_eq!(passing(&filter), [true, false, false, true]);
        control.set_level("debug", Some("connection")).unwrap();
        assert_eq!(passing(&filter), [true, true, false, true]);
        control.set_level("warning", None).unwrap();
        assert_eq!(passing(&filter), [false, false, false, true]);
        control.set_level("none", None).unwrap();
        assert_eq!(passing(&filter), [false; 4]);
        control.set_level("debug", None).unwrap();
        assert_eq!(passing(&filter), [true; 4]);
    }

    #[test]
    fn what_is_no_level_or_no_category_changes_nothing() {
        let mut control = LogControl::default();
        let filter = filter();
        control.add(&filter);
        let error = control.set_level("loud", None).unwrap_err();
        assert_eq!(error, format!("level loud is not supported. {LEVELS}"));
        assert!(control.set_level("debug", Some("store")).is_err());
        assert_eq!(passing(&filter), [true, false, false, true]);
    }

    #[test]
    fn a_file_that_was_moved_away_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("leveret.log");
        let file = LogFile::open(path.clone()).unwrap();
        let write = |text: &str| file.clone().write_all(text.as_bytes()).unwrap();
        write("one\n");
        let moved = folder.path().join("leveret.log.1");
        fs::rename(&path, &moved).unwrap();
        write("two\n");
        file.reopen().unwrap();
        write("three\n");
        assert_eq!(fs::read_to_string(&moved).unwrap(), "one\ntwo\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(file.reopen().is_err());
    }
}
