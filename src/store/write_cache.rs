//! What a disk with a volatile cache holds: the state that is durable, the state that is written,
//! and the ordered changes between the two, for the bytes of a file and for the entries of a
//! folder. A power loss keeps some of these changes. It knows no handles and no room.

use std::collections::BTreeMap;

/// A file, whatever its name is.
pub(super) type FileNumber = u64;

/// The files of a folder by name.
pub(super) type Entries = BTreeMap<String, FileNumber>;

/// Answers how chance decides between so many outcomes, counted from 0, the harmless one.
pub(super) type Choose<'a> = &'a mut dyn FnMut(usize) -> usize;

/// An answer is one of the outcomes, whatever the caller says.
fn pick(choose: Choose<'_>, count: usize) -> usize {
    choose(count).min(count.saturating_sub(1))
}

/// The bytes of one file.
#[derive(Clone, Default)]
pub(super) struct Content {
    current: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    SetSize(usize),
}

impl Content {
    /// What is written, synced or not.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.current
    }

    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.change(Change::Write { offset, bytes: bytes.to_vec() });
    }

    pub(super) fn set_size(&mut self, size: usize) {
        self.change(Change::SetSize(size));
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.current);
        self.unsynced.push(change);
    }

    pub(super) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// What may be left: any of the unsynced changes, in any order, writes whole or torn.
    pub(super) fn after_power_loss(&self, choose: Choose<'_>) -> Self {
        let mut durable = self.durable.clone();
        let mut waiting: Vec<&Change> = self.unsynced.iter().collect();
        while !waiting.is_empty() {
            let change = waiting.remove(pick(choose, waiting.len()));
            change.survive(&mut durable, choose);
        }
        Self { current: durable.clone(), durable, unsynced: Vec::new() }
    }
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => overwrite(content, *offset, bytes),
            Self::SetSize(size) => content.resize(*size, 0),
        }
    }

    fn survive(&self, content: &mut Vec<u8>, choose: Choose<'_>) {
        match self {
            Self::Write { offset, bytes } => match pick(choose, 4) {
                0 => overwrite(content, *offset, bytes),
                1 => tear(content, *offset, bytes, Part::Head, choose),
                2 => tear(content, *offset, bytes, Part::Tail, choose),
                _ => {}
            },
            Self::SetSize(_) => {
                if pick(choose, 2) == 0 {
                    self.apply(content);
                }
            }
        }
    }
}

/// Which part of a torn write reached the disk.
#[derive(Clone, Copy)]
enum Part {
    Head,
    Tail,
}

/// Cuts a write at some byte. Behind the cut are the old bytes, or zeros.
fn tear(content: &mut Vec<u8>, offset: usize, bytes: &[u8], part: Part, choose: Choose<'_>) {
    let cut = pick(choose, bytes.len() + 1);
    if pick(choose, 2) == 1 {
        overwrite(content, offset, &vec![0; bytes.len()]);
    }
    let (head, tail) = bytes.split_at(cut);
    match part {
        Part::Head => overwrite(content, offset, head),
        Part::Tail => overwrite(content, offset + cut, tail),
    }
}

/// Writes bytes into the content, which grows where it must. No bytes are no write.
fn overwrite(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end && !bytes.is_empty() {
        content.resize(end, 0);
    }
    if let Some(place) = content.get_mut(offset..end) {
        place.copy_from_slice(bytes);
    }
}

/// The entries of the one folder.
#[derive(Clone, Default)]
pub(super) struct Directory {
    current: Entries,
    durable: Entries,
    unsynced: Vec<Vec<Edit>>,
}

/// What one name meant before a change of the folder and what it means after.
#[derive(Clone)]
struct Edit {
    name: String,
    before: Option<FileNumber>,
    after: Option<FileNumber>,
}

impl Directory {
    /// What is there, synced or not.
    pub(super) fn entries(&self) -> &Entries {
        &self.current
    }

    /// Lets names mean other files, or none, in one step.
    pub(super) fn change(&mut self, names: &[(&str, Option<FileNumber>)]) {
        let edit = |&(name, after): &(&str, Option<FileNumber>)| Edit {
            name: name.to_owned(),
            before: self.current.get(name).copied(),
            after,
        };
        let edits: Vec<Edit> = names.iter().map(edit).collect();
        apply(&edits, &mut self.current);
        self.unsynced.push(edits);
    }

    pub(super) fn sync(&mut self) {
        self.durable.clone_from(&self.current);
        self.unsynced.clear();
    }

    /// What may be left: any of the unsynced changes, but for each name only those that follow
    /// upon each other, since a change needs the names as it found them.
    pub(super) fn after_power_loss(&self, choose: Choose<'_>) -> Self {
        let mut durable = self.durable.clone();
        for edits in &self.unsynced {
            let fits = edits.iter().all(|edit| durable.get(&edit.name).copied() == edit.before);
            if fits && pick(choose, 2) == 0 {
                apply(edits, &mut durable);
            }
        }
        Self { current: durable.clone(), durable, unsynced: Vec::new() }
    }

    /// Whether the file has a name, or may have one after a power loss.
    pub(super) fn may_name(&self, file: FileNumber) -> bool {
        let names = |entries: &Entries| entries.values().any(|&number| number == file);
        let mut edits = self.unsynced.iter().flatten();
        names(&self.current) || names(&self.durable) || edits.any(|edit| edit.after == Some(file))
    }
}

fn apply(edits: &[Edit], entries: &mut Entries) {
    for Edit { name, after, .. } in edits {
        match after {
            Some(file) => entries.insert(name.clone(), *file),
            None => entries.remove(name),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Everything that chance can make of a state: all answers to all questions, one after the
    /// other.
    fn outcomes<T: Ord>(mut ask: impl FnMut(Choose<'_>) -> T) -> BTreeSet<T> {
        let (mut found, mut script) = (BTreeSet::new(), Vec::new());
        loop {
            let (mut asked, mut answers) = (Vec::new(), script.iter().copied());
            found.insert(ask(&mut |count| {
                let answer = answers.next().unwrap_or(0);
                asked.push((answer, count));
                answer
            }));
            while asked.pop_if(|(answer, count)| *answer + 1 == *count).is_some() {}
            let Some(last) = asked.last_mut() else { return found };
            last.0 += 1;
            script = asked.iter().map(|(answer, _)| *answer).collect();
        }
    }

    fn contents(content: &Content) -> BTreeSet<Vec<u8>> {
        outcomes(|choose| content.after_power_loss(choose).bytes().to_vec())
    }

    fn folders(directory: &Directory) -> BTreeSet<Vec<(String, FileNumber)>> {
        outcomes(|choose| directory.after_power_loss(choose).current.into_iter().collect())
    }

    fn names(entries: &[(&str, FileNumber)]) -> Vec<(String, FileNumber)> {
        entries.iter().map(|(name, file)| ((*name).to_owned(), *file)).collect()
    }

    #[test]
    fn a_lost_write_is_whole_or_torn_on_either_side_with_old_bytes_or_zeros() {
        let mut content = Content::default();
        content.write(0, b"abcd");
        content.sync();
        content.write(1, b"XY");
        let left = contents(&content);
        let expected: [&[u8]; 7] =
            [b"abcd", b"aXYd", b"aXcd", b"abYd", b"a\0\0d", b"aX\0d", b"a\0Yd"];
        assert_eq!(left, expected.into_iter().map(<[u8]>::to_vec).collect());
    }

    #[test]
    fn a_lost_append_leaves_any_length_up_to_its_own() {
        let mut content = Content::default();
        content.write(0, b"xyz");
        let left = contents(&content);
        for expected in [&b""[..], b"x", b"xy", b"xyz", b"x\0\0", b"\0\0z", b"\0\0\0"] {
            assert!(left.contains(expected), "{expected:?} of {left:?}");
        }
        assert!(left.iter().all(|bytes| bytes.len() <= 3), "{left:?}");
    }

    #[test]
    fn unsynced_changes_survive_in_any_order() {
        let mut content = Content::default();
        content.write(0, b"a");
        content.write(0, b"b");
        content.set_size(2);
        content.set_size(0);
        let left = contents(&content);
        for expected in [&b""[..], b"a", b"b", b"\0\0", b"a\0", b"b\0"] {
            assert!(left.contains(expected), "{expected:?} of {left:?}");
        }
    }

    #[test]
    fn what_is_synced_survives_every_power_loss() {
        let mut content = Content::default();
        content.write(0, b"abc");
        content.set_size(2);
        content.sync();
        assert_eq!(contents(&content), [b"ab".to_vec()].into());
        content.write(2, b"c");
        assert!(contents(&content).iter().all(|bytes| bytes.starts_with(b"ab")));
    }

    #[test]
    fn an_unsynced_create_is_there_or_not() {
        let mut directory = Directory::default();
        directory.change(&[("a", Some(1))]);
        directory.change(&[("b", Some(2))]);
        let expected: [&[(&str, FileNumber)]; 4] =
            [&[], &[("a", 1)], &[("b", 2)], &[("a", 1), ("b", 2)]];
        assert_eq!(folders(&directory), expected.into_iter().map(names).collect());
        directory.sync();
        assert_eq!(folders(&directory), [names(&[("a", 1), ("b", 2)])].into());
    }

    #[test]
    fn an_unsynced_rename_leaves_the_old_or_the_new_name_and_never_both_or_none() {
        let mut directory = Directory::default();
        directory.change(&[("new", Some(1))]);
        directory.change(&[("old", Some(2))]);
        directory.sync();
        directory.change(&[("new", None), ("old", Some(1))]);
        let expected = [names(&[("new", 1), ("old", 2)]), names(&[("old", 1)])];
        assert_eq!(folders(&directory), expected.into());
    }

    #[test]
    fn a_change_of_a_name_needs_the_changes_of_that_name_before_it() {
        let mut directory = Directory::default();
        directory.change(&[("a", Some(1))]);
        directory.sync();
        directory.change(&[("a", None), ("b", Some(1))]);
        directory.change(&[("a", Some(2))]);
        let expected = [names(&[("a", 1)]), names(&[("b", 1)]), names(&[("a", 2), ("b", 1)])];
        assert_eq!(folders(&directory), expected.into());
    }

    #[test]
    fn a_file_is_remembered_as_long_as_a_power_loss_can_bring_its_name_back() {
        let mut directory = Directory::default();
        directory.change(&[("a", Some(1))]);
        directory.sync();
        directory.change(&[("a", None)]);
        assert!(directory.may_name(1));
        directory.sync();
        assert!(!directory.may_name(1));
    }

    #[test]
    fn an_answer_beyond_the_outcomes_is_the_last_one() {
        let mut content = Content::default();
        content.write(0, b"abc");
        assert_eq!(content.after_power_loss(&mut |_| usize::MAX).bytes(), b"");
    }
}
