//! The file with the number of this process, for scripts that wait for it: `rabbitmqctl wait FILE`.
//! It goes with the node, unless another has written its own number by then.

use std::fs;
use std::path::{Path, PathBuf};

/// The file, as long as the node runs.
#[derive(Debug)]
pub(super) struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Writes it, and makes its folder where there is none.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(path: &Path) -> Result<Self, String> {
        let failed = |error| format!("the pid file {} cannot be written: {error}", path.display());
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        fs::write(path, format!("{}\n", std::process::id())).map_err(failed)?;
        Ok(Self { path: path.to_owned() })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        if text.trim() == std::process::id().to_string() {
            // Where it cannot go, whoever reads it finds that there is no such process.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_the_number_of_the_process_and_goes_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/leveret.pid");
        let file = PidFile::write(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        drop(file);
        assert!(!path.exists());
        let file = PidFile::write(&path).unwrap();
        fs::write(&path, "1\n").unwrap();
        drop(file);
        assert!(path.exists(), "it is another's");
        let error = PidFile::write(&path.join("below")).unwrap_err();
        assert!(error.starts_with("the pid file "), "{error}");
    }
}
