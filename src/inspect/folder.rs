//! A data directory that is only looked at: its files as they are, and the store as the next start
//! would find it. What is found is shown elsewhere.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::failure::Failure;
use super::overlay::Overlay;
use crate::limits::INSPECT_ATTEMPTS;
use crate::store::survey::FileRole;
use crate::store::{self, FileStorage, Opened, Storage, StoreError, StoreOptions};

/// A folder with the files of a store.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) storage: Arc<dyn Storage>,
    /// Whose it is now.
    pub(super) holder: Option<String>,
}

/// What a start would find.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) opened: Opened,
    /// What a start would have changed.
    pub(super) overlay: Arc<Overlay>,
    /// Why a start would be refused all the same.
    pub(super) refusal: Option<StoreError>,
}

impl Folder {
    /// A folder that has something of a store in it.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let storage = FileStorage::open_read_only(path).map_err(Failure::Unreadable)?;
        let names = storage.list().map_err(Failure::Unreadable)?;
        let is_of_store = |name: &String| {
            matches!(FileRole::of(name), FileRole::Log(_) | FileRole::Checkpoint(_))
        };
        if !names.iter().any(is_of_store) {
            return Err(Failure::NoDataDirectory(path.to_owned()));
        }
        let holder = storage.holder().map(str::to_owned);
        Ok(Self { path: path.to_owned(), storage: Arc::new(storage), holder })
    }

    /// Opens the store above the folder. A damaged definition is told, and passed over.
    pub(super) fn recover(&self) -> Result<Recovered, StoreError> {
        match self.attempt(false) {
            Err(refusal @ StoreError::DamagedDefinition { .. }) => {
                let recovered = self.attempt(true)?;
                Ok(Recovered { refusal: Some(refusal), ..recovered })
            }
            result => result,
        }
    }

    /// A running broker may take files away between the listing and the reading.
    fn attempt(&self, accepts_damaged_definitions: bool) -> Result<Recovered, StoreError> {
        let options = StoreOptions { accepts_damaged_definitions, ..StoreOptions::default() };
        let mut attempt = 1;
        loop {
            match self.attempt_once(options) {
                Err(StoreError::Disk { error, .. })
                    if error.kind() == io::ErrorKind::NotFound
                        && self.holder.is_some()
                        && attempt < INSPECT_ATTEMPTS =>
                {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    fn attempt_once(&self, options: StoreOptions) -> Result<Recovered, StoreError> {
        let overlay = Overlay::over(self.storage.clone()).map_err(|error| StoreError::Disk {
            what: "list the data directory".to_owned(),
            error,
        })?;
        let overlay = Arc::new(overlay);
        let opened = store::open(overlay.clone(), options)?;
        Ok(Recovered { opened, overlay, refusal: None })
    }
}
