//! What is told, by the queue that hears it.

use serde_json::json;

use super::super::test_world::declaration;
use super::super::{BrokerOptions, Peer, Session};
use super::*;
use crate::connection::command::{Bind, DeclareExchange, DeclareQueue};
use crate::definitions::{
    GlobalParameterDefinition, HostSettings, PermissionDefinition, PolicyDefinition, PolicyKind,
    PolicyTarget,
};
use crate::message::{Message, Moment, Name};
use crate::protocol::field::{FieldTable, FieldValue};
use crate::protocol::properties::Properties;

const NOW: Moment = Moment(5_999);

/// A broker with the exchange, and a session by which things are declared.
struct World {
    broker: Arc<Broker>,
    session: Session,
}

fn bind(is_unbind: bool) -> Bind {
    Bind {
        is_unbind,
        source: EVENT_EXCHANGE.into(),
        destination: "told".into(),
        to_exchange: false,
        routing_key: "#".into(),
        arguments: FieldTable::new(),
    }
}

impl World {
    fn new() -> Self {
        let event_exchange = Some("/".to_owned());
        let options = BrokerOptions { event_exchange, ..BrokerOptions::default() };
        let broker = Arc::new(Broker::new(options, [1, 2]).unwrap());
        let mut session = Session::new(broker.clone(), Peer { address: None }, NOW);
        session.user = broker.user("guest");
        session.work.user = Some("guest".into());
        session.open_virtual_host("/");
        session.declare_queue(&DeclareQueue { durable: true, ..declaration("told") }).unwrap();
        Self { broker, session }
    }

    /// The same, with its queue bound.
    fn watched() -> Self {
        let mut world = Self::new();
        world.session.bind(bind(false)).unwrap();
        assert_eq!(world.keys(), ["binding.created"]);
        world
    }

    /// What was told since.
    fn told(&mut self) -> Vec<Message> {
        if self.broker.deadline() == Some(Moment(0)) {
            self.broker.elapse(NOW);
        }
        let host = self.broker.virtual_host("/").unwrap();
        let mut told = Vec::new();
        let queue = host.queue("told").unwrap();
        let fetched = queue.with(&mut self.session.work, |live| {
            while let crate::queue::Fetched::Got(delivery, _) =
                live.queue.get(true, crate::message::GetId(0))
            {
                told.push(delivery.message);
            }
        });
        fetched.unwrap();
        told
    }

    fn keys(&mut self) -> Vec<String> {
        self.told().iter().map(|message| message.routing_key().to_owned()).collect()
    }

    /// The only thing told since: its key and its headers.
    fn only(&mut self) -> (String, FieldTable) {
        let told = self.told();
        let [message] = told.as_slice() else { panic!("{told:?}") };
        let properties = Properties::decode(message.properties()).unwrap();
        assert_eq!((properties.delivery_mode, properties.timestamp), (Some(2), Some(5)));
        assert_eq!((message.exchange(), message.body_size()), (EVENT_EXCHANGE, 0));
        let mut headers = properties.headers.unwrap();
        assert_eq!(headers.remove("timestamp_in_ms"), Some(FieldValue::I64(5_999)));
        (message.routing_key().to_owned(), headers)
    }
}

fn table<const N: usize>(entries: [(&str, FieldValue); N]) -> FieldTable {
    entries.into_iter().collect()
}

fn texts(texts: &[&str]) -> FieldValue {
    FieldValue::Array(texts.iter().map(|text| (*text).into()).collect())
}

#[test]
fn a_queue_is_told_with_all_that_was_declared() {
    let mut world = World::watched();
    let arguments = table([("x-max-length", 5.into())]);
    let declare = DeclareQueue { durable: true, arguments, ..declaration("q") };
    world.session.declare_queue(&declare).unwrap();
    let expected = table([
        ("name", "q".into()),
        ("durable", true.into()),
        ("auto_delete", false.into()),
        ("arguments", texts(&["{<<\"x-max-length\">>,signedint,5}"])),
        ("owner_pid", "".into()),
        ("exclusive", false.into()),
        ("vhost", "/".into()),
        ("user_who_performed_action", "guest".into()),
    ]);
    assert_eq!(world.only(), ("queue.created".to_owned(), expected));
    world.session.declare_queue(&declare).unwrap();
    assert_eq!(world.keys(), Vec::<String>::new(), "it was there");
}

#[test]
fn an_exchange_is_told_with_the_policy_that_applies() {
    let mut world = World::watched();
    let policy = PolicyDefinition::<Name> {
        kind: PolicyKind::User,
        host: "/".into(),
        name: "p".into(),
        pattern: "^x".into(),
        applies_to: PolicyTarget::Exchanges,
        priority: 1,
        settings: json!({"alternate-exchange": "a"}).as_object().unwrap().clone(),
    };
    world.broker.set_policy(&policy, NOW).unwrap();
    let (key, headers) = world.only();
    assert_eq!(key, "policy.set");
    let definition = table([("alternate-exchange", "a".into())]);
    assert_eq!(headers.get("definition"), Some(&definition.into()));
    assert_eq!(headers.get("apply-to"), Some(&"exchanges".into()));
    assert_eq!(headers.get("priority"), Some(&FieldValue::I64(1)));
    let declare = DeclareExchange {
        exchange: "x".into(),
        kind: "topic".into(),
        passive: false,
        durable: true,
        auto_delete: false,
        internal: false,
        arguments: FieldTable::new(),
    };
    world.session.declare_exchange(&declare).unwrap();
    let (key, headers) = world.only();
    assert_eq!((key.as_str(), headers.get("policy")), ("exchange.created", Some(&"p".into())));
    assert_eq!(headers.get("arguments"), Some(&texts(&[])));
}

#[test]
fn what_goes_with_something_that_is_deleted_is_told_too() {
    let mut world = World::watched();
    world.session.declare_queue(&declaration("q")).unwrap();
    let binding = Bind { source: "amq.topic".into(), destination: "q".into(), ..bind(false) };
    world.session.bind(binding).unwrap();
    assert_eq!(world.keys(), ["queue.created", "binding.created"]);
    let queue = world.broker.virtual_host("/").unwrap().queue("q").unwrap();
    world.session.delete_live_queue(&queue, false);
    assert_eq!(world.keys(), ["binding.deleted", "queue.deleted"]);
}

#[test]
fn a_user_is_told_by_what_is_new_about_it() {
    let mut world = World::watched();
    let set = |world: &World, password: &str, tags: &[&str]| {
        let password = world.broker.hash_password("ann", password);
        let tags = tags.iter().map(|tag| (*tag).into()).collect();
        world.broker.set_user("ann", password, tags, Default::default());
    };
    set(&world, "1", &[]);
    assert_eq!(world.keys(), ["user.created"]);
    set(&world, "2", &["management"]);
    assert_eq!(world.keys(), ["user.password.changed", "user.tags.set"]);
    world.broker.set_user_limit("ann", "max-channels", 5.into()).unwrap();
    let (key, headers) = world.only();
    assert_eq!(key, "user.limits.set");
    assert_eq!(headers.get("max-channels"), Some(&FieldValue::I64(5)));
    let permission = PermissionDefinition::<Name> {
        user: "ann".into(),
        host: "/".into(),
        configure: "c".into(),
        write: "w".into(),
        read: "r".into(),
    };
    world.broker.set_permission(&permission).unwrap();
    let expected = table([
        ("user", "ann".into()),
        ("vhost", "/".into()),
        ("configure", "c".into()),
        ("write", "w".into()),
        ("read", "r".into()),
        ("user_who_performed_action", "rmq-internal".into()),
    ]);
    assert_eq!(world.only(), ("permission.created".to_owned(), expected));
    world.broker.delete_users(&["ann".into()]).unwrap();
    assert_eq!(world.keys(), ["permission.deleted", "user.deleted"]);
}

#[test]
fn a_virtual_host_is_told_when_it_comes_changes_and_goes() {
    let mut world = World::watched();
    let tags = vec!["a".into(), "b".into()];
    let settings = HostSettings { description: "d".into(), tags, ..HostSettings::default() };
    world.broker.declare_virtual_host("v", settings);
    let (key, headers) = world.only();
    assert_eq!(key, "vhost.created");
    let metadata = "#{description => <<\"d\">>,tags => [a,b]}";
    assert_eq!(headers.get("metadata"), Some(&metadata.into()));
    assert_eq!(headers.get("tags"), Some(&texts(&["a", "b"])));
    let state = table([("leveret@localhost", "running".into())]);
    assert_eq!(headers.get("cluster_state"), Some(&state.into()));
    world.broker.declare_virtual_host("v", HostSettings::default());
    let (key, headers) = world.only();
    assert_eq!(key, "vhost.updated");
    assert_eq!(headers.get("metadata"), Some(&"#{description => <<>>,tags => []}".into()));
    world.broker.set_host_limit("v", "max-queues", 5.into()).unwrap();
    assert_eq!(world.keys(), ["parameter.set", "vhost.limits.set"]);
    world.broker.delete_virtual_host("v", NOW);
    let keys = world.keys();
    let first = ["parameter.cleared", "vhost.limits.cleared", "vhost.deleted"];
    assert_eq!(keys[..3], first, "{keys:?}");
}

#[test]
fn values_of_parameters_keep_their_types() {
    let mut world = World::watched();
    let value = json!({"a": 1, "b": [true, null, "x", 1.5], "c": {}});
    world.broker.set_global_parameter(GlobalParameterDefinition { name: "p".into(), value });
    let (key, headers) = world.only();
    assert_eq!(key, "parameter.set");
    let list = vec![true.into(), "null".into(), "x".into(), FieldValue::F32(1.5)];
    let value = table([("a", FieldValue::I64(1)), ("b", list.into()), ("c", Vec::new().into())]);
    assert_eq!(headers.get("value"), Some(&value.into()));
    assert_eq!(headers.get("component"), Some(&"global".into()));
}

#[test]
fn an_alarm_is_told_when_it_goes_on_and_off() {
    let mut world = World::watched();
    world.broker.set_alarm(crate::broker::Alarm::Memory, true);
    let expected = table([("source", "memory".into()), ("node", "leveret@localhost".into())]);
    assert_eq!(world.only(), ("alarm.set".to_owned(), expected));
    world.broker.set_alarm(crate::broker::Alarm::Memory, true);
    world.broker.set_alarm(crate::broker::Alarm::Memory, false);
    assert_eq!(world.keys(), ["alarm.cleared"]);
}

#[test]
fn nothing_is_noted_while_nobody_is_bound_and_there_is_no_exchange_unasked() {
    let mut world = World::new();
    world.session.declare_queue(&declaration("q")).unwrap();
    assert!(lock(&world.broker.events.waiting).is_empty() && !world.broker.events.are_watched());
    world.session.bind(bind(false)).unwrap();
    assert!(world.broker.events.are_watched());
    world.session.bind(bind(true)).unwrap();
    assert!(!world.broker.events.are_watched());
    let broker = Broker::new(BrokerOptions::default(), [1, 2]).unwrap();
    let host = broker.virtual_host("/").unwrap();
    assert!(host.definitions().exchange(EVENT_EXCHANGE).is_none());
}

#[test]
fn more_than_may_wait_is_lost_and_the_rest_told_step_by_step() {
    let mut world = World::watched();
    for _ in 0..EVENTS_WAITING_MAX + 5 {
        world.broker.events.note(&mut world.session.work.wakers, || Notice::new("x"));
    }
    assert_eq!(lock(&world.broker.events.waiting).len(), EVENTS_WAITING_MAX);
    assert_eq!(world.told().len(), EVENTS_STEP_MAX);
    assert_eq!(world.broker.deadline(), Some(Moment(0)), "the rest is for the next look");
    let mut count = EVENTS_STEP_MAX;
    while world.broker.deadline() == Some(Moment(0)) {
        count += world.told().len();
    }
    assert_eq!(count, EVENTS_WAITING_MAX);
}

#[test]
fn a_connection_is_told_with_its_channels_and_consumers_to_its_end() {
    let mut world = World::watched();
    let mut session = Session::new(world.broker.clone(), Peer { address: None }, NOW);
    session = session.named("127.0.0.1:4000 -> 127.0.0.1:5672");
    session.user = world.broker.user("guest");
    session.open_virtual_host("/");
    let (key, headers) = world.only();
    assert_eq!(key, "connection.created");
    assert_eq!(headers.get("peer_host"), Some(&"{127,0,0,1}".into()));
    assert_eq!(headers.get("peer_port"), Some(&FieldValue::I64(4000)));
    assert_eq!(headers.get("port"), Some(&FieldValue::I64(5672)));
    let pid = headers.get("pid").cloned();
    drop(session);
    let (key, headers) = world.only();
    assert_eq!((key.as_str(), headers.get("pid").cloned()), ("connection.closed", pid));
}
