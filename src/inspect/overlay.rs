//! A disk over a disk: reads come from the one below, and what is written stays in memory. So a
//! store opens as it would at a start, and not one byte of the folder changes. It does not know
//! what is in a file.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::{Storage, StorageFile};

/// Files of a storage as they were when they were first opened, and what was changed above them
/// since.
#[derive(Debug)]
pub(super) struct Overlay {
    below: Arc<dyn Storage>,
    files: Mutex<BTreeMap<String, Entry>>,
}

/// One name.
#[derive(Clone, Debug)]
struct Entry {
    /// What it is called below; none where it was made here.
    below: Option<String>,
    /// What is above it, from its first opening on.
    layer: Option<Arc<Mutex<Layer>>>,
}

/// What is above one file.
#[derive(Debug, Default)]
struct Layer {
    size: u64,
    /// Bytes of the file below that are still seen.
    seen_below: u64,
    /// What was written, in the order in which it was: the later ones cover the earlier.
    patches: Vec<(u64, Vec<u8>)>,
}

impl Overlay {
    /// These files, and no others of those that are below.
    pub(super) fn over(below: Arc<dyn Storage>, names: impl IntoIterator<Item = String>) -> Self {
        let entry = |name: String| (name.clone(), Entry { below: Some(name), layer: None });
        let files = names.into_iter().map(entry).collect();
        Self { below, files: Mutex::new(files) }
    }

    /// A file of this name is there after all changes.
    pub(super) fn has(&self, name: &str) -> bool {
        self.lock().contains_key(name)
    }

    /// Something was written to the file of this name, not only cut.
    pub(super) fn is_written(&self, name: &str) -> bool {
        let layer = self.lock().get(name).and_then(|entry| entry.layer.clone());
        layer.is_some_and(|layer| !lock(&layer).patches.is_empty())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        lock(&self.files)
    }
}

/// Maps and layers are whole after each step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn not_found(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("no file '{name}'"))
}

impl Storage for Overlay {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let mut files = self.lock();
        let entry = files.get_mut(name).ok_or_else(|| not_found(name))?;
        let below = entry.below.as_deref().map(|name| self.below.open(name)).transpose()?;
        let layer = match &entry.layer {
            Some(layer) => layer.clone(),
            None => {
                let size = below.as_ref().map_or(Ok(0), |file| file.size())?;
                let layer = Layer { size, seen_below: size, patches: Vec::new() };
                entry.layer.insert(Arc::new(Mutex::new(layer))).clone()
            }
        };
        Ok(Arc::new(OverlayFile { below, layer }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let mut files = self.lock();
        if files.contains_key(name) {
            let text = format!("there is a file '{name}'");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        let layer = Arc::new(Mutex::new(Layer::default()));
        files.insert(name.to_owned(), Entry { below: None, layer: Some(layer.clone()) });
        Ok(Arc::new(OverlayFile { below: None, layer }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.lock();
        let entry = files.remove(from).ok_or_else(|| not_found(from))?;
        files.insert(to.to_owned(), entry);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.lock().remove(name).map(|_| ()).ok_or_else(|| not_found(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

/// An open file, of which the bytes below cannot be written.
#[derive(Debug)]
struct OverlayFile {
    below: Option<Arc<dyn StorageFile>>,
    layer: Arc<Mutex<Layer>>,
}

impl StorageFile for OverlayFile {
    fn size(&self) -> io::Result<u64> {
        Ok(lock(&self.layer).size)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let layer = lock(&self.layer);
        let count = fitting(layer.size.saturating_sub(offset), buffer.len());
        let buffer = buffer.get_mut(..count).unwrap_or_default();
        buffer.fill(0);
        let seen = fitting(layer.seen_below.saturating_sub(offset), count);
        if let Some(below) = self.below.as_ref().filter(|_| seen > 0) {
            below.read_at(offset, buffer.get_mut(..seen).unwrap_or_default())?;
        }
        layer.patches.iter().for_each(|(at, bytes)| cover(buffer, offset, *at, bytes));
        Ok(count)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut layer = lock(&self.layer);
        layer.size = layer.size.max(offset.saturating_add(bytes.len() as u64));
        layer.patches.push((offset, bytes.to_vec()));
        Ok(())
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        let mut layer = lock(&self.layer);
        layer.size = size;
        layer.seen_below = layer.seen_below.min(size);
        for (at, bytes) in &mut layer.patches {
            bytes.truncate(fitting(size.saturating_sub(*at), bytes.len()));
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// How many of `wanted` bytes fit.
fn fitting(room: u64, wanted: usize) -> usize {
    usize::try_from(room).unwrap_or(usize::MAX).min(wanted)
}

/// Puts what of `bytes`, which stand at `at`, belongs into a buffer that begins at `offset`.
fn cover(buffer: &mut [u8], offset: u64, at: u64, bytes: &[u8]) {
    let (first, skipped) = (at.saturating_sub(offset), offset.saturating_sub(at));
    let bytes = bytes.get(fitting(skipped, bytes.len())..).unwrap_or_default();
    let place = buffer.get_mut(fitting(first, buffer.len())..).unwrap_or_default();
    place.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStorage;

    fn over(below: &Arc<MemoryStorage>) -> Overlay {
        Overlay::over(below.clone(), below.list().unwrap())
    }

    fn below() -> Arc<MemoryStorage> {
        let below = MemoryStorage::new(1000);
        below.create("a").unwrap().write_at(0, b"hare and hound").unwrap();
        below.create("b").unwrap();
        Arc::new(below)
    }

    fn read(storage: &dyn Storage, name: &str) -> String {
        let file = storage.open(name).unwrap();
        let mut buffer = vec![b'?'; 100];
        let count = file.read_at(0, &mut buffer).unwrap();
        assert_eq!(count as u64, file.size().unwrap());
        String::from_utf8(buffer[..count].to_vec()).unwrap()
    }

    #[test]
    fn what_is_written_and_cut_is_seen_above_and_not_below() {
        let below = below();
        let overlay = over(&below);
        let file = overlay.open("a").unwrap();
        file.write_at(5, b"or").unwrap();
        file.write_at(6, b"x").unwrap();
        assert_eq!(read(&overlay, "a"), "hare oxd hound");
        file.set_size(6).unwrap();
        file.write_at(8, b"!").unwrap();
        assert_eq!(read(&overlay, "a"), "hare o\0\0!", "what was cut is zeros");
        assert_eq!(read(&*below, "a"), "hare and hound");
        let mut middle = [0; 3];
        file.read_at(4, &mut middle).unwrap();
        assert_eq!(&middle, b" o\0");
        assert_eq!(file.read_at(9, &mut middle).unwrap(), 0);
    }

    #[test]
    fn names_that_are_made_renamed_and_removed_change_above_and_not_below() {
        let below = below();
        let overlay = over(&below);
        overlay.create("c").unwrap().write_at(0, b"new").unwrap();
        overlay.rename("a", "d").unwrap();
        overlay.remove("b").unwrap();
        assert_eq!(overlay.list().unwrap(), ["c", "d"]);
        assert_eq!((read(&overlay, "c"), read(&overlay, "d")), ("new".into(), read(&*below, "a")));
        assert_eq!(below.list().unwrap(), ["a", "b"]);
        let kinds =
            [overlay.create("d").unwrap_err().kind(), overlay.open("a").unwrap_err().kind()];
        assert_eq!(kinds, [io::ErrorKind::AlreadyExists, io::ErrorKind::NotFound]);
    }

    #[test]
    fn a_file_that_grows_below_is_seen_as_it_was_first_opened() {
        let below = below();
        let overlay = over(&below);
        assert_eq!(read(&overlay, "a"), "hare and hound");
        below.open("a").unwrap().write_at(14, b"s").unwrap();
        below.create("late").unwrap();
        assert_eq!(read(&overlay, "a"), "hare and hound");
        assert!(!overlay.has("late"));
    }

    #[test]
    fn a_cut_alone_is_no_writing() {
        let overlay = over(&below());
        overlay.open("a").unwrap().set_size(4).unwrap();
        assert!(!overlay.is_written("a"));
        overlay.open("a").unwrap().write_at(4, b"s").unwrap();
        assert!(overlay.is_written("a"));
    }
}
