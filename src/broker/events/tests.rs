//! What is told, by the queue that hears it.

use serde_json::json;

use super::super::test_world::declaration;
use super::super::{Author, BrokerOptions, DirectChannel, Peer, Session};
use super::*;
use crate::connection::Command;
use crate::connection::command::{Bind, DeclareExchange, DeclareQueue};
use crate::definitions::import::Definitions;
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

pub(super) fn bind(is_unbind: bool) -> Bind {
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
        (message.routing_key().to_owned(), headers(message))
    }
}

/// Headers in the order of their names.
fn sorted(headers: &FieldTable) -> Vec<(String, FieldValue)> {
    let mut all: Vec<_> =
        headers.into_iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

/// The headers of an event but for its time.
fn headers(message: &Message) -> FieldTable {
    let properties = Properties::decode(message.properties()).unwrap();
    assert_eq!((properties.delivery_mode, properties.timestamp), (Some(2), Some(5)));
    assert_eq!((message.exchange(), message.body_size()), (EVENT_EXCHANGE, 0));
    let mut headers = properties.headers.unwrap();
    assert_eq!(headers.remove("timestamp_in_ms"), Some(FieldValue::I64(5_999)));
    headers
}

pub(super) fn table<const N: usize>(entries: [(&str, FieldValue); N]) -> FieldTable {
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
    world.broker.by_node().set_policy(&policy, NOW).unwrap();
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

fn limit(kind: PolicyKind, name: &str, priority: i64, max_length: u64) -> PolicyDefinition<Name> {
    PolicyDefinition {
        kind,
        host: "/".into(),
        name: name.into(),
        pattern: "^q".into(),
        applies_to: PolicyTarget::Queues,
        priority,
        settings: json!({"max-length": max_length}).as_object().unwrap().clone(),
    }
}

#[test]
fn a_queue_is_told_with_the_policy_that_begins_or_stops_to_apply() {
    let mut world = World::watched();
    let broker = world.broker.clone();
    world.session.declare_queue(&declaration("q")).unwrap();
    world.session.declare_queue(&declaration("other")).unwrap();
    world.told();
    let mut after = |policy: Option<PolicyDefinition<Name>>, cleared: &str| {
        match policy {
            Some(policy) => _ = broker.by("ann").set_policy(&policy, NOW).unwrap(),
            None => _ = broker.by("ann").clear_policy(PolicyKind::User, "/", cleared, NOW),
        }
        let told = world.told();
        let of_queues = told.iter().filter(|message| message.routing_key().starts_with("queue."));
        let of_queues =
            of_queues.map(|each| (each.routing_key().to_owned(), sorted(&headers(each))));
        of_queues.collect::<Vec<_>>()
    };
    let of = |key: &str, policy: Option<(i64, i64)>| {
        let mut expected = table([
            ("name", "q".into()),
            ("vhost", "/".into()),
            ("type", "rabbit_classic_queue".into()),
            ("user_who_performed_action", "ann".into()),
        ]);
        if let Some((priority, max_length)) = policy {
            let definition = table([("max-length", FieldValue::I64(max_length))]);
            expected.insert("definition", definition);
            expected.insert("priority", FieldValue::I64(priority));
            expected.insert("pattern", "^q");
            expected.insert("apply-to", "queues");
        }
        vec![(key.to_owned(), sorted(&expected))]
    };
    let user =
        |name, priority, max_length| Some(limit(PolicyKind::User, name, priority, max_length));
    assert_eq!(after(user("p", 1, 5), ""), of("queue.policy.updated", Some((1, 5))));
    assert_eq!(after(user("p", 1, 5), ""), []);
    assert_eq!(after(user("low", 0, 6), ""), [], "it does not apply");
    assert_eq!(after(user("p", 2, 5), ""), of("queue.policy.updated", Some((2, 5))));
    let operator = Some(limit(PolicyKind::Operator, "low", 0, 7));
    assert_eq!(after(operator, ""), of("queue.policy.updated", Some((0, 7))));
    assert_eq!(after(None, "low"), []);
    assert_eq!(after(None, "p"), of("queue.policy.cleared", None));
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
        world.broker.by_node().set_user("ann", password, tags, Default::default());
    };
    set(&world, "1", &[]);
    assert_eq!(world.keys(), ["user.created"]);
    set(&world, "2", &["management"]);
    assert_eq!(world.keys(), ["user.password.changed", "user.tags.set"]);
    world.broker.by_node().set_user_limit("ann", "max-channels", 5.into()).unwrap();
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
    world.broker.by_node().set_permission(&permission).unwrap();
    let expected = table([
        ("user", "ann".into()),
        ("vhost", "/".into()),
        ("configure", "c".into()),
        ("write", "w".into()),
        ("read", "r".into()),
        ("user_who_performed_action", "rmq-internal".into()),
    ]);
    assert_eq!(world.only(), ("permission.created".to_owned(), expected));
    world.broker.by_node().delete_users(&["ann".into()]).unwrap();
    assert_eq!(world.keys(), ["permission.deleted", "user.deleted"]);
}

#[test]
fn a_virtual_host_is_told_when_it_comes_changes_and_goes() {
    let mut world = World::watched();
    let tags = vec!["a".into(), "b".into()];
    let settings = HostSettings { description: "d".into(), tags, ..HostSettings::default() };
    world.broker.declare_virtual_host("v", settings);
    let told = world.told();
    let keys: Vec<_> = told.iter().map(Message::routing_key).collect();
    assert_eq!((keys[0], &keys[1..]), ("vhost.created", &["exchange.created"; 7][..]));
    let trace = [
        ("name", "amq.rabbitmq.trace".into()),
        ("vhost", "v".into()),
        ("type", "topic".into()),
        ("durable", true.into()),
        ("auto_delete", false.into()),
        ("internal", true.into()),
        ("arguments", texts(&[])),
        ("policy", "".into()),
        ("user_who_performed_action", "rmq-internal".into()),
    ];
    let trace = sorted(&table(trace));
    assert!(told.iter().any(|message| sorted(&headers(message)) == trace));
    let created = headers(&told[0]);
    let metadata = "#{description => <<\"d\">>,tags => [a,b]}";
    assert_eq!(created.get("metadata"), Some(&metadata.into()));
    assert_eq!(created.get("tags"), Some(&texts(&["a", "b"])));
    let state = table([("leveret@localhost", "running".into())]);
    assert_eq!(created.get("cluster_state"), Some(&state.into()));
    world.broker.declare_virtual_host("v", HostSettings::default());
    let (key, updated) = world.only();
    assert_eq!(key, "vhost.updated");
    assert_eq!(updated.get("metadata"), Some(&"#{description => <<>>,tags => []}".into()));
    world.broker.by_node().set_host_limit("v", "max-queues", 5.into()).unwrap();
    assert_eq!(world.keys(), ["parameter.set", "vhost.limits.set"]);
    world.broker.by_node().delete_virtual_host("v", NOW);
    let told = world.told();
    let keys: Vec<_> = told.iter().map(Message::routing_key).collect();
    let first = ["parameter.cleared", "vhost.limits.cleared", "vhost.deleted"];
    assert_eq!(keys[..3], first, "{keys:?}");
    assert_eq!(keys[3..10], ["exchange.deleted"; 7], "{keys:?}");
    assert_eq!(keys[10..], ["vhost.down"]);
    let node = ("node", "leveret@localhost".into());
    let down = [("name", "v".into()), node, ("user_who_performed_action", "rmq-internal".into())];
    assert_eq!(headers(&told[10]), table(down));
}

const FILE: &[u8] = br#"{
    "users": [{"name": "eve", "password_hash": "", "tags": "x"}],
    "vhosts": [{"name": "v"}],
    "permissions": [{"user": "eve", "vhost": "v", "configure": "", "write": "", "read": ""}],
    "topic_permissions":
        [{"user": "eve", "vhost": "v", "exchange": "x", "write": "", "read": ""}],
    "global_parameters": [{"name": "g", "value": 1}],
    "policies": [{"vhost": "v", "name": "p", "pattern": "", "definition": {"max-length": 1}}],
    "exchanges": [{"vhost": "v", "name": "x", "type": "fanout"}],
    "queues": [{"vhost": "v", "name": "q"}],
    "bindings":
        [{"vhost": "v", "source": "x", "destination": "q", "destination_type": "queue"}]
}"#;

/// Everything that can be asked for.
fn change_all(author: Author<'_>) {
    author.import(&Definitions::read(FILE).unwrap(), NOW).unwrap();
    author.set_host_limit("v", "max-queues", 5.into()).unwrap();
    author.clear_host_limit("v", "max-queues").unwrap();
    author.set_user_limit("eve", "max-channels", 5.into()).unwrap();
    author.clear_user_limit("eve", "max-channels").unwrap();
    author.protect_virtual_host("v", true).unwrap();
    author.clear_topic_permissions("v", "eve", None);
    author.clear_permission("v", "eve");
    author.clear_policy(PolicyKind::User, "v", "p", NOW);
    author.clear_global_parameter("g");
    author.delete_users(&["eve".into()]).unwrap();
    author.delete_virtual_host("v", NOW);
}

#[test]
fn who_asked_for_a_change_is_told_with_it() {
    let mut world = World::watched();
    let broker = world.broker.clone();
    let mut told = |change: &dyn Fn()| {
        change();
        let users = world.told().into_iter().map(|message| {
            let properties = Properties::decode(message.properties()).unwrap();
            let headers = properties.headers.unwrap();
            let user = headers.get("user_who_performed_action").and_then(|user| user.as_str());
            (message.routing_key().to_owned(), user.unwrap().to_owned())
        });
        users.collect::<Vec<_>>()
    };
    let (asked, unasked) =
        (told(&|| change_all(broker.by("ann"))), told(&|| change_all(broker.by_node())));
    // What ran for a virtual host nobody ends but the node.
    let is_asked = |(key, user): &(String, String)| user == "ann" || key == "vhost.down";
    assert!(asked.iter().all(is_asked), "{asked:?}");
    assert!(unasked.iter().all(|(_, user)| user == "rmq-internal"), "{unasked:?}");
    let keys = |told: &[(String, String)]| told.iter().map(|(key, _)| key.clone()).collect();
    let keys: [Vec<String>; 2] = [keys(&asked), keys(&unasked)];
    assert_eq!(keys[0], keys[1]);
    for kind in ["user", "vhost", "permission", "topic.permission", "policy", "parameter"] {
        assert!(keys[0].iter().any(|key| key.starts_with(kind)), "{kind}: {:?}", keys[0]);
    }
    for kind in ["exchange", "queue", "binding", "vhost.limits", "user.limits"] {
        assert!(keys[0].iter().any(|key| key.starts_with(kind)), "{kind}: {:?}", keys[0]);
    }
}

#[test]
fn values_of_parameters_keep_their_types() {
    let mut world = World::watched();
    let value = json!({"a": 1, "b": [true, null, "x", 1.5], "c": {}});
    world
        .broker
        .by_node()
        .set_global_parameter(GlobalParameterDefinition { name: "p".into(), value });
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
fn a_channel_without_a_connection_is_told_neither_when_it_opens_nor_when_it_closes() {
    let mut world = World::watched();
    let user = world.broker.user("guest").unwrap();
    let mut channel = DirectChannel::open(&world.broker, &user, "/", NOW).unwrap();
    channel.ask(Command::DeclareQueue(declaration("q")), NOW);
    drop(channel);
    assert_eq!(world.keys(), ["queue.created"]);
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
