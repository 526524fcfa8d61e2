//! Floor 3: what remembers. All contact with the disk goes through [`Storage`], one flat folder of
//! files: [`FileStorage`] has real ones, [`MemoryStorage`] is a disk whose power can fail, and
//! [`FaultyStorage`] breaks as it is told. It knows no messages, no queues and no AMQP.

pub mod faulty;
pub mod memory;
pub mod storage;
mod write_cache;

pub use faulty::{Failure, Faults, FaultyStorage, Operation};
pub use memory::MemoryStorage;
pub use storage::{FileStorage, Storage, StorageFile};
