//! Floor 5: the AMQP door. Listeners accept, a task per connection moves bytes between its socket
//! and its [`Session`](crate::broker::Session). Nothing here knows what the bytes mean. The node
//! opens its other doors with these listeners and tasks too.

mod amqp_door;
mod clock;
mod entrance;
mod gathering;
mod listener;
mod session_task;
mod spawn;
mod transport;
mod unix_listener;

pub use clock::Clock;
pub use listener::{Listener, ListenerOptions, bind};
pub use spawn::Doors;
pub use unix_listener::{UnixListener, bind_unix};
