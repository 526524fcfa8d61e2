//! Checksums of what is on disk: CRC-32, seeded with the file and the place in it, so that nothing
//! of a recycled file's earlier life passes, nor what a disk wrote to a wrong place.

use crc32fast::Hasher;

/// The checksum of `bytes` that stand at `offset` of the file with this number.
pub(super) fn checksum(file: u64, offset: u64, bytes: &[u8]) -> u32 {
    let mut seed = [0; 16];
    let (left, right) = seed.split_at_mut(8);
    left.copy_from_slice(&file.to_le_bytes());
    right.copy_from_slice(&offset.to_le_bytes());
    let mut hasher = Hasher::new();
    hasher.update(&seed);
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bytes_elsewhere_have_another_checksum() {
        let here = checksum(1, 64, b"record");
        assert_eq!(here, checksum(1, 64, b"record"));
        assert_ne!(here, checksum(2, 64, b"record"));
        assert_ne!(here, checksum(1, 72, b"record"));
    }
}
