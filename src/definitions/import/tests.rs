//! Whole files as RabbitMQ exports them, and files that somebody wrote or broke.

use serde_json::{Value, json};

use super::*;
use crate::definitions::{
    BindingEnd, HashingAlgorithm, HostSettings, ParameterDefinition, PasswordHash, PolicyKind,
    PolicyTarget,
};
use crate::message::QueueKind;
use crate::protocol::field::{FieldTable, FieldValue};

const NEW: &[u8] = include_bytes!("../../../tests/data/definitions-4.1.json");
const OLD: &[u8] = include_bytes!("../../../tests/data/definitions-3.10.json");

fn read(file: &Value) -> Result<Definitions, DefinitionsError> {
    Definitions::read(file.to_string().as_bytes())
}

#[track_caller]
fn declaration<'a>(definitions: &'a Definitions, label: &str) -> &'a Declaration {
    let item = definitions.items.iter().find(|item| item.label == label);
    &item.unwrap_or_else(|| panic!("no {label} in {definitions:#?}")).declaration
}

#[track_caller]
fn error(file: &Value) -> String {
    read(file).unwrap_err().to_string()
}

#[test]
fn everything_of_an_export_is_read_in_the_order_of_imports() {
    let definitions = Definitions::read(NEW).unwrap();
    let labels: Vec<&str> = definitions.items.iter().map(|item| &*item.label).collect();
    assert_eq!(
        labels,
        [
            "user 'guest'",
            "user 'orders-app'",
            "user 'certificate-only'",
            "vhost '/'",
            "vhost 'orders'",
            // Its limits.
            "vhost 'orders'",
            "permission of user 'guest' in vhost '/'",
            "permission of user 'orders-app' in vhost 'orders'",
            "permission of user 'guest' in vhost 'orders'",
            "exchange 'orders.events' in vhost 'orders'",
            "exchange 'orders.dead' in vhost 'orders'",
            "exchange 'orders.unrouted' in vhost 'orders'",
            "exchange 'by-header' in vhost '/'",
            "topic permission of user 'orders-app' in vhost 'orders'",
            "global parameter 'cluster_name'",
            "global parameter 'internal_cluster_id'",
            "global parameter 'cluster_tags'",
            "policy 'ttl' in vhost 'orders'",
            "parameter operator_policy 'cap' in vhost 'orders'",
            "parameter vhost-limits 'limits' in vhost 'orders'",
            "parameter shovel 'move' in vhost '/'",
            "queue 'plain' in vhost '/'",
            "queue 'orders' in vhost 'orders'",
            "queue 'orders.dead' in vhost 'orders'",
            "binding from exchange 'orders.events' to queue 'orders' in vhost 'orders'",
            "binding from exchange 'orders.dead' to queue 'orders.dead' in vhost 'orders'",
            "binding from exchange 'orders.unrouted' to exchange 'orders.dead' in vhost 'orders'",
            "binding from exchange 'by-header' to queue 'plain' in vhost '/'",
            "binding from exchange 'amq.topic' to queue 'plain' in vhost '/'",
        ]
    );
}

#[test]
fn what_the_broker_names_itself_is_passed_over_with_a_warning() {
    let definitions = Definitions::read(NEW).unwrap();
    let queue = "queue 'amq.gen-3ld8Nw0aTtuU7hNQnF1X1w' in vhost '/'";
    assert_eq!(
        definitions.warnings,
        [
            format!("{queue} is skipped: names that begin with 'amq.' are given by the broker"),
            format!(
                "binding from exchange 'amq.fanout' to {queue} is skipped: its queue is skipped \
                 as well"
            ),
        ]
    );
    let file = json!({"exchanges": [{"vhost": "/", "name": "amq.topic", "type": "direct"}]});
    let definitions = read(&file).unwrap();
    assert!(definitions.items.is_empty());
    assert!(definitions.warnings[0].starts_with("exchange 'amq.topic' in vhost '/' is skipped"));
}

#[test]
fn users_have_their_hashes_tags_and_limits() {
    let definitions = Definitions::read(NEW).unwrap();
    let Declaration::User(user) = declaration(&definitions, "user 'orders-app'") else { panic!() };
    let DeclaredPassword::Hash(hash) = &user.password else { panic!() };
    assert_eq!((hash.algorithm, hash.bytes.len()), (HashingAlgorithm::Sha512, 68));
    let limits = [("max-channels".into(), 1000), ("max-connections".into(), 100)];
    assert_eq!(user.limits, limits.into());
    let Declaration::User(user) = declaration(&definitions, "user 'certificate-only'") else {
        panic!()
    };
    let none = PasswordHash { algorithm: HashingAlgorithm::Sha256, bytes: vec![] };
    assert_eq!(user.password, DeclaredPassword::Hash(none));
    assert_eq!(user.tags, ["monitoring".into()]);
}

#[test]
fn a_virtual_host_has_its_settings_from_both_places() {
    let definitions = Definitions::read(NEW).unwrap();
    let settings = HostSettings {
        description: "Orders".into(),
        tags: vec!["production".into()],
        default_queue_kind: Some(QueueKind::Quorum),
        is_traced: None,
        metadata: Map::from_iter([("protected_from_deletion".to_owned(), json!(true))]),
    };
    let expected = Declaration::Host { name: "orders".into(), settings };
    assert_eq!(declaration(&definitions, "vhost 'orders'"), &expected);
    let definitions = Definitions::read(OLD).unwrap();
    let settings = HostSettings { description: "Old things".into(), ..HostSettings::default() };
    let expected = Declaration::Host { name: "legacy".into(), settings };
    assert_eq!(declaration(&definitions, "vhost 'legacy'"), &expected);
}

#[test]
fn limits_of_a_virtual_host_are_a_parameter_wherever_they_stand() {
    let definitions = Definitions::read(NEW).unwrap();
    let expected = Declaration::Parameter(ParameterDefinition {
        host: "orders".into(),
        component: "vhost-limits".into(),
        name: "limits".into(),
        value: json!({"max-queues": 500}),
    });
    let found = definitions.items.iter().filter(|item| item.declaration == expected);
    assert_eq!(found.count(), 2);
}

#[test]
fn policies_of_users_and_of_the_operator_are_told_apart() {
    let definitions = Definitions::read(NEW).unwrap();
    let Declaration::Policy(policy) = declaration(&definitions, "policy 'ttl' in vhost 'orders'")
    else {
        panic!()
    };
    assert_eq!((policy.kind, policy.priority), (PolicyKind::User, 5));
    assert_eq!(policy.applies_to, PolicyTarget::Queues);
    assert_eq!(policy.settings["message-ttl"], json!(86_400_000));
    let label = "parameter operator_policy 'cap' in vhost 'orders'";
    let Declaration::Policy(policy) = declaration(&definitions, label) else { panic!() };
    assert_eq!((policy.kind, &*policy.name), (PolicyKind::Operator, "cap"));
    assert_eq!(policy.settings["max-length"], json!(1_000_000));
}

#[test]
fn queues_and_bindings_have_arguments_of_amqp() {
    let definitions = Definitions::read(NEW).unwrap();
    let label = "queue 'orders' in vhost 'orders'";
    let Declaration::Queue(queue) = declaration(&definitions, label) else { panic!() };
    assert_eq!(queue.kind.as_deref(), Some("quorum"));
    assert_eq!(queue.arguments.get("x-delivery-limit"), Some(&FieldValue::I64(5)));
    let label = "binding from exchange 'by-header' to queue 'plain' in vhost '/'";
    let Declaration::Binding { host, binding } = declaration(&definitions, label) else { panic!() };
    assert_eq!((&**host, &binding.destination), ("/", &BindingEnd::Queue("plain".into())));
    assert_eq!(binding.arguments.get("weight"), Some(&FieldValue::F64(0.5)));
    assert_eq!(binding.arguments.get("note"), Some(&FieldValue::Void));
}

#[test]
fn older_files_are_read_with_their_habits() {
    let definitions = Definitions::read(OLD).unwrap();
    let Declaration::User(user) = declaration(&definitions, "user 'veteran'") else { panic!() };
    assert_eq!(user.tags, ["monitoring".into(), "policymaker".into()]);
    let DeclaredPassword::Hash(hash) = &user.password else { panic!() };
    assert_eq!(hash.algorithm, HashingAlgorithm::Md5);
    let Declaration::User(user) = declaration(&definitions, "user 'typed'") else { panic!() };
    assert_eq!(user.password, DeclaredPassword::Clear("in clear".into()));
    assert!(user.tags.is_empty());
    assert!(!format!("{definitions:?}").contains("in clear"), "a password is not shown");
    let label = "queue 'passing' in vhost 'legacy'";
    let Declaration::Queue(queue) = declaration(&definitions, label) else { panic!() };
    assert!(!queue.durable && queue.auto_delete && queue.kind.is_none());
    assert_eq!(queue.arguments, FieldTable::new());
    assert!(definitions.warnings.is_empty(), "a default binding goes without a word");
}

#[test]
fn a_byte_order_mark_and_unknown_keys_are_passed_over() {
    let file = json!({"new": {"a": 1}, "users": null, "vhosts": [{"name": "v", "new": 1}]});
    let definitions = Definitions::read(format!("\u{FEFF}{file}").as_bytes()).unwrap();
    assert_eq!(definitions.items.len(), 1);
    assert_eq!(Definitions::read(b"{}"), Ok(Definitions::default()));
}

#[test]
fn what_is_no_object_is_no_definitions_file() {
    for (bytes, part) in
        [(&b"{\"users\": [}"[..], "line 1 column 12"), (b"[]", "not a JSON object")]
    {
        let error = Definitions::read(bytes).unwrap_err().to_string();
        assert!(error.starts_with("this is no definitions file: "), "{error}");
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_file_of_a_single_virtual_host_is_refused_with_advice() {
    let named = json!({"rabbitmq_definition_format": "single_virtual_host", "queues": []});
    let bare = json!({"rabbit_version": "3.8.0", "queues": [{"name": "q", "durable": true}]});
    for (file, part) in
        [(named, "single virtual host; a node"), (bare, "(queue 'q' has no `vhost`)")]
    {
        let error = error(&file);
        assert!(error.contains(part) && error.contains("export_definitions"), "{error}");
    }
}

#[test]
fn what_is_wrong_is_told_with_the_name_of_its_item() {
    let queue = |changes: Value| {
        let mut queue = json!({"vhost": "/", "name": "q", "durable": true});
        queue.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        json!({"queues": [queue]})
    };
    let user = |changes: Value| {
        let mut user = json!({"name": "ann", "tags": ""});
        user.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        json!({"users": [user]})
    };
    let vhost = |key: &str, value: Value| json!({"vhosts": [{"name": "v", key: value}]});
    let policy =
        json!({"vhost": "/", "name": "p", "pattern": "", "apply-to": "x", "definition": {}});
    let binding = json!({"vhost": "/", "source": "a", "destination": "b", "destination_type": "c"});
    for (file, expected) in [
        (json!({"queues": {}}), "queues: expected a list"),
        (json!({"users": [{"tags": []}]}), "users, item 1: missing field `name`"),
        (queue(json!({"durable": "yes"})), "queue 'q' in vhost '/': invalid type: string \"yes\""),
        (queue(json!({"arguments": 5})), "queue 'q' in vhost '/': expected an object, found 5"),
        (
            queue(json!({"arguments": {"n".repeat(256): 1}})),
            "queue 'q' in vhost '/': the name of argument 'nnnn",
        ),
        (
            json!({"queues": [{"vhost": "/", "name": "n".repeat(256)}]}),
            &format!("queue '{}' in vhost '/': the name is longer", "n".repeat(256)),
        ),
        (json!({"queues": [{"vhost": "/", "name": ""}]}), "queue '' in vhost '/': it has no name"),
        (user(json!({"password_hash": "?"})), "user 'ann': password_hash is not base64"),
        (user(json!({"hashing_algorithm": "rot13"})), "user 'ann': hashing_algorithm 'rot13'"),
        (user(json!({"tags": 5})), "user 'ann': expected tags: a list of texts"),
        (user(json!({"limits": {"max-queues": 1}})), "user 'ann': limit 'max-queues' is none of"),
        (
            user(json!({"limits": {"max-channels": "1"}})),
            "user 'ann': limit 'max-channels' is no whole number",
        ),
        (
            user(json!({"limits": {"max-publish-rate": 0}})),
            "user 'ann': limit 'max-publish-rate' is 0",
        ),
        (vhost("default_queue_type", json!("fast")), "vhost 'v': default_queue_type 'fast'"),
        (vhost("metadata", json!({"tags": 1})), "vhost 'v': metadata: expected tags"),
        (
            vhost("metadata", json!({"declare_equivalence": "lax"})),
            "vhost 'v': declare_equivalence \"lax\" is not known: expected strict or relaxed",
        ),
        (
            vhost("metadata", json!({"declare_equivalence": true})),
            "vhost 'v': declare_equivalence true is not known: expected strict or relaxed",
        ),
        (json!({"policies": [policy]}), "policy 'p' in vhost '/': apply-to 'x' unrecognised"),
        (
            json!({"bindings": [binding]}),
            "binding from exchange 'a' to c 'b' in vhost '/': destination_type 'c'",
        ),
        (
            json!({"parameters": [
                {"vhost": "/", "component": "vhost-limits", "name": "limits", "value": {"x": 1}}
            ]}),
            "parameter vhost-limits 'limits' in vhost '/': limit 'x' is none of",
        ),
    ] {
        let error = error(&file);
        assert!(error.starts_with(expected), "{error}\nnot {expected}");
    }
}
