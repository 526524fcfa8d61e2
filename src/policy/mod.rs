//! Floor 3: which policy applies to a queue or exchange, and what comes of it together with the
//! arguments. It decides from values: what then becomes of a live queue is not its business.
//!
//! ```text
//! user policies ------ the first that matches --.
//!                                               +- merge -- with the arguments -> options in force
//! operator policies -- the first that matches --'
//! ```

mod force;
mod key;
mod merge;
mod policies;

pub use force::in_force;
pub use key::check;
pub use policies::{Applied, Policies};
