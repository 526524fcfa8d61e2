//! Floor 0: bytes to values and back. Frames, methods, tables, properties, reply codes. It knows
//! what the wire looks like and nothing of what anything means.
//!
//! Reading order: [`frame`], [`methods`] (generated), [`field`] and [`properties`], [`reply`].

mod decode;
mod encode;
pub mod field;
pub mod frame;
pub mod methods;
pub mod percent;
pub mod properties;
pub mod reply;

pub use decode::{DecodeError, DecodeErrorKind};
pub use frame::PROTOCOL_HEADER;
