//! Connections. There are no processes here: a connection goes by its name where RabbitMQ shows
//! one, and is closed by it.

use std::time::Duration;

use serde_json::Value;

use super::super::api::{Asked, Trouble};
use super::super::call::Call;
use super::super::failure::Failure;
use super::super::listing::Listing;
use super::super::output::Output;
use super::super::url::path;
use super::super::verb::Verb;

pub(super) const VERBS: &[Verb] = &[
    Verb::new(
        "list_connections",
        "[<column>...]",
        "List connections",
        "Listing connections ...",
        list,
    )
    .lists(&LISTING),
    Verb::new(
        "close_connection",
        "<connection> <reason>",
        "Close the connection of this name",
        "Closing connection {connection}, reason: {reason}...",
        close,
    ),
    Verb::new(
        "close_all_connections",
        "<reason> [--global] [--limit <limit>] [--per-connection-delay <milliseconds>]",
        "Close all connections in a virtual host, or everywhere",
        "Closing connections, reason: {reason}...",
        close_all,
    ),
    Verb::new(
        "close_all_user_connections",
        "<username> <reason>",
        "Close all connections of a user",
        "Closing connections of user {username}, reason: {reason}...",
        close_all_of_user,
    ),
];

const LISTING: Listing = Listing {
    columns: &[
        ("pid", "name"),
        ("name", "name"),
        ("port", "port"),
        ("host", "host"),
        ("peer_port", "peer_port"),
        ("peer_host", "peer_host"),
        ("ssl", "ssl"),
        ("ssl_protocol", "ssl_protocol"),
        ("ssl_key_exchange", "ssl_key_exchange"),
        ("ssl_cipher", "ssl_cipher"),
        ("ssl_hash", "ssl_hash"),
        ("peer_cert_subject", "peer_cert_subject"),
        ("peer_cert_issuer", "peer_cert_issuer"),
        ("peer_cert_validity", "peer_cert_validity"),
        ("state", "state"),
        ("channels", "channels"),
        ("protocol", "protocol"),
        ("auth_mechanism", "auth_mechanism"),
        ("user", "user"),
        ("vhost", "vhost"),
        ("timeout", "timeout"),
        ("frame_max", "frame_max"),
        ("channel_max", "channel_max"),
        ("client_properties", "client_properties"),
        ("recv_oct", "recv_oct"),
        ("recv_cnt", "recv_cnt"),
        ("send_oct", "send_oct"),
        ("send_cnt", "send_cnt"),
        ("send_pend", "send_pend"),
        ("connected_at", "connected_at"),
        ("user_provided_name", "user_provided_name"),
        ("node", "node"),
        ("type", "type"),
    ],
    defaults: &["user", "peer_host", "peer_port", "state"],
};

fn list(call: &Call) -> Result<Output, Failure> {
    LISTING.show_with(call, path(&["connections"]), |connection| {
        let protocol = connection.get_mut("protocol");
        if let Some(protocol) = protocol.filter(|name| name.as_str() == Some("AMQP 0-9-1")) {
            *protocol = Value::from("{0,9,1}");
        }
    })
}

fn close(call: &Call) -> Result<Output, Failure> {
    let name = call.word("<connection>");
    close_named(call, name).map_err(|trouble| match trouble {
        Trouble::Refused { status: 404, .. } => {
            Failure::Unavailable(format!("there is no connection {name}"))
        }
        other => other.into(),
    })?;
    Ok(Output::Done)
}

fn close_all(call: &Call) -> Result<Output, Failure> {
    let path = match call.has("--global") {
        true => path(&["connections"]),
        false => {
            call.check_host()?;
            path(&["vhosts", call.virtual_host(), "connections"])
        }
    };
    let limit = call.number("--limit")?.filter(|limit| *limit > 0).unwrap_or(u64::MAX);
    let delay = Duration::from_millis(call.number("--per-connection-delay")?.unwrap_or(0));
    let connections = call.api.list(format!("{path}?columns=name"))?;
    let names = connections.iter().filter_map(|connection| connection.get("name")?.as_str());
    let mut closed = 0;
    for name in names.take(usize::try_from(limit).unwrap_or(usize::MAX)) {
        closed += u32::from(is_closed(close_named(call, name))?);
        std::thread::sleep(delay);
    }
    Ok(Output::Message(format!("Closed {closed} connections")))
}

fn close_all_of_user(call: &Call) -> Result<Output, Failure> {
    let path = path(&["connections", "username", call.word("<username>")]);
    is_closed(close_by(call, path))?;
    Ok(Output::Done)
}

/// One that has gone meanwhile is no failure.
fn is_closed(closed: Result<(), Trouble>) -> Result<bool, Failure> {
    match closed {
        Ok(()) => Ok(true),
        Err(Trouble::Refused { status: 404, .. }) => Ok(false),
        Err(trouble) => Err(trouble.into()),
    }
}

fn close_named(call: &Call, name: &str) -> Result<(), Trouble> {
    close_by(call, path(&["connections", name]))
}

fn close_by(call: &Call, path: String) -> Result<(), Trouble> {
    let reason = Some(call.word("<reason>").to_owned());
    let asked = Asked { method: hyper::Method::DELETE, path, reason, ..Asked::default() };
    call.api.ask(asked).map(drop)
}
