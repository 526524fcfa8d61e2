//! A data directory that is only looked at: its files as they are, and the store as the next start
//! would find it. What is found is shown elsewhere.

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

    /// Opens the store above the folder. A running broker may take files away while they are read:
    /// then it begins anew.
    pub(super) fn recover(&self) -> Result<Recovered, StoreError> {
        for _ in 1..INSPECT_ATTEMPTS {
            match self.attempt() {
                Ok(recovered) if self.holder.is_none() || recovered.is_sound() => {
                    return Ok(recovered);
                }
                Err(error) if self.holder.is_none() => return Err(error),
                _ => {}
            }
        }
        self.attempt()
    }

    /// A damaged definition is told, and passed over.
    fn attempt(&self) -> Result<Recovered, StoreError> {
        match self.open_store(StoreOptions::default()) {
            Err(refusal @ StoreError::DamagedDefinition { .. }) => {
                let accepting =
                    StoreOptions { accepts_damaged_definitions: true, ..StoreOptions::default() };
                let recovered = self.open_store(accepting)?;
                Ok(Recovered { refusal: Some(refusal), ..recovered })
            }
            result => result,
        }
    }

    fn open_store(&self, options: StoreOptions) -> Result<Recovered, StoreError> {
        let names = self.storage.list().map_err(|error| StoreError::Disk {
            what: "list the data directory".to_owned(),
            error,
        })?;
        // Nothing is in a spare file, and it may be taken at any moment.
        let names =
            names.into_iter().filter(|name| !matches!(FileRole::of(name), FileRole::Spare(_)));
        let overlay = Arc::new(Overlay::over(self.storage.clone(), names));
        let opened = store::open(overlay.clone(), options)?;
        Ok(Recovered { opened, overlay, refusal: None })
    }
}

impl Recovered {
    fn is_sound(&self) -> bool {
        self.refusal.is_none() && self.opened.damage.is_none()
    }
}
