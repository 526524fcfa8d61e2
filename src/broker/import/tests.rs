//! Files carried out on a broker: what is there then, what a second import changes, where it stops.

use std::task::Waker;

use serde_json::{Value, json};

use super::*;
use crate::auth::{Access, Login};
use crate::broker::lock::read;
use crate::broker::test_world::World;
use crate::broker::{Broker, BrokerOptions};
use crate::definitions::HostSettings;
use crate::definitions::import::Definitions;
use crate::limits::TABLE_DEPTH_MAX;
use crate::message::{DeclareEquivalence, VirtualHostNumber};
use crate::protocol::field::FieldValue;

const NEW: &[u8] = include_bytes!("../../../tests/data/definitions-4.1.json");
const OLD: &[u8] = include_bytes!("../../../tests/data/definitions-3.10.json");

const NOW: Moment = Moment(1);

fn empty() -> Broker {
    Broker::empty(BrokerOptions::default(), [1, 2])
}

fn import(broker: &Broker, file: &Value) -> Result<ImportReport, ImportFailure> {
    broker.by_node().import(&Definitions::read(file.to_string().as_bytes()).unwrap(), NOW)
}

fn with_file(bytes: &[u8]) -> Broker {
    let broker = empty();
    broker.by_node().import(&Definitions::read(bytes).unwrap(), NOW).unwrap();
    broker
}

fn may_log_in(broker: &Broker, user: &str, password: &str) -> bool {
    let login = Login { user: user.into(), password: password.into() };
    read(&broker.users).check(&login, true).is_ok()
}

#[test]
fn everything_of_an_export_is_there() {
    let broker = with_file(NEW);
    let host = broker.virtual_host("orders").unwrap();
    let definitions = host.definitions();
    let orders = definitions.queue("orders").unwrap();
    assert_eq!(orders.options.kind, QueueKind::Quorum);
    assert_eq!(orders.options.dead_letter_exchange.as_deref(), Some("orders.dead"));
    assert!(host.queue("orders.dead").is_some());
    assert_eq!(definitions.bindings_from("orders.events").count(), 1);
    assert!(definitions.exchange("amq.topic").is_some(), "system exchanges are there as well");
    let node = broker.node_definitions();
    assert_eq!((node.policies().count(), node.parameters().count()), (2, 2));
    assert_eq!((node.global_parameters().count(), node.topic_permissions().count()), (3, 1));
    assert_eq!(node.host("orders").unwrap().settings.description, "Orders");
}

#[test]
fn users_log_in_by_hashes_that_rabbitmq_made() {
    let broker = with_file(NEW);
    assert!(may_log_in(&broker, "guest", "guest") && may_log_in(&broker, "orders-app", "test12"));
    assert!(!may_log_in(&broker, "orders-app", "guest"));
    assert!(!may_log_in(&broker, "certificate-only", ""));
    let users = read(&broker.users);
    let user = users.user("orders-app").unwrap();
    assert_eq!(user.permissions.len(), 1);
    let permissions = &user.permissions["orders"];
    assert!(permissions.allow(Access::Write, "orders.events"));
    assert!(!permissions.allow(Access::Configure, "orders"));
    drop(users);
    let broker = with_file(OLD);
    assert!(may_log_in(&broker, "veteran", "test12") && may_log_in(&broker, "typed", "in clear"));
}

#[test]
fn a_second_import_changes_nothing() {
    for file in [NEW, OLD] {
        let definitions = Definitions::read(file).unwrap();
        let broker = empty();
        let first = broker.by_node().import(&definitions, NOW).unwrap();
        let second = broker.by_node().import(&definitions, NOW).unwrap();
        assert_eq!(second.changed, 0);
        assert_eq!(second.unchanged, first.changed + first.unchanged);
    }
}

#[test]
fn what_is_there_stays_and_what_is_set_is_set_again() {
    let broker = with_file(OLD);
    let host = broker.virtual_host("legacy").unwrap();
    let before = host.queue("work").unwrap();
    let report = import(
        &broker,
        &json!({
            "users": [{"name": "veteran", "password": "new", "tags": ["monitoring"]}],
            "vhosts": [{"name": "legacy", "description": "new", "default_queue_type": "quorum"}],
            "queues": [{"vhost": "legacy", "name": "work", "durable": false, "arguments": {}}],
            "exchanges": [{"vhost": "legacy", "name": "work", "type": "fanout"}],
        }),
    );
    assert_eq!(report, Ok(ImportReport { changed: 2, unchanged: 2 }));
    assert!(may_log_in(&broker, "veteran", "new") && !may_log_in(&broker, "veteran", "test12"));
    let users = read(&broker.users);
    assert!(users.user("veteran").unwrap().permissions.contains_key("legacy"));
    let same = broker.virtual_host("legacy").unwrap();
    assert!(Arc::ptr_eq(&host, &same), "the virtual host lives on");
    assert_eq!(same.default_queue_kind(), Some(QueueKind::Quorum));
    assert!(Arc::ptr_eq(&before, &same.queue("work").unwrap()));
    assert_eq!(&*same.definitions().exchange("work").unwrap().kind, "direct");
}

#[test]
fn how_a_virtual_host_compares_declarations_stands_in_its_metadata() {
    let broker = empty();
    let file = |metadata: Value| json!({"vhosts": [{"name": "v", "metadata": metadata}]});
    import(&broker, &file(json!({"declare_equivalence": "relaxed"}))).unwrap();
    let host = broker.virtual_host("v").unwrap();
    assert_eq!(host.declare_equivalence(), Some(DeclareEquivalence::Relaxed));
    import(&broker, &file(json!({}))).unwrap();
    assert_eq!(host.declare_equivalence(), None);
}

#[test]
fn virtual_hosts_have_numbers_of_their_own() {
    let broker = with_file(NEW);
    let number = |name| broker.virtual_host(name).unwrap().number;
    assert_ne!(number("/"), number("orders"));
    assert_ne!(number("/"), VirtualHostNumber(0));
    let node = broker.node_definitions();
    assert_eq!(node.host("orders").unwrap().key.number, number("orders"));
}

#[test]
fn a_queue_has_the_type_of_the_file_or_of_its_virtual_host() {
    let broker = empty();
    let queue = |name: &str, more: Value| {
        let mut queue = json!({"vhost": "v", "name": name, "arguments": {}});
        queue.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        queue
    };
    let classic = json!({"x-queue-type": "classic"});
    let file = json!({
        "vhosts": [{"name": "v", "default_queue_type": "quorum"}],
        "queues": [
            queue("by-default", json!({})),
            queue("by-type", json!({"type": "classic"})),
            queue("by-argument", json!({"type": "quorum", "arguments": classic})),
            queue("passing", json!({"durable": false})),
        ],
    });
    import(&broker, &file).unwrap();
    let host = broker.virtual_host("v").unwrap();
    let kind = |name: &str| host.definitions().queue(name).unwrap().options.kind;
    assert_eq!(kind("by-default"), QueueKind::Quorum);
    for name in ["by-type", "by-argument", "passing"] {
        assert_eq!(kind(name), QueueKind::Classic, "{name}");
    }
    for (more, part) in [
        (json!({"type": "quorum", "durable": false}), "durable"),
        (json!({"type": "stream"}), "of type 'stream': the queue type is disabled"),
        (json!({"type": "odd"}), "unsupported queue type 'odd'"),
    ] {
        let failure = import(&broker, &json!({"queues": [queue("other", more)]})).unwrap_err();
        assert!(failure.to_string().contains(part), "{failure}");
    }
}

#[test]
fn an_import_stops_at_the_first_bad_item_and_tells_what_was_done() {
    let vhost = json!({"name": "/"});
    let queue = json!({"vhost": "/", "name": "q", "arguments": {"x-expires": 0}});
    let good = json!({"vhost": "/", "name": "good"});
    let broker = empty();
    let file = json!({"vhosts": [vhost], "queues": [good, queue, {"vhost": "/", "name": "late"}]});
    let failure = import(&broker, &file).unwrap_err();
    assert_eq!(failure.done, ImportReport { changed: 2, unchanged: 0 });
    assert_eq!(
        failure.to_string(),
        "queue 'q' in vhost '/': invalid arg 'x-expires' for queue 'q' in vhost '/': \
         {value_zero,0} (before it: 2 definitions imported, 0 were there already)"
    );
    let host = broker.virtual_host("/").unwrap();
    assert!(host.queue("good").is_some() && host.queue("late").is_none());
}

#[test]
fn what_cannot_be_is_refused_with_its_reason() {
    let broker = with_file(OLD);
    let exchange = |kind: &str, arguments: Value| {
        json!({"exchanges": [
            {"vhost": "legacy", "name": "x", "type": kind, "arguments": arguments}
        ]})
    };
    let binding = |source: &str, kind: &str, destination: &str| {
        json!({"bindings": [{
            "vhost": "legacy", "source": source, "destination_type": kind,
            "destination": destination, "routing_key": "", "arguments": {"x-match": "some"},
        }]})
    };
    let permission = |user: &str, vhost: &str, read: &str| {
        json!({"permissions": [
            {"user": user, "vhost": vhost, "configure": "", "write": "", "read": read}
        ]})
    };
    for (file, reason) in [
        (json!({"queues": [{"vhost": "none", "name": "q"}]}), "there is no vhost 'none'"),
        (permission("none", "/", ""), "there is no user 'none'"),
        (permission("guest", "none", ""), "there is no vhost 'none'"),
        (permission("guest", "/", "("), "'(' is no regular expression: "),
        (exchange("x-odd", json!({})), "unknown exchange type 'x-odd'"),
        (exchange("direct", json!({"alternate-exchange": 5})), "alternate-exchange"),
        (binding("none", "queue", "work"), "there is no exchange 'none'"),
        (binding("work", "queue", "none"), "there is no queue 'none'"),
        (binding("work", "exchange", "none"), "there is no exchange 'none'"),
        (binding("amq.headers", "queue", "work"), "x-match"),
    ] {
        let failure = import(&broker, &file).unwrap_err();
        assert!(failure.reason.to_string().contains(reason), "{failure}\nnot {reason}");
        assert_eq!(failure.done, ImportReport::default());
    }
}

fn exported(broker: &Broker) -> String {
    broker.inventory().cluster_file(&broker.origin())
}

#[test]
fn an_export_that_is_imported_again_loses_nothing() {
    for file in [NEW, OLD] {
        let broker = with_file(file);
        let file = exported(&broker);
        let other = with_file(file.as_bytes());
        assert_eq!(exported(&other), file);
        let again = Definitions::read(file.as_bytes()).unwrap();
        assert_eq!(broker.by_node().import(&again, NOW).unwrap().changed, 0);
    }
    let broker = with_file(NEW);
    assert_eq!(broker.inventory().global_parameters.len(), 3);
    let other = with_file(exported(&broker).as_bytes());
    assert_eq!(other.inventory().global_parameters.len(), 2, "without the node's own");
    assert!(may_log_in(&other, "orders-app", "test12"));
}

#[test]
fn a_file_of_one_virtual_host_goes_into_another() {
    let broker = with_file(NEW);
    let file = broker.inventory().host_file("orders", &broker.origin()).unwrap();
    assert!(matches!(
        Definitions::read(file.as_bytes()),
        Err(crate::definitions::import::DefinitionsError::SingleVirtualHost(None))
    ));
    broker.declare_virtual_host("copy", HostSettings::default());
    let definitions = Definitions::read_for_host(file.as_bytes(), "copy").unwrap();
    broker.by_node().import(&definitions, NOW).unwrap();
    let copy = broker.inventory().host_file("copy", &broker.origin()).unwrap();
    let section = |file: &str, name: &str| {
        let file: Value = serde_json::from_str(file).unwrap();
        assert_ne!(file[name], json!([]), "{name}");
        file[name].clone()
    };
    for name in ["exchanges", "queues", "bindings", "policies", "parameters"] {
        assert_eq!(section(&copy, name), section(&file, name));
    }
}

#[test]
fn users_and_permissions_do_not_come_with_a_virtual_host() {
    let broker = with_file(OLD);
    let file = json!({
        "users": [{"name": "sneak", "password": "x", "tags": "administrator"}],
        "permissions": [{"user": "guest", "vhost": "/", "configure": "", "write": "", "read": ""}],
        "global_parameters": [{"name": "cluster_name", "value": "stolen"}],
        "queues": [{"vhost": "/", "name": "new"}],
    });
    let definitions = Definitions::read_for_host(file.to_string().as_bytes(), "legacy").unwrap();
    assert_eq!(broker.by_node().import(&definitions, NOW).unwrap().changed, 1);
    assert!(broker.virtual_host("legacy").unwrap().queue("new").is_some());
    assert!(broker.virtual_host("/").unwrap().queue("new").is_none());
}

#[test]
fn a_binding_that_a_client_made_is_known_by_its_file() {
    let broker = with_file(OLD);
    let bind = |arguments: FieldTable| {
        let binding = Binding {
            source: "amq.headers".into(),
            destination: BindingEnd::Queue("work".into()),
            routing_key: "k".into(),
            arguments,
        };
        let declaration = Declaration::Binding { host: "legacy".into(), binding };
        broker.by_node().declare(&declaration, NOW, &mut KnownBindings::default()).unwrap()
    };
    assert_eq!(bind([("a", 1)].into_iter().collect()), Declared::Changed);
    let again = Definitions::read(exported(&broker).as_bytes()).unwrap();
    assert_eq!(broker.by_node().import(&again, NOW).unwrap().changed, 0);
    assert_eq!(bind([("a", 2)].into_iter().collect()), Declared::Changed);
    assert_eq!(bind(FieldTable::new()), Declared::Changed);
}

/// A timestamp above the signed 64-bit numbers once made a whole export unreadable.
#[test]
fn arguments_of_every_kind_that_a_client_may_send_come_through_a_file() {
    let broker = with_file(OLD);
    let extremes = [
        ("timestamp", FieldValue::Timestamp(u64::MAX)),
        ("smallest", FieldValue::I64(i64::MIN)),
        ("infinite", FieldValue::F64(f64::NEG_INFINITY)),
        ("none", FieldValue::F64(f64::NAN)),
        ("decimal", FieldValue::Decimal { scale: 255, value: u32::MAX }),
        ("bytes", FieldValue::Bytes(Box::new([0, 0xff]))),
        ("void", FieldValue::Void),
        ("deep", deepest()),
    ];
    let binding = Binding {
        source: "amq.headers".into(),
        destination: BindingEnd::Queue("work".into()),
        routing_key: "k".into(),
        arguments: extremes.into_iter().collect(),
    };
    let declaration = Declaration::Binding { host: "legacy".into(), binding };
    broker.by_node().declare(&declaration, NOW, &mut KnownBindings::default()).unwrap();
    let file = exported(&broker);
    let again = Definitions::read(file.as_bytes()).unwrap();
    assert_eq!(broker.by_node().import(&again, NOW).unwrap().changed, 0);
    assert_eq!(exported(&with_file(file.as_bytes())), file);
}

/// As deep as a table may be, in a table.
fn deepest() -> FieldValue {
    (0..TABLE_DEPTH_MAX).fold(FieldValue::Void, |inner, _| FieldValue::Array(vec![inner]))
}

#[test]
fn bindings_with_arguments_are_declared_once_however_often_a_file_has_them() {
    let broker = empty();
    let bindings = (0..300).map(|number| {
        json!({
            "vhost": "v", "source": "amq.headers", "destination": "q",
            "destination_type": "queue", "routing_key": "", "arguments": {"n": number % 100},
        })
    });
    let file = json!({
        "vhosts": [{"name": "v"}], "queues": [{"vhost": "v", "name": "q"}],
        "bindings": bindings.collect::<Value>(),
    });
    let report = import(&broker, &file).unwrap();
    assert_eq!((report.changed, report.unchanged), (102, 200));
    assert_eq!(import(&broker, &file).unwrap().changed, 0);
}

/// Users of files without limits once lost those that they had.
#[test]
fn limits_that_a_file_does_not_name_stay() {
    let broker = empty();
    let user = json!({"name": "ann", "password": "x", "tags": ""});
    let mut limited = user.clone();
    limited["limits"] = json!({"max-connections": 5, "max-channels": 7});
    import(&broker, &json!({"users": [limited]})).unwrap();
    import(&broker, &json!({"users": [user]})).unwrap();
    let limits = |broker: &Broker| {
        let limits = broker.user_definition("ann").unwrap().limits.clone();
        limits.into_iter().map(|(name, limit)| (name.to_string(), limit)).collect::<Vec<_>>()
    };
    let both = [("max-channels".to_owned(), 7), ("max-connections".to_owned(), 5)];
    assert_eq!(limits(&broker), both);
    let mut other = user.clone();
    other["limits"] = json!({"max-channels": 8});
    import(&broker, &json!({"users": [other]})).unwrap();
    assert_eq!(limits(&broker)[0].1, 8);
}

/// An import once was answered before what it found there was on disk.
#[test]
fn who_imports_what_is_there_waits_for_it_too() {
    let mut world = World::new();
    world.client().declare("q", true);
    let file = json!({"queues": [{"vhost": "/", "name": "q", "durable": true}]});
    assert_eq!(import(&world.broker, &file).unwrap().changed, 0);
    let position = world.broker.changed_at();
    let is_stored = |world: &World| world.broker.is_stored(position, Waker::noop()).unwrap();
    assert!(!is_stored(&world));
    world.turn();
    assert!(is_stored(&world));
}

#[test]
fn queues_that_have_no_room_stop_an_import_before_it_begins() {
    let broker = empty();
    let queues = |names: &[&str]| {
        let queues = names.iter().map(|name| json!({"vhost": "v", "name": name}));
        json!({"vhosts": [{"name": "v"}], "queues": queues.collect::<Value>()})
    };
    import(&broker, &queues(&["a", "b"])).unwrap();
    broker.by_node().set_host_limit("v", "max-queues", 3.into()).unwrap();
    let mut file = queues(&["a", "c", "d", "c"]);
    file["vhosts"] = json!([{"name": "v"}, {"name": "late"}]);
    let failure = import(&broker, &file).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "queues in vhost 'v': Adding 2 queue(s) to virtual host \"v\" would exceed the limit of 3 \
         queue(s).\n\nThis virtual host currently has 2 queue(s) defined.\n\nImport aborted! \
         (before it: 0 definitions imported, 0 were there already)"
    );
    assert!(broker.virtual_host("late").is_none());
    import(&broker, &queues(&["a", "b", "c"])).unwrap();
    broker.by_node().set_host_limit("v", "max-queues", 1.into()).unwrap();
    assert_eq!(import(&broker, &queues(&["a", "b", "c"])).unwrap().changed, 0);
}

#[test]
fn nothing_is_imported_into_a_virtual_host_that_is_being_deleted() {
    let broker = with_file(OLD);
    let host = broker.virtual_host("legacy").unwrap();
    // Who found it just before it went still has it.
    host.mark_deleted();
    let binding = json!({
        "vhost": "legacy", "source": "amq.fanout", "destination_type": "queue",
        "destination": "work",
    });
    for file in [
        json!({"queues": [{"vhost": "legacy", "name": "late"}]}),
        json!({"exchanges": [{"vhost": "legacy", "name": "late", "type": "fanout"}]}),
        json!({"bindings": [binding]}),
    ] {
        let failure = import(&broker, &file).unwrap_err();
        assert_eq!(failure.reason, DeclarationRefused::NoVirtualHost("legacy".into()));
    }
}
