//! Which permission each operation over HTTP needs: the same as over AMQP, refused in the one way
//! that HTTP has for it.

use super::*;

/// Configure, write, read.
type Rights = [&'static str; 3];

struct Row {
    method: &'static str,
    path: &'static str,
    body: Value,
    /// The least that it needs.
    needs: Rights,
    /// Each lacks one thing.
    refused: Vec<Rights>,
}

fn row(
    (method, path): (&'static str, &'static str),
    body: Value,
    needs: Rights,
    refused: &[Rights],
) -> Row {
    Row { method, path, body, needs, refused: refused.to_vec() }
}

fn rows() -> Vec<Row> {
    let none = json!({});
    let alternate = json!({"type": "fanout", "arguments": {"alternate-exchange": "other"}});
    let dead_letters = json!({"arguments": {"x-dead-letter-exchange": "other"}});
    let message = json!({
        "properties": {}, "routing_key": "", "payload": "", "payload_encoding": "string",
    });
    let wish = json!({"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"});
    let binding_rights: &[Rights] = &[[".*", "", ".*"], [".*", ".*", ""]];
    vec![
        row(("PUT", "exchanges/v1/new"), none.clone(), ["^new$", "", ""], &[["", ".*", ".*"]]),
        row(
            ("PUT", "exchanges/v1/new"),
            alternate,
            ["^new$", "^other$", "^new$"],
            &[["", ".*", ".*"], ["^new$", ".*", ""], ["^new$", "", "^new$"]],
        ),
        row(("DELETE", "exchanges/v1/x"), none.clone(), ["^x$", "", ""], &[["", ".*", ".*"]]),
        row(("POST", "bindings/v1/e/x/e/y"), none.clone(), ["", "^y$", "^x$"], binding_rights),
        row(("DELETE", "bindings/v1/e/x/e/y/k"), none.clone(), ["", "^y$", "^x$"], binding_rights),
        row(("PUT", "queues/v1/new"), none.clone(), ["^new$", "", ""], &[["", ".*", ".*"]]),
        row(
            ("PUT", "queues/v1/new"),
            dead_letters,
            ["^new$", "^other$", "^new$"],
            &[["", ".*", ".*"], ["^new$", ".*", ""], ["^new$", "", "^new$"]],
        ),
        row(("DELETE", "queues/v1/q"), none.clone(), ["^q$", "", ""], &[["", ".*", ".*"]]),
        row(("POST", "bindings/v1/e/x/q/q"), none.clone(), ["", "^q$", "^x$"], binding_rights),
        row(("DELETE", "bindings/v1/e/x/q/q/k"), none.clone(), ["", "^q$", "^x$"], binding_rights),
        row(("DELETE", "queues/v1/q/contents"), none, ["", "", "^q$"], &[[".*", ".*", ""]]),
        row(("POST", "exchanges/v1/x/publish"), message, ["", "^x$", ""], &[[".*", "", ".*"]]),
        row(("POST", "queues/v1/q/get"), wish, ["", "", "^q$"], &[[".*", ".*", ""]]),
    ]
}

fn permit(world: &World, [configure, write, read]: Rights) {
    let [configure, write, read] = [configure, write, read].map(str::to_owned);
    let (user, host) = ("management".into(), "v1".into());
    let permission = PermissionDefinition { user, host, configure, write, read };
    world.broker.by_node().set_permission(&permission).unwrap();
}

/// With the exchanges `x` and `y` and the queue `q` in `v1`, bound by the key `k`.
async fn with_things() -> World {
    let world = World::new();
    world.permit("administrator", "v1", "");
    for (method, path, body) in [
        ("PUT", "exchanges/v1/x", json!({"type": "direct"})),
        ("PUT", "exchanges/v1/y", json!({"type": "direct"})),
        ("PUT", "queues/v1/q", json!({})),
        ("POST", "bindings/v1/e/x/q/q", json!({"routing_key": "k"})),
        ("POST", "bindings/v1/e/x/e/y", json!({"routing_key": "k"})),
    ] {
        let path = format!("/api/{path}");
        let answer = world.ask_as("administrator", method, &path, &body.to_string()).await;
        assert_eq!(answer.status, 201, "{path}: {answer:?}");
    }
    world
}

/// How a refusal is told: messages are refused in AMQP's words.
fn refusal(path: &str) -> (u16, &'static str) {
    match path {
        "/api/exchanges/v1/x/publish" => (
            400,
            "403 ACCESS_REFUSED - write access to exchange 'x' in vhost 'v1' refused for user \
             'management'",
        ),
        "/api/queues/v1/q/get" => (
            401,
            "ACCESS_REFUSED - read access to queue 'q' in vhost 'v1' refused for user 'management'",
        ),
        _ => (401, "Access refused."),
    }
}

#[tokio::test]
async fn an_operation_goes_on_with_what_it_needs_and_is_refused_with_less() {
    for Row { method, path, body, needs, refused } in rows() {
        let world = with_things().await;
        let (path, body) = (format!("/api/{path}"), body.to_string());
        for rights in refused {
            permit(&world, rights);
            let answer = world.ask_as("management", method, &path, &body).await;
            let told = (answer.status, answer.reason());
            assert_eq!(told, refusal(&path), "{method} {path} {rights:?}");
        }
        permit(&world, needs);
        let answer = world.ask_as("management", method, &path, &body).await;
        assert!(answer.status < 300, "{method} {path} {needs:?}: {answer:?}");
    }
}
