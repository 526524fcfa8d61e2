//! What goes into a file, and in which shape. That nothing is lost on the way through one, the
//! broker's tests of imports show.

use serde_json::{Map, Value, json};

use super::*;
use crate::definitions::{
    Binding, BindingEnd, Change, ExchangeDefinition, GlobalParameterDefinition, HostDefinition,
    HostKey, HostSettings, LIMITS, ParameterDefinition, PolicyDefinition, PolicyKind, PolicyTarget,
    QueueDefinition, VIRTUAL_HOST_LIMITS, VirtualHostDefinitions,
};
use crate::message::{
    ExchangeId, Name, QueueId, QueueKind, QueueOptions, SessionId, VirtualHostNumber,
};
use crate::protocol::field::FieldTable;
use std::sync::Arc;

fn host(kind: Option<QueueKind>) -> Arc<HostDefinition> {
    let key = HostKey { number: VirtualHostNumber(1), name: "v".into() };
    let settings = HostSettings {
        description: "d".into(),
        tags: vec!["t".into()],
        default_queue_kind: kind,
        is_traced: None,
        metadata: Map::from_iter([("owner".to_owned(), json!("ann"))]),
    };
    Arc::new(HostDefinition { key, settings, declared_by: "ann".into() })
}

fn exchange(name: &str, internal: bool) -> Change {
    Change::ExchangeDeclared(Arc::new(ExchangeDefinition {
        id: ExchangeId(1),
        name: name.into(),
        kind: "topic".into(),
        durable: true,
        auto_delete: false,
        internal,
        arguments: FieldTable::new(),
        declared_by: "ann".into(),
    }))
}

fn queue(name: &str, kind: QueueKind, owner: Option<SessionId>) -> Change {
    Change::QueueDeclared(Arc::new(QueueDefinition {
        id: QueueId(1),
        name: name.into(),
        durable: true,
        auto_delete: false,
        owner,
        arguments: [("x-max-length", 5)].into_iter().collect(),
        options: QueueOptions { kind, ..QueueOptions::default() },
        ttl_before: Vec::new(),
    }))
}

fn binding(source: &str, destination: BindingEnd) -> Change {
    let (source, routing_key, arguments) = (source.into(), "k".into(), FieldTable::new());
    Change::Bound(Arc::new(Binding { source, destination, routing_key, arguments }))
}

fn definitions(changes: &[Change]) -> VirtualHostDefinitions {
    let mut definitions = VirtualHostDefinitions::default();
    changes.iter().for_each(|change| definitions.apply(change));
    definitions
}

fn origin() -> Origin {
    Origin { rabbitmq_version: "4.3.5".into(), cluster: "east".into() }
}

fn inventory(host: Arc<HostDefinition>, changes: &[Change]) -> Inventory {
    let hosts = vec![HostInventory::of(host, HostContents::of(&definitions(changes)))];
    Inventory { hosts, ..Inventory::default() }
}

fn cluster_file(inventory: &Inventory) -> Value {
    serde_json::from_str(&inventory.cluster_file(&origin())).unwrap()
}

fn names(items: &Value) -> Vec<&str> {
    items.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[test]
fn a_file_has_every_section_and_says_where_it_comes_from() {
    let file = cluster_file(&Inventory::default());
    let expected = json!({
        "rabbit_version": "4.3.5", "rabbitmq_version": "4.3.5", "product_name": "Leveret",
        "product_version": env!("CARGO_PKG_VERSION"), "rabbitmq_definition_format": "cluster",
        "original_cluster_name": "east", "explanation": "Definitions of cluster 'east'",
        "users": [], "vhosts": [], "permissions": [], "topic_permissions": [], "parameters": [],
        "global_parameters": [], "policies": [], "exchanges": [], "queues": [], "bindings": [],
    });
    assert_eq!(file, expected);
}

#[test]
fn what_comes_by_itself_or_belongs_to_one_connection_stays_out() {
    let queue_end = |name: &str| BindingEnd::Queue(name.into());
    let exchange_end = |name: &str| BindingEnd::Exchange(name.into());
    let changes = [
        exchange("", false),
        exchange("amq.topic", false),
        exchange("b", false),
        exchange("a", false),
        exchange("inner", true),
        queue("kept", QueueKind::Classic, None),
        queue("own", QueueKind::Classic, Some(SessionId(1))),
        binding("", queue_end("kept")),
        binding("amq.topic", queue_end("kept")),
        binding("a", queue_end("own")),
        binding("a", exchange_end("inner")),
        binding("inner", queue_end("kept")),
        binding("a", exchange_end("b")),
    ];
    let file = cluster_file(&inventory(host(None), &changes));
    assert_eq!(names(&file["exchanges"]), ["a", "b"]);
    assert_eq!(names(&file["queues"]), ["kept"]);
    let expected = json!([
        {
            "vhost": "v", "source": "a", "destination": "b", "destination_type": "exchange",
            "routing_key": "k", "arguments": {},
        },
        {
            "vhost": "v", "source": "amq.topic", "destination": "kept",
            "destination_type": "queue", "routing_key": "k", "arguments": {},
        },
    ]);
    assert_eq!(file["bindings"], expected);
}

#[test]
fn a_queue_names_its_type_where_a_broker_could_take_it_for_another() {
    let changes = [queue("c", QueueKind::Classic, None), queue("q", QueueKind::Quorum, None)];
    let arguments = |default: Option<QueueKind>| {
        let file = cluster_file(&inventory(host(default), &changes));
        assert_eq!(
            (&file["queues"][0]["type"], &file["queues"][1]["type"]),
            (&json!("classic"), &json!("quorum"))
        );
        [0, 1].map(|index: usize| file["queues"][index]["arguments"].clone())
    };
    let named = |kind: &str| json!({"x-max-length": 5, "x-queue-type": kind});
    assert_eq!(arguments(None), [json!({"x-max-length": 5}), named("quorum")]);
    assert_eq!(arguments(Some(QueueKind::Quorum)), [named("classic"), named("quorum")]);
}

#[test]
fn a_virtual_host_has_its_settings_in_both_places_and_its_limits() {
    let host = host(Some(QueueKind::Quorum));
    let mut inventory = inventory(host.clone(), &[]);
    let settings = json!({"description": "d", "tags": ["t"], "default_queue_type": "quorum"});
    let mut expected = settings.as_object().unwrap().clone();
    let mut metadata = expected.clone();
    metadata.insert("owner".to_owned(), json!("ann"));
    expected.insert("metadata".to_owned(), Value::Object(metadata));
    expected.insert("name".to_owned(), json!("v"));
    expected.insert("limits".to_owned(), json!([]));
    assert_eq!(cluster_file(&inventory)["vhosts"], json!([expected]));
    inventory.parameters.push(Arc::new(ParameterDefinition {
        host: host.key.clone(),
        component: VIRTUAL_HOST_LIMITS.into(),
        name: LIMITS.into(),
        value: json!({"max-queues": 3}),
    }));
    assert_eq!(cluster_file(&inventory)["vhosts"][0]["limits"], json!({"max-queues": 3}));
}

#[test]
fn operator_policies_are_parameters_and_a_nodes_own_parameters_stay() {
    let host = host(None);
    let policy = |kind| {
        Arc::new(PolicyDefinition {
            kind,
            host: host.key.clone(),
            name: "p".into(),
            pattern: "a".into(),
            applies_to: PolicyTarget::All,
            priority: 1,
            settings: Map::new(),
        })
    };
    let parameter = |name: &str| {
        Arc::new(GlobalParameterDefinition { name: Name::from(name), value: json!("x") })
    };
    let inventory = Inventory {
        policies: vec![policy(PolicyKind::User), policy(PolicyKind::Operator)],
        global_parameters: vec![parameter("cluster_name"), parameter("internal_cluster_id")],
        ..inventory(host.clone(), &[])
    };
    let file = cluster_file(&inventory);
    let value = json!({"pattern": "a", "apply-to": "all", "priority": 1, "definition": {}});
    let expected =
        json!({"vhost": "v", "component": "operator_policy", "name": "p", "value": value});
    assert_eq!(file["parameters"], json!([expected]));
    assert_eq!(file["policies"][0]["pattern"], "a");
    assert_eq!(names(&file["global_parameters"]), ["cluster_name"]);
}

#[test]
fn the_file_of_one_virtual_host_does_not_say_which() {
    let changes = [exchange("x", false), queue("q", QueueKind::Classic, None)];
    let inventory = inventory(host(None), &changes);
    assert_eq!(inventory.host_file("other", &origin()), None);
    let file: Value = serde_json::from_str(&inventory.host_file("v", &origin()).unwrap()).unwrap();
    assert_eq!(file["rabbitmq_definition_format"], "single_virtual_host");
    assert_eq!(file["original_vhost_name"], "v");
    assert_eq!((&file["description"], &file["limits"]), (&json!("d"), &json!([])));
    for section in ["exchanges", "queues"] {
        assert_eq!(file[section].as_array().unwrap().len(), 1);
        assert!(file[section][0].get("vhost").is_none(), "{section}");
    }
    for section in ["users", "vhosts", "permissions", "global_parameters", "vhost"] {
        assert!(file.get(section).is_none(), "{section}");
    }
}
