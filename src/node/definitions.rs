//! Definitions files at the start: which files there are, read and handed to the broker one by one.
//! What stands in them is the business of `definitions::import`.

use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tracing::{info, warn};

use crate::broker::Broker;
use crate::definitions::import::Definitions;
use crate::message::Moment;

/// Imports a file, or the `*.json` files of a folder in the order of their names.
///
/// # Errors
/// The first thing that went wrong, with its file.
pub(super) fn import(broker: &Broker, path: &Path, now: Moment) -> Result<(), String> {
    for file in files(path).map_err(|error| failure(path, &error))? {
        import_file(broker, &file, now).map_err(|error| failure(&file, &error))?;
    }
    Ok(())
}

fn failure(path: &Path, error: &dyn Display) -> String {
    format!("definitions cannot be loaded from {}: {error}", path.display())
}

fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        let is_json = file.extension().is_some_and(|ending| ending == "json");
        if is_json && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        warn!(target: "node", "no definitions: there is no *.json file in {}", path.display());
    }
    Ok(files)
}

fn import_file(
    broker: &Broker,
    path: &Path,
    now: Moment,
) -> Result<(), Box<dyn std::error::Error>> {
    let definitions = Definitions::read(&fs::read(path)?)?;
    for warning in &definitions.warnings {
        warn!(target: "node", "{}: {warning}", path.display());
    }
    let report = broker.by_node().import(&definitions, now)?;
    info!(target: "node", "{}: {report}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::BrokerOptions;

    fn names(path: &Path) -> Vec<String> {
        let files = files(path).unwrap();
        files.iter().map(|file| file.file_name().unwrap().display().to_string()).collect()
    }

    #[test]
    fn a_folder_is_its_json_files_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["20-b.json", "10-a.json", "readme.md", "30-c.json.bak"] {
            fs::write(folder.path().join(name), "{}").unwrap();
        }
        fs::create_dir(folder.path().join("40-d.json")).unwrap();
        assert_eq!(names(folder.path()), ["10-a.json", "20-b.json"]);
        assert_eq!(names(&folder.path().join("readme.md")), ["readme.md"]);
    }

    #[test]
    fn what_goes_wrong_names_its_file() {
        let broker = Broker::empty(BrokerOptions::default(), [1, 2]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json");
        fs::write(&file, "{\"queues\": [{\"vhost\": \"v\", \"name\": \"q\"}]}").unwrap();
        let error = import(&broker, folder.path(), Moment(0)).unwrap_err();
        let expected = format!(
            "definitions cannot be loaded from {}: queue 'q' in vhost 'v': there is no vhost 'v'",
            file.display()
        );
        assert!(error.starts_with(&expected), "{error}");
        let error = import(&broker, Path::new("/nowhere/a.json"), Moment(0)).unwrap_err();
        assert!(error.contains("/nowhere/a.json: No such file"), "{error}");
    }
}
