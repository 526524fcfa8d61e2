//! Floor 5: the AMQP door. Listeners accept, a task per connection moves bytes between its socket
//! and its [`Session`](crate::broker::Session). Nothing here knows what the bytes mean. The node
//! opens its other doors with these listeners and tasks too.

mod clock;
mod gathering;
mod listener;
mod session_task;
mod spawn;

pub use clock::Clock;
pub use listener::{Listener, ListenerOptions, bind};
pub use spawn::Doors;
