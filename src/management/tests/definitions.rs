//! Definitions files over HTTP: what comes out goes in again, by whom, and what is said where it
//! does not. What stands in a file is shown beside the code that writes and reads it.

use super::*;
use crate::definitions::{HashingAlgorithm, PasswordHash};
use crate::limits::MANAGEMENT_FIELDS_SIZE_MAX;

const FILE: &str = include_str!("../../../tests/data/definitions-4.1.json");

/// What a user gets, who sends a body of this type.
async fn post_as(world: &World, user: &str, path: &str, kind: &str, body: &str) -> Answer {
    let password = if user == "guest" { "guest" } else { "x" };
    let login = STANDARD.encode(format!("{user}:{password}"));
    let head = format!("Authorization: Basic {login}\r\nContent-Type: {kind}\r\n");
    world.ask_from("127.0.0.1", "POST", path, &head, body).await
}

/// What guest gets for a file.
pub(super) async fn post(world: &World, path: &str, file: &str) -> Answer {
    post_as(world, "guest", path, "application/json; charset=utf-8", file).await
}

/// Bodies may be as large as they like.
fn roomy() -> World {
    let world = World::new();
    let options = ManagementOptions { body_size_max: u64::MAX, ..options() };
    let management = Arc::new(Management::new(world.broker.clone(), options));
    World { management, ..world }
}

fn names<'a>(file: &'a Value, section: &str) -> Vec<&'a str> {
    let items = file[section].as_array().unwrap().iter();
    items.map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_is_exported_is_imported_by_another_node() {
    let (world, other) = (roomy(), roomy());
    assert_eq!(post(&world, "/api/definitions", FILE).await.status, 204);
    let file = world.get("/api/definitions").await;
    assert!(names(&file, "queues").contains(&"orders"));
    assert!(names(&file, "users").contains(&"orders-app"));
    assert_eq!(post(&other, "/api/definitions", &file.to_string()).await.status, 204);
    assert_eq!(other.get("/api/definitions").await, file);
}

#[tokio::test]
async fn a_virtual_host_is_exported_alone_and_imported_into_another() {
    let world = roomy();
    assert_eq!(post(&world, "/api/definitions", FILE).await.status, 204);
    let file = world.get("/api/definitions/orders").await;
    assert_eq!(file["rabbitmq_definition_format"], "single_virtual_host");
    assert_eq!(names(&file, "queues"), ["orders", "orders.dead"]);
    assert_eq!(post(&world, "/api/definitions/v2", &file.to_string()).await.status, 204);
    let copy = world.get("/api/definitions/v2").await;
    for section in ["exchanges", "queues", "bindings", "policies", "parameters"] {
        assert_eq!(copy[section], file[section], "{section}");
    }
    let answer = post(&world, "/api/definitions", &file.to_string()).await;
    assert_eq!(answer.status, 400);
    assert!(answer.reason().contains("/api/definitions/VHOST"), "{answer:?}");
    let answer = world.ask("GET", "/api/definitions/nope", "").await;
    assert_eq!((answer.status, answer.reason()), (400, "vhost_not_found"));
    let answer = post(&world, "/api/definitions/nope", "{}").await;
    assert_eq!((answer.status, answer.reason()), (404, "vhost_not_found"));
}

#[tokio::test]
async fn a_file_may_come_in_the_form_of_a_browser() {
    let world = World::new();
    let form = |name: &str| {
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"f.json\"\r\n\
             Content-Type: application/json\r\n\r\n{{\"vhosts\": [{{\"name\": \"v9\"}}]}}\r\n\
             --b--\r\n"
        )
    };
    let kind = "multipart/form-data; boundary=b";
    let answer = post_as(&world, "guest", "/api/definitions", kind, &form("other")).await;
    let reason = "failed_to_parse_json: there is no field 'file'";
    assert_eq!((answer.status, answer.reason()), (400, reason));
    assert_eq!(world.ask("GET", "/api/vhosts/v9", "").await.status, 404);
    let answer = post_as(&world, "guest", "/api/definitions", kind, &form("file")).await;
    assert_eq!(answer.status, 204);
    assert_eq!(world.get("/api/vhosts/v9").await["name"], "v9");
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let answer = post_as(&world, "guest", "/api/definitions", kind, "{}").await;
        assert_eq!(answer.status, 415, "{kind}");
    }
    for (kind, body) in [("multipart/form-data", "{}"), (kind, "{}"), (kind, "--b\r\n\r\n")] {
        let answer = post_as(&world, "guest", "/api/definitions", kind, body).await;
        assert_eq!(answer.status, 400, "{kind}: {body}");
        assert!(answer.reason().starts_with("failed_to_parse_json: "), "{answer:?}");
    }
}

#[tokio::test]
async fn an_import_stops_at_the_first_bad_item_and_says_what_was_done() {
    let world = World::new();
    let file = json!({
        "vhosts": [{"name": "v8"}],
        "queues": [{"vhost": "v8", "name": "a"}, {"vhost": "nope", "name": "b"}],
    });
    let answer = post(&world, "/api/definitions", &file.to_string()).await;
    let reason = "queue 'b' in vhost 'nope': there is no vhost 'nope' (before it: 2 definitions \
                  imported, 0 were there already)";
    assert_eq!((answer.status, answer.reason()), (400, reason));
    assert_eq!(names(&world.get("/api/definitions/v8").await, "queues"), ["a"]);
    for (body, part) in [
        ("{bad", "failed_to_parse_json: key must be a string at line 1 column 2"),
        ("[]", "failed_to_parse_json: it is not a JSON object"),
        (r#"{"queues": [{"vhost": "v8", "name": 5}]}"#, "queues, item 1: invalid type"),
    ] {
        let answer = post(&world, "/api/definitions", body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.reason().starts_with(part), "{answer:?}");
    }
    for body in ["", "{}", r#"{"queues": []}"#] {
        assert_eq!(post(&world, "/api/definitions", body).await.status, 204, "{body}");
    }
}

#[tokio::test]
async fn definitions_are_for_administrators() {
    let world = World::new();
    for path in ["/api/definitions", "/api/definitions/v1"] {
        for user in ["management", "policymaker", "monitoring"] {
            let answer = world.ask_as(user, "GET", path, "").await;
            assert_eq!((answer.status, answer.reason()), (401, "Not administrator user"));
            for kind in ["application/json", "text/plain"] {
                let answer = post_as(&world, user, path, kind, "{}").await;
                assert_eq!((answer.status, answer.reason()), (401, "Not administrator user"));
            }
        }
        assert_eq!(
            post_as(&world, "administrator", path, "application/json", "{}").await.status,
            204
        );
    }
}

#[tokio::test]
async fn a_file_is_as_large_as_the_operator_lets_bodies_be() {
    let world = World::new();
    let file = |size: usize| format!("{{{}}}", " ".repeat(size - 2));
    assert_eq!(post(&world, "/api/definitions", &file(1000)).await.status, 204);
    let answer = post(&world, "/api/definitions", &file(1001)).await;
    let reason = "Exceeded HTTP request body size limit";
    assert_eq!((answer.status, answer.reason()), (400, reason));
    let size = usize::try_from(MANAGEMENT_FIELDS_SIZE_MAX).unwrap() + 1000;
    assert_eq!(post(&roomy(), "/api/definitions", &file(size)).await.status, 204);
}

#[tokio::test]
async fn a_file_is_saved_under_the_name_that_the_request_gives() {
    let world = World::new();
    for (path, expected) in [
        ("definitions?download=a-1.json", Some("a-1.json")),
        ("definitions/v1?x=1&download=b.json", Some("b.json")),
        ("definitions", None),
        ("definitions?download=", None),
        ("definitions?download=a%0Db;c", None),
    ] {
        let answer = world.ask("GET", &format!("/api/{path}"), "").await;
        assert_eq!(answer.status, 200);
        let name = answer.head.split_once("content-disposition: attachment; filename=");
        let name = name.map(|(_, rest)| rest.split("\r\n").next().unwrap());
        assert_eq!(name, expected, "{path}");
        assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    }
}

#[tokio::test]
async fn an_export_names_users_whose_passwords_rabbitmq_cannot_read() {
    let world = World::new();
    let file = world.get("/api/definitions").await;
    assert!(!file["explanation"].as_str().unwrap().contains("RabbitMQ"));
    let hash = PasswordHash::new(HashingAlgorithm::Argon2id, b"secret", [1; 16]);
    world.broker.by_node().set_user(
        "ann",
        hash.clone(),
        Vec::new(),
        std::collections::BTreeMap::new(),
    );
    let file = world.get("/api/definitions").await;
    let explanation = file["explanation"].as_str().unwrap();
    let told = "; RabbitMQ cannot read the passwords of 'ann'";
    assert!(explanation.ends_with(told), "{explanation}");
    let answer = world.ask("GET", "/api/definitions", "").await;
    let header = "x-leveret-warning: rabbitmq cannot read the password of user 'ann'";
    assert!(answer.head.contains(header), "{}", answer.head);
    let other = World::new();
    let users = file["users"].as_array().unwrap();
    let ann = users.iter().find(|user| user["name"] == "ann").unwrap();
    let file = json!({"users": [ann]}).to_string();
    assert_eq!(post(&other, "/api/definitions", &file).await.status, 204);
    assert_eq!(other.broker.user_definition("ann").unwrap().password, hash);
}

/// The warnings of an export, in small letters.
async fn warnings(world: &World, path: &str) -> Vec<String> {
    let head = world.ask("GET", path, "").await.head;
    let lines = head.lines().filter_map(|line| line.strip_prefix("x-leveret-warning: "));
    lines.map(str::to_owned).collect()
}

#[tokio::test]
async fn an_export_names_what_rabbitmq_does_not_take() {
    let world = roomy();
    assert_eq!(warnings(&world, "/api/definitions").await, [] as [String; 0]);
    let file = json!({
        "users": [{"name": "bo\u{e9}", "tags": "", "password_hash": "", "limits": {
            "max-publish-rate": 5
        }}],
        "policies": [
            {"vhost": "v1", "name": "p", "pattern": "", "apply-to": "quorum_queues",
             "priority": 0, "definition": {"storage": "disk", "max-length": 1}},
        ],
        "parameters": [{"vhost": "v2", "component": "vhost-limits", "name": "limits",
                        "value": {"max-publish-bytes-rate": 9, "max-queues": 5}}],
        "exchanges": [{"vhost": "v1", "name": "e", "type": "x-local-random", "durable": true}],
        "queues": [
            {"vhost": "v1", "name": "q", "durable": true,
             "arguments": {"x-delayed-retry-type": "all", "x-delayed-retry-min": 1000,
                           "x-max-length": 5}},
            {"vhost": "v2", "name": "plain", "durable": true},
        ],
    });
    let answer = post(&world, "/api/definitions", &file.to_string()).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    let of_v1 = [
        "policy 'p' in vhost 'v1' sets 'storage', which is refused",
        "policy 'p' in vhost 'v1' applies to 'quorum_queues', which is refused",
        "exchange 'e' in vhost 'v1' is of type 'x-local-random', which comes with rabbitmq 4",
        "queue 'q' in vhost 'v1' has 'x-delayed-retry-min', 'x-delayed-retry-type', which has no \
         effect",
    ];
    assert_eq!(warnings(&world, "/api/definitions/v1").await, of_v1);
    let of_v2 = ["the limit 'max-publish-bytes-rate' of vhost 'v2' is refused"];
    assert_eq!(warnings(&world, "/api/definitions/v2").await, of_v2);
    let all = warnings(&world, "/api/definitions").await;
    assert_eq!(all.len(), 1 + of_v1.len() + of_v2.len(), "{all:?}");
    assert_eq!(all[0], "the limit 'max-publish-rate' of user 'bo\\u{e9}' is refused");
}

#[tokio::test]
async fn of_too_many_warnings_the_rest_is_counted() {
    let world = roomy();
    let queue = |number| {
        json!({"vhost": "v1", "name": format!("q{number}"), "durable": true,
               "arguments": {"x-storage": "disk"}})
    };
    let queues: Vec<Value> = (0..30).map(queue).collect();
    let answer = post(&world, "/api/definitions", &json!({"queues": queues}).to_string()).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    let warnings = warnings(&world, "/api/definitions/v1").await;
    assert_eq!((warnings.len(), warnings[20].as_str()), (21, "10 more"));
}
