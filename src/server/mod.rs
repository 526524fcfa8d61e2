//! Floor 5: the AMQP door. Listeners accept, a task per connection moves bytes between its socket
//! and its [`Session`](crate::broker::Session). Nothing here knows what the bytes mean. The node
//! opens its other doors with these listeners and tasks too.

mod amqp_door;
mod cipher_suites;
mod client_listeners;
mod client_verifier;
mod clock;
mod door_stream;
mod entrance;
mod gathering;
mod listener;
mod piped;
mod proxy;
mod session_task;
mod spawn;
mod tls;
mod tls_files;
mod tls_options;
mod tls_socket;
mod transport;
mod unix_listener;
mod way_in;

pub use amqp_door::AmqpDoor;
pub use cipher_suites::{CipherSuiteName, cipher_suites, knows_cipher_suite};
pub use client_listeners::ClientListeners;
pub use clock::Clock;
pub use door_stream::DoorStream;
pub use listener::{Listener, ListenerOptions, bind};
pub use proxy::Network;
pub use spawn::Doors;
pub use tls::{CertificateEnds, Tls, TlsOffer};
pub use tls_options::{
    ClientCheck, RevocationCheck, RevocationExtent, TlsError, TlsIdentity, TlsOptions,
};
pub use unix_listener::{UnixListener, bind_unix};
pub use way_in::{Proxy, WayIn};
