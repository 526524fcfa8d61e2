//! Records there and back, for every kind of change and generated contents; and bytes of ill will.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::definitions::{
    Binding, BindingEnd, ExchangeDefinition, GlobalParameterDefinition, HashingAlgorithm,
    HostDefinition, HostKey, HostSettings, ParameterDefinition, PasswordHash, PermissionDefinition,
    PolicyDefinition, PolicyKind, PolicyTarget, QueueDefinition, TopicPermissionDefinition,
    UNKNOWN_USER, UserDefinition,
};
use crate::message::{
    Era, ExchangeId, Moment, Name, QueueDeclaration, QueueId, QueueKind, QueueOptions, SessionId,
};
use crate::protocol::field::{FieldTable, FieldValue};

const HOST: VirtualHostNumber = VirtualHostNumber(7);

fn exchange(name: &str, durable: bool) -> Arc<ExchangeDefinition> {
    Arc::new(ExchangeDefinition {
        id: ExchangeId(11),
        name: name.into(),
        kind: "topic".into(),
        durable,
        auto_delete: true,
        internal: false,
        arguments: [("alternate-exchange", "other")].into_iter().collect(),
        declared_by: "ann".into(),
    })
}

fn queue(name: &str, arguments: FieldTable, default: QueueKind) -> QueueDefinition {
    let declaration = QueueDeclaration {
        name,
        virtual_host: "/",
        durable: true,
        exclusive: false,
        auto_delete: false,
        server_named: false,
    };
    QueueDefinition {
        id: QueueId(12),
        name: name.into(),
        durable: true,
        auto_delete: false,
        owner: None,
        options: QueueOptions::parse(&declaration, &arguments, default).unwrap(),
        arguments,
        ttl_before: Vec::new(),
    }
}

fn simple_queue(name: &str) -> QueueDefinition {
    queue(name, FieldTable::new(), QueueKind::Classic)
}

fn binding(source: &str, destination: BindingEnd) -> Arc<Binding> {
    Arc::new(Binding {
        source: source.into(),
        destination,
        routing_key: "a.#".into(),
        arguments: [("x-match", "all")].into_iter().collect(),
    })
}

fn encode_alone(change: &Change) -> Option<Record> {
    encode_in_host(HOST, change, &VirtualHostDefinitions::default())
}

fn decoded(record: &Record) -> Fact {
    decode(&record.key, record.value.as_deref().expect("a value")).expect("a record")
}

#[track_caller]
fn comes_back(change: Change, definitions: &VirtualHostDefinitions) {
    let record = encode_in_host(HOST, &change, definitions).expect("it survives");
    assert_eq!(decoded(&record), Fact::Host(HOST, change));
}

/// Two durable and two passing things of each kind.
fn definitions() -> VirtualHostDefinitions {
    let mut definitions = VirtualHostDefinitions::default();
    definitions.apply(&Change::ExchangeDeclared(exchange("kept", true)));
    definitions.apply(&Change::ExchangeDeclared(exchange("passing", false)));
    definitions.apply(&Change::QueueDeclared(Arc::new(simple_queue("kept"))));
    let passing = QueueDefinition { durable: false, ..simple_queue("passing") };
    definitions.apply(&Change::QueueDeclared(Arc::new(passing)));
    definitions
}

#[test]
fn earlier_times_to_live_of_a_queue_are_kept() {
    let ttl_before = [(70, None), (90, Some(5)), (95, Some(0))]
        .map(|(until, ttl_ms)| Era { until: Moment(until), ttl_ms })
        .to_vec();
    let queue = Arc::new(QueueDefinition { ttl_before, ..simple_queue("q") });
    let definitions = VirtualHostDefinitions::default();
    let configured = Change::QueueConfigured(queue.clone());
    let record = encode_in_host(HOST, &configured, &definitions).unwrap();
    assert_eq!(decoded(&record), Fact::Host(HOST, Change::QueueDeclared(queue)));
}

#[test]
fn exchanges_queues_and_bindings_come_back() {
    let definitions = definitions();
    comes_back(Change::ExchangeDeclared(exchange("kept", true)), &definitions);
    comes_back(Change::QueueDeclared(Arc::new(simple_queue("q"))), &definitions);
    comes_back(Change::Bound(binding("kept", BindingEnd::Queue("kept".into()))), &definitions);
    comes_back(Change::Bound(binding("kept", BindingEnd::Exchange("kept".into()))), &definitions);
}

#[test]
fn the_type_of_a_queue_stays_when_the_default_changes() {
    let by_default = queue("q", FieldTable::new(), QueueKind::Quorum);
    assert_eq!(by_default.options.kind, QueueKind::Quorum);
    comes_back(Change::QueueDeclared(Arc::new(by_default)), &definitions());
}

#[test]
fn arguments_keep_their_types_and_mean_the_same_again() {
    let mut arguments = FieldTable::new();
    arguments.insert("x-message-ttl", FieldValue::U8(200));
    arguments.insert("x-expires", FieldValue::I64(60_000));
    arguments.insert("x-dead-letter-exchange", "dlx");
    arguments.insert("x-own", FieldValue::F32(1.5));
    let queue = queue("q", arguments, QueueKind::Classic);
    assert_eq!(queue.options.message_ttl_ms, Some(200));
    comes_back(Change::QueueDeclared(Arc::new(queue)), &definitions());
}

#[test]
fn what_does_not_survive_a_restart_has_no_record() {
    let passing = QueueDefinition { durable: false, ..simple_queue("q") };
    let exclusive = QueueDefinition { owner: Some(SessionId(1)), ..simple_queue("q") };
    for queue in [passing, exclusive] {
        let queue = Arc::new(queue);
        assert_eq!(encode_alone(&Change::QueueDeclared(queue.clone())), None);
        assert_eq!(encode_alone(&Change::QueueDeleted(queue)), None);
    }
    assert_eq!(encode_alone(&Change::ExchangeDeclared(exchange("x", false))), None);
    let definitions = definitions();
    for (source, destination) in [
        ("passing", BindingEnd::Queue("kept".into())),
        ("kept", BindingEnd::Queue("passing".into())),
        ("kept", BindingEnd::Exchange("passing".into())),
        ("kept", BindingEnd::Queue("unknown".into())),
    ] {
        let binding = binding(source, destination);
        assert_eq!(encode_in_host(HOST, &Change::Bound(binding.clone()), &definitions), None);
        assert_eq!(encode_in_host(HOST, &Change::Unbound(binding), &definitions), None);
    }
}

#[test]
fn what_is_gone_has_the_key_it_had_and_no_value() {
    let definitions = definitions();
    let queue = Arc::new(simple_queue("q"));
    let binding = binding("kept", BindingEnd::Queue("kept".into()));
    for (there, gone) in [
        (
            Change::ExchangeDeclared(exchange("x", true)),
            Change::ExchangeDeleted(exchange("x", true)),
        ),
        (Change::QueueDeclared(queue.clone()), Change::QueueDeleted(queue)),
        (Change::Bound(binding.clone()), Change::Unbound(binding)),
    ] {
        let there = encode_in_host(HOST, &there, &definitions).unwrap();
        let gone = encode_in_host(HOST, &gone, &definitions).unwrap();
        assert!(there.value.is_some());
        assert_eq!(gone, Record { key: there.key, value: None });
    }
}

#[test]
fn things_that_differ_have_keys_that_differ() {
    let definitions = definitions();
    let to_queue = binding("kept", BindingEnd::Queue("kept".into()));
    let to_exchange = binding("kept", BindingEnd::Exchange("kept".into()));
    let other_key = Arc::new(Binding { routing_key: "b".into(), ..(*to_queue).clone() });
    let no_arguments = Arc::new(Binding { arguments: FieldTable::new(), ..(*to_queue).clone() });
    let mut changes: Vec<Change> =
        [to_queue, to_exchange, other_key, no_arguments].map(Change::Bound).into();
    changes.push(Change::ExchangeDeclared(exchange("q", true)));
    changes.push(Change::QueueDeclared(Arc::new(simple_queue("q"))));
    let mut keys: Vec<Vec<u8>> = [HOST, VirtualHostNumber(8)]
        .into_iter()
        .flat_map(|host| changes.iter().map(move |change| (host, change)))
        .map(|(host, change)| encode_in_host(host, change, &definitions).unwrap().key)
        .collect();
    keys.extend(node_changes().iter().map(|change| encode_node(change).key));
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count);
}

#[test]
fn keys_of_a_virtual_host_begin_with_its_prefixes_and_others_do_not() {
    let is_prefixed = |key: &[u8]| host_prefixes(HOST).iter().any(|prefix| key.starts_with(prefix));
    let change = Change::QueueDeclared(Arc::new(simple_queue("q")));
    assert!(is_prefixed(&encode_alone(&change).unwrap().key));
    let other = encode_in_host(VirtualHostNumber(8), &change, &definitions()).unwrap();
    assert!(!is_prefixed(&other.key));
    for change in node_changes() {
        let of_node = matches!(
            change,
            NodeChange::HostDeclared(_)
                | NodeChange::UserDeclared(_)
                | NodeChange::GlobalParameterSet(_)
        );
        assert_eq!(is_prefixed(&encode_node(&change).key), !of_node, "{change:?}");
    }
}

fn host_key() -> HostKey {
    HostKey { number: HOST, name: "prod".into() }
}

fn user(algorithm: HashingAlgorithm, limits: BTreeMap<Name, i64>) -> NodeChange {
    NodeChange::UserDeclared(Arc::new(UserDefinition {
        name: "ann".into(),
        password: PasswordHash { algorithm, bytes: vec![1, 2, 3, 4, 5] },
        tags: vec!["administrator".into(), "own".into()],
        limits,
    }))
}

fn host(default_queue_kind: Option<QueueKind>, metadata: Map<String, Value>) -> NodeChange {
    let settings = HostSettings {
        description: "für alle".into(),
        tags: vec!["a".into()],
        default_queue_kind,
        is_traced: None,
        metadata,
    };
    let (key, declared_by) = (host_key(), "ann".into());
    NodeChange::HostDeclared(Arc::new(HostDefinition { key, settings, declared_by }))
}

/// What a value has in front of its last fields.
fn without_end(record: &Record, end: &[u8]) -> Vec<u8> {
    let value = record.value.as_deref().unwrap();
    value.strip_suffix(end).unwrap().to_vec()
}

#[test]
fn a_virtual_host_of_an_earlier_version_is_traced_as_nobody_says_and_of_nobody() {
    let of = |is_traced, declared_by: &str| {
        let (key, declared_by) = (host_key(), declared_by.into());
        let settings = HostSettings { is_traced, ..HostSettings::default() };
        NodeChange::HostDeclared(Arc::new(HostDefinition { key, settings, declared_by }))
    };
    for (is_traced, byte) in [(None, 2), (Some(false), 0), (Some(true), 1)] {
        let record = encode_node(&of(is_traced, "a"));
        assert_eq!(decoded(&record), Fact::Node(of(is_traced, "a")));
        let author = Writer::value().text("a").finish();
        let before = without_end(&record, &author[1..]);
        assert_eq!(decode(&record.key, &before), Ok(Fact::Node(of(is_traced, "rmq-unknown"))));
        let before = without_end(&record, &[&[byte], &author[1..]].concat());
        assert_eq!(decode(&record.key, &before), Ok(Fact::Node(of(None, "rmq-unknown"))));
        let wrong = [&before[..], &[3]].concat();
        assert!(decode(&record.key, &wrong).is_err());
    }
}

#[test]
fn an_exchange_of_an_earlier_version_is_of_nobody() {
    let declared = exchange("x", true);
    let record = encode_alone(&Change::ExchangeDeclared(declared.clone())).unwrap();
    let before = without_end(&record, &Writer::value().text("ann").finish()[1..]);
    let known = ExchangeDefinition { declared_by: UNKNOWN_USER.into(), ..(*declared).clone() };
    let change = Change::ExchangeDeclared(Arc::new(known));
    assert_eq!(decode(&record.key, &before), Ok(Fact::Host(HOST, change)));
}

fn policy(kind: PolicyKind) -> NodeChange {
    NodeChange::PolicySet(Arc::new(PolicyDefinition {
        kind,
        host: host_key(),
        name: "p".into(),
        pattern: "^(?!amq)".into(),
        applies_to: PolicyTarget::QuorumQueues,
        priority: -3,
        settings: Map::from_iter([("max-length".to_owned(), json!(10))]),
    }))
}

fn permissions() -> [NodeChange; 2] {
    let permission = PermissionDefinition {
        user: "ann".into(),
        host: host_key(),
        configure: "^a".into(),
        write: ".*".into(),
        read: String::new(),
    };
    let topic = TopicPermissionDefinition {
        user: "ann".into(),
        host: host_key(),
        exchange: "amq.topic".into(),
        write: "^a".into(),
        read: ".*".into(),
    };
    [
        NodeChange::PermissionSet(Arc::new(permission)),
        NodeChange::TopicPermissionSet(Arc::new(topic)),
    ]
}

fn parameters() -> [NodeChange; 2] {
    let value = json!({"src-uri": ["amqp://", null], "ack-mode": "on-confirm", "n": -1});
    let global = GlobalParameterDefinition { name: "cluster_name".into(), value: json!("rabbit") };
    let parameter = ParameterDefinition {
        host: host_key(),
        component: "shovel".into(),
        name: "s".into(),
        value,
    };
    [
        NodeChange::ParameterSet(Arc::new(parameter)),
        NodeChange::GlobalParameterSet(Arc::new(global)),
    ]
}

fn node_changes() -> Vec<NodeChange> {
    let mut changes = vec![
        host(Some(QueueKind::Quorum), Map::from_iter([("own".to_owned(), json!(1))])),
        user(HashingAlgorithm::Md5, [("max-channels".into(), -1)].into()),
        policy(PolicyKind::User),
        policy(PolicyKind::Operator),
    ];
    changes.extend(permissions());
    changes.extend(parameters());
    changes
}

#[test]
fn what_concerns_the_node_comes_back() {
    for change in node_changes() {
        assert_eq!(decoded(&encode_node(&change)), Fact::Node(change));
    }
    let plain = [host(None, Map::new()), user(HashingAlgorithm::Sha512, BTreeMap::new())];
    for change in plain {
        assert_eq!(decoded(&encode_node(&change)), Fact::Node(change));
    }
}

#[test]
fn what_is_cleared_has_the_key_it_had_and_no_value() {
    for set in node_changes() {
        let cleared = match set.clone() {
            NodeChange::HostDeclared(host) => NodeChange::HostDeleted(host),
            NodeChange::UserDeclared(user) => NodeChange::UserDeleted(user),
            NodeChange::PermissionSet(each) => NodeChange::PermissionCleared(each),
            NodeChange::TopicPermissionSet(each) => NodeChange::TopicPermissionCleared(each),
            NodeChange::PolicySet(policy) => NodeChange::PolicyCleared(policy),
            NodeChange::ParameterSet(each) => NodeChange::ParameterCleared(each),
            NodeChange::GlobalParameterSet(each) => NodeChange::GlobalParameterCleared(each),
            other => panic!("{other:?} is not set"),
        };
        let key = encode_node(&set).key;
        assert_eq!(encode_node(&cleared), Record { key, value: None });
    }
}

#[test]
fn later_formats_and_unknown_kinds_are_told_apart() {
    let Record { key, value } = encode_node(&policy(PolicyKind::User));
    let value = value.unwrap();
    let changed = |bytes: &[u8], at: usize, to: u8| {
        let mut bytes = bytes.to_vec();
        bytes[at] = to;
        bytes
    };
    assert_eq!(decode(&changed(&key, 0, 2), &value), Err(RecordError::UnknownFormat(2)));
    assert_eq!(decode(&key, &changed(&value, 0, 9)), Err(RecordError::UnknownFormat(9)));
    assert_eq!(decode(&changed(&key, 1, 200), &value), Err(RecordError::UnknownKind(200)));
    assert_eq!(decode(&[], &value), Err(RecordError::Malformed("key")));
    let longer = [&value[..], &[0]].concat();
    assert_eq!(decode(&key, &longer), Err(RecordError::Malformed("value")));
}

#[test]
fn arguments_that_no_queue_takes_name_the_queue() {
    let mut queue = simple_queue("q");
    queue.arguments.insert("x-expires", 0);
    let record = encode_alone(&Change::QueueDeclared(Arc::new(queue))).unwrap();
    let error = decode(&record.key, &record.value.unwrap()).unwrap_err();
    assert!(error.to_string().starts_with("arguments of queue 'q': "), "{error}");
    assert!(error.to_string().contains("x-expires"), "{error}");
}

#[test]
fn a_cut_record_is_malformed_but_where_earlier_versions_end() {
    let definitions = definitions();
    let mut records: Vec<Record> = node_changes().iter().map(encode_node).collect();
    let bound = Change::Bound(binding("kept", BindingEnd::Queue("kept".into())));
    let queue = Change::QueueDeclared(Arc::new(simple_queue("q")));
    for change in [bound, queue, Change::ExchangeDeclared(exchange("x", true))] {
        records.push(encode_in_host(HOST, &change, &definitions).unwrap());
    }
    for Record { key, value } in records {
        let value = value.unwrap();
        for end in 0..key.len() {
            assert!(decode(&key[..end], &value).is_err());
        }
        let ends = match decode(&key, &value).unwrap() {
            Fact::Node(NodeChange::HostDeclared(_)) => 2,
            Fact::Host(_, Change::ExchangeDeclared(_)) => 1,
            _ => 0,
        };
        let is_whole = |end: &usize| decode(&key, &value[..*end]).is_ok();
        assert_eq!((0..value.len()).filter(is_whole).count(), ends);
    }
}

fn argument() -> impl Strategy<Value = FieldValue> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(FieldValue::Boolean),
        any::<i8>().prop_map(FieldValue::I8),
        any::<u16>().prop_map(FieldValue::U16),
        any::<u32>().prop_map(FieldValue::U32),
        any::<i64>().prop_map(FieldValue::I64),
        any::<f64>().prop_map(FieldValue::F64),
        any::<u64>().prop_map(FieldValue::Timestamp),
        (any::<u8>(), any::<u32>()).prop_map(|(scale, value)| FieldValue::Decimal { scale, value }),
        prop::collection::vec(any::<u8>(), 0..20)
            .prop_map(|bytes| FieldValue::LongString(bytes.into())),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| FieldValue::Bytes(bytes.into())),
        Just(FieldValue::Void),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(FieldValue::Array),
            prop::collection::vec(("[a-z]{0,8}", inner), 0..4)
                .prop_map(|entries| entries.into_iter().collect::<FieldTable>().into()),
        ]
    })
}

/// Names that mean nothing to a queue, so that any value will do.
fn table() -> impl Strategy<Value = FieldTable> {
    prop::collection::vec(("own-[a-z]{0,6}", argument()), 0..5)
        .prop_map(|entries| entries.into_iter().collect())
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![".{0,12}", "[a-z.#*]{0,300}"]
}

proptest! {
    #[test]
    fn generated_declarations_come_back(
        host in any::<u64>(),
        name in text(),
        kind in text(),
        key in text(),
        arguments in table(),
        id in any::<u64>(),
        auto_delete in any::<bool>(),
        internal in any::<bool>(),
    ) {
        let host = VirtualHostNumber(host);
        let exchange = ExchangeDefinition {
            id: ExchangeId(id),
            name: name.as_str().into(),
            kind: kind.as_str().into(),
            durable: true,
            auto_delete,
            internal,
            arguments: arguments.clone(),
            declared_by: key.as_str().into(),
        };
        let queue = QueueDefinition {
            id: QueueId(id),
            auto_delete,
            ..queue(&name, arguments.clone(), QueueKind::Classic)
        };
        let binding = Binding {
            source: name.as_str().into(),
            destination: BindingEnd::Queue(name.as_str().into()),
            routing_key: key.as_str().into(),
            arguments,
        };
        let mut definitions = VirtualHostDefinitions::default();
        for change in [
            Change::ExchangeDeclared(Arc::new(exchange)),
            Change::QueueDeclared(Arc::new(queue)),
            Change::Bound(Arc::new(binding)),
        ] {
            definitions.apply(&change);
            let record = encode_in_host(host, &change, &definitions).unwrap();
            prop_assert_eq!(decoded(&record), Fact::Host(host, change));
        }
    }

    #[test]
    fn chance_bytes_never_panic(
        kind in prop_oneof![Just(1u8), 1u8..40, any::<u8>()],
        key in prop::collection::vec(any::<u8>(), 0..60),
        value in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let key = [&[FORMAT, kind][..], &key].concat();
        let value = [&[FORMAT][..], &value].concat();
        let _ = decode(&key, &value);
    }

    #[test]
    fn records_with_changed_bytes_never_panic(
        which in 0usize..8,
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
    ) {
        let Record { key, value } = encode_node(&node_changes()[which]);
        let mut bytes = [&key[..], &value.unwrap()].concat();
        let place = at.index(bytes.len());
        bytes[place] = to;
        let (key, value) = bytes.split_at(key.len());
        let _ = decode(key, value);
    }
}
