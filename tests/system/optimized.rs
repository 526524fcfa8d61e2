//! Which binary is looked at where it matters that it is an optimized one.

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::SystemTime;

use crate::process;

/// The optimized binary where there is one and it is not older than the one of this test; else
/// that of the test. Which one it is, is told once.
pub(crate) fn binary() -> PathBuf {
    static TOLD: Once = Once::new();
    let (binary, is_optimized) = find();
    let kind = if is_optimized { "optimized" } else { "not optimized" };
    TOLD.call_once(|| println!("the binary is {kind}: {}", binary.display()));
    binary
}

fn find() -> (PathBuf, bool) {
    let modified = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let built = process::binary();
    let optimized = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/release/leveret");
    let is_newer = modified(&optimized) >= modified(built).or(Some(SystemTime::UNIX_EPOCH));
    if is_newer { (optimized, true) } else { (built.to_owned(), !cfg!(debug_assertions)) }
}
