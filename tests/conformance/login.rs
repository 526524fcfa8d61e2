//! What a client says between the protocol header and connection.open. Each field can be said
//! wrong; how the broker takes it is not here.

use leveret::protocol::field::{FieldTable, FieldValue};

/// What a client says while it logs in; the default is what a good client says.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) client_properties: FieldTable,
    pub(crate) mechanism: &'static str,
    pub(crate) response: Vec<u8>,
    pub(crate) channel_max: u16,
    pub(crate) frame_max: u32,
    pub(crate) heartbeat: u16,
    pub(crate) virtual_host: &'static str,
}

impl Default for Login {
    fn default() -> Self {
        Self {
            client_properties: with_capabilities(&[
                "authentication_failure_close",
                "basic.nack",
                "connection.blocked",
                "consumer_cancel_notify",
                "publisher_confirms",
            ]),
            mechanism: "PLAIN",
            response: b"\0guest\0guest".to_vec(),
            channel_max: 2047,
            frame_max: 131_072,
            heartbeat: 0,
            virtual_host: "/",
        }
    }
}

impl Login {
    /// A client that can do nothing special.
    pub(crate) fn without_capabilities() -> Self {
        Self { client_properties: FieldTable::new(), ..Self::default() }
    }
}

/// Client properties with these capabilities.
pub(crate) fn with_capabilities(capabilities: &[&str]) -> FieldTable {
    let table: FieldTable = capabilities.iter().map(|name| (*name, true)).collect();
    [("capabilities", FieldValue::Table(table))].into_iter().collect()
}
