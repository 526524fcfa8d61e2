//! What those hear who are bound to the exchange of logs.

use std::task::Waker;

use super::super::test_world::declaration;
use super::super::{BrokerOptions, Peer, Session};
use super::tests::{bind, table};
use super::*;
use crate::connection::command::{Bind, DeclareQueue};
use crate::limits::{LOG_LINES_STEP_MAX, LOG_LINES_WAITING_SIZE_MAX};
use crate::message::{Message, Moment};
use crate::protocol::properties::Properties;

const NOW: Moment = Moment(8_000);

/// What waits for the exchange of logs is told, and what came of it.
fn told_lines(broker: &Broker, session: &mut Session) -> Vec<Message> {
    broker.elapse(NOW);
    let host = broker.virtual_host("/").unwrap();
    let mut told = Vec::new();
    let queue = host.queue("told").unwrap();
    let fetched = queue.with(&mut session.work, |live| {
        while let crate::queue::Fetched::Got(delivery, _) =
            live.queue.get(true, crate::message::GetId(0))
        {
            told.push(delivery.message);
        }
    });
    fetched.unwrap();
    told
}

/// A broker with the exchange of logs, and a queue that is bound to it.
fn logged() -> (Arc<LogLines>, Arc<Broker>, Session) {
    let lines = Arc::new(LogLines::new(false));
    let options = BrokerOptions { log_lines: Some(lines.clone()), ..BrokerOptions::default() };
    let broker = Arc::new(Broker::new(options, [1, 2]).unwrap());
    let mut session = Session::new(broker.clone(), Peer { address: None }, NOW);
    session.user = broker.user("guest");
    session.open_virtual_host("/");
    session.declare_queue(&DeclareQueue { durable: true, ..declaration("told") }).unwrap();
    assert!(!lines.are_heard(), "nobody is bound");
    session.bind(Bind { source: LOG_EXCHANGE.into(), ..bind(false) }).unwrap();
    assert!(lines.are_heard());
    (lines, broker, session)
}

fn line(text: &str) -> LogLine {
    LogLine { level: "warning", text: text.to_owned(), at: Moment(7_123) }
}

#[test]
fn lines_of_the_log_go_to_those_who_are_bound_for_them() {
    let (lines, broker, mut session) = logged();
    lines.add(line("one\n"));
    assert!(broker.is_due_before(None, Waker::noop()));
    let told = told_lines(&broker, &mut session);
    let [message] = told.as_slice() else { panic!("{told:?}") };
    let properties = Properties::decode(message.properties()).unwrap();
    let expected = Properties {
        content_type: Some("text/plain".into()),
        timestamp: Some(7),
        headers: Some(table([("node", "leveret@localhost".into())])),
        ..Properties::default()
    };
    assert_eq!(properties, expected);
    assert_eq!((message.exchange(), message.routing_key()), (LOG_EXCHANGE, "warning"));
    assert_eq!(message.body_size(), 4);
    assert!(!broker.is_due_before(None, Waker::noop()));
    session.bind(Bind { source: LOG_EXCHANGE.into(), ..bind(true) }).unwrap();
    assert!(!lines.are_heard());
    let host = broker.virtual_host("/").unwrap();
    assert!(host.definitions().exchange(EVENT_EXCHANGE).is_none(), "that is another one");
}

#[test]
fn lines_that_are_too_many_are_lost_and_counted_and_the_rest_told_step_by_step() {
    let (lines, broker, mut session) = logged();
    let long = line(&"x".repeat(LOG_LINES_WAITING_SIZE_MAX / 3));
    (0..4).for_each(|_| lines.add(long.clone()));
    assert_eq!(told_lines(&broker, &mut session).len(), 2);
    for _ in 0..LOG_LINES_STEP_MAX + 1 {
        lines.add(line("x"));
    }
    assert_eq!(told_lines(&broker, &mut session).len(), LOG_LINES_STEP_MAX);
    assert!(broker.is_due_before(None, Waker::noop()));
    assert_eq!(told_lines(&broker, &mut session).len(), 1);
}

#[test]
fn what_is_logged_while_lines_are_handed_on_is_not_handed_on() {
    let (lines, _broker, _session) = logged();
    let handing_on = log_lines::HandingOn::begin();
    assert!(!lines.are_heard());
    drop(handing_on);
    assert!(lines.are_heard());
}
