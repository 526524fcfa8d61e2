//! `/api/connections`: clients that are in a virtual host are listed and closed. Who is no monitor
//! sees its own. What is told of their channels is in `channels`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use super::api::{Api, Shared};
use super::caller::Caller;
use super::columns::Columns;
use super::list::{self, ListWish, Row};
use super::names::Names;
use super::operation::Operation;
use super::query::Query;
use super::refusal::Refusal;
use super::routes::Routes;
use super::samples::Subject;
use super::view::View;
use super::{answer, arguments, connection_name};
use crate::broker::{Encryption, ListedConnection, OctetFigures};
use crate::message::SessionId;

/// Why a connection is closed where nobody says.
const REASON: &str = "Closed via management plugin";

/// The header that says why.
const REASON_HEADER: &str = "x-reason";

pub(super) fn routes() -> Routes {
    const OF_USER: &str = "/connections/username/{user}";
    const ONE: &str = "/connections/{connection}";
    Routes::new()
        .get("/connections", Operation::pages("All connections"), list)
        .get(
            "/vhosts/{vhost}/connections",
            Operation::pages("Connections in a virtual host"),
            list_in_host,
        )
        .get(OF_USER, Operation::pages("Connections of a user"), list_of_user)
        .delete(OF_USER, Operation::done("Closes the connections of a user"), close_all)
        .get(ONE, Operation::columns("A connection"), show)
        .delete(ONE, Operation::done("Closes a connection"), close)
        .get(
            "/connections/{connection}/sessions",
            Operation::all("Sessions of a connection that speaks AMQP 1.0"),
            list_sessions,
        )
}

async fn list(
    State(api): State<Shared>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    answer_with(&api, seen(&api, &caller), &query).await
}

async fn list_in_host(
    State(api): State<Shared>,
    caller: Caller,
    Names(host): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    api.check_looks_in(&caller, &host)?;
    let mut connections = seen(&api, &caller);
    connections.retain(|connection| connection.virtual_host() == host);
    answer_with(&api, connections, &query).await
}

async fn list_of_user(
    State(api): State<Shared>,
    caller: Caller,
    Names(user): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.check_sees_things_of(&user)?;
    answer_with(&api, of_user(&api, &user), &query).await
}

/// Those that may be looked at.
pub(super) fn seen(api: &Api, caller: &Caller) -> Vec<ListedConnection> {
    let mut connections = api.broker.connections();
    connections.retain(|connection| caller.sees_things_of(connection.user()));
    connections
}

fn of_user(api: &Api, user: &str) -> Vec<ListedConnection> {
    let mut connections = api.broker.connections();
    connections.retain(|connection| connection.user() == user);
    connections
}

async fn answer_with(
    api: &Shared,
    mut connections: Vec<ListedConnection>,
    query: &Query,
) -> Result<Response, Refusal> {
    let wish = ListWish::of(query)?;
    connections.sort_by(|left, right| left.virtual_host().cmp(right.virtual_host()));
    let view = Arc::new(View::of(api, query));
    let row = |connection| ConnectionRow { connection, view: view.clone() };
    list::answer(connections.into_iter().map(row).collect(), wish).await
}

/// A connection that is there and may be looked at.
pub(super) fn find(api: &Api, caller: &Caller, name: &str) -> Result<ListedConnection, Refusal> {
    let connection = api.broker.connection(name).ok_or(Refusal::NotFound)?;
    caller.check_sees_things_of(connection.user())?;
    Ok(connection)
}

async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Names(name): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    let connection = find(&api, &caller, &name)?;
    Ok(answer::json(&Columns::of(&query).pick(shape(&connection, &View::of(&api, &query)))))
}

/// Sessions are AMQP 1.0's, which nobody speaks here.
async fn list_sessions(
    State(api): State<Shared>,
    caller: Caller,
    Names(name): Names<String>,
) -> Result<Response, Refusal> {
    find(&api, &caller, &name)?;
    Err(Refusal::bad("connection does not use AMQP 1.0"))
}

async fn close(
    State(api): State<Shared>,
    caller: Caller,
    Names(name): Names<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let connection = api.broker.connection(&name).ok_or(Refusal::NotFound)?;
    caller.check_ends_things_of(connection.user())?;
    connection.close(&reason(&headers));
    Ok(answer::done())
}

async fn close_all(
    State(api): State<Shared>,
    caller: Caller,
    Names(user): Names<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    caller.check_ends_things_of(&user)?;
    let reason = reason(&headers);
    of_user(&api, &user).iter().for_each(|connection| connection.close(&reason));
    Ok(answer::done())
}

fn reason(headers: &HeaderMap) -> String {
    let given = headers.get(REASON_HEADER);
    let given = given.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    given.unwrap_or_else(|| REASON.to_owned())
}

/// A connection in a list.
struct ConnectionRow {
    connection: ListedConnection,
    view: Arc<View>,
}

impl Row for ConnectionRow {
    type Key<'a> = (&'a str, &'a str);

    fn key(&self) -> Self::Key<'_> {
        (self.connection.virtual_host(), self.name())
    }

    fn virtual_host(&self) -> &str {
        self.connection.virtual_host()
    }

    fn name(&self) -> &str {
        self.connection.name()
    }

    fn shape(&self) -> Value {
        shape(&self.connection, &self.view)
    }
}

fn shape(connection: &ListedConnection, view: &View) -> Value {
    let name = connection.name();
    let (peer_host, peer_port) = connection_name::origin(name);
    let (host, port) = connection_name::destination(name);
    let introduction = connection.introduction();
    let traffic = connection.traffic();
    let mut shape = json!({
        "name": name,
        "vhost": connection.virtual_host(),
        "user": connection.user(),
        "user_who_performed_action": connection.user(),
        "client_properties": arguments::shape(&introduction.client_properties),
        "node": view.api.options.node,
        "type": "network",
        "protocol": "AMQP 0-9-1",
        "auth_mechanism": connection.auth_mechanism(),
        "state": connection.state().name(),
        "connected_at": connection.connected_at().0,
        "host": host,
        "port": port,
        "peer_host": peer_host,
        "peer_port": peer_port,
        "channels": connection.channel_count(),
        "channel_max": introduction.channel_max,
        "frame_max": introduction.frame_size_max,
        "timeout": introduction.heartbeat_seconds,
        "recv_oct": traffic.received_bytes,
        "recv_cnt": traffic.reads,
        "send_oct": traffic.sent_bytes,
        "send_cnt": traffic.writes,
        "send_pend": 0,
    });
    if let Some(shape) = shape.as_object_mut() {
        let name = introduction.client_name.as_deref();
        shape.extend(name.map(|name| ("user_provided_name".to_owned(), name.into())));
        let encryption = connection.encryption();
        shape.insert("ssl".to_owned(), encryption.is_some().into());
        let told = Encryption::told(encryption);
        shape.extend(told.map(|(name, value)| (name.to_owned(), value.into())));
        shape.extend(rates(connection.session(), &traffic, view));
    }
    shape
}

/// How fast bytes come and go.
fn rates(session: SessionId, traffic: &OctetFigures, view: &View) -> [(String, Value); 2] {
    let numbers = vec![traffic.received_bytes, traffic.sent_bytes];
    let look = view.look(Subject::Connection(session), numbers, 2);
    let details = |name: &str, index| (name.to_owned(), look.details(index, view.spans.octets));
    [details("recv_oct_details", 0), details("send_oct_details", 1)]
}
