//! Who owns the machine asks without a login, and may do everything.

use super::*;

/// What is asked on a connection of who owns the machine.
async fn ask(world: &World, method: &str, path: &str, head: &str, body: &str) -> Answer {
    let (mut client, server) = tokio::io::duplex(1 << 21);
    let size = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: hare\r\nConnection: close\r\n{head}\
         Content-Length: {size}\r\n\r\n{body}"
    );
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let serving = world.management.clone().serve_machine_owner(server, pending());
    let (_, read) = tokio::join!(serving, client.read_to_string(&mut answer));
    read.unwrap();
    parse(&answer)
}

#[tokio::test]
async fn it_is_an_administrator_and_no_user() {
    let world = World::new();
    let answer = ask(&world, "GET", "/api/whoami", "", "").await;
    assert_eq!(answer.body, json!({"name": "rmq-cli", "tags": ["administrator"]}));
    let users = ask(&world, "GET", "/api/users/rmq-cli", "", "").await;
    assert_eq!(users.status, 404);
    let head = format!("Authorization: Basic {}\r\n", STANDARD.encode("rmq-cli:"));
    let login = world.ask_from("127.0.0.1", "GET", "/api/whoami", &head, "").await;
    assert_eq!(login.status, 401, "nobody logs in as it");
}

#[tokio::test]
async fn it_may_do_everything_in_every_virtual_host() {
    let world = World::new();
    for (method, path, body, status) in [
        ("PUT", "/api/vhosts/new", "", 201),
        ("PUT", "/api/queues/new/q", r#"{"durable": true}"#, 201),
        ("DELETE", "/api/queues/new/q/contents", "", 204),
        ("PUT", "/api/exchanges/new/x", r#"{"type": "topic"}"#, 201),
        ("POST", "/api/bindings/new/e/x/q/q", r#"{"routing_key": "a"}"#, 201),
        ("DELETE", "/api/queues/new/q", "", 204),
    ] {
        let answer = ask(&world, method, path, "", body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
    }
    for name in ["x", "amq.topic"] {
        let exchange = ask(&world, "GET", &format!("/api/exchanges/new/{name}"), "", "").await;
        assert_eq!(exchange.body["user_who_performed_action"], "rmq-cli", "{name}");
    }
    let permissions = ask(&world, "GET", "/api/vhosts/new/permissions", "", "").await;
    assert_eq!(permissions.body, json!([]), "it is given none that would stay");
}

/// A user of the same name has nothing of it, and takes nothing from it.
#[tokio::test]
async fn a_user_who_is_declared_with_its_name_is_another_one() {
    let world = World::new();
    let user = r#"{"password": "x", "tags": "management"}"#;
    assert_eq!(ask(&world, "PUT", "/api/users/rmq-cli", "", user).await.status, 201);
    let head = format!("Authorization: Basic {}\r\n", STANDARD.encode("rmq-cli:x"));
    let answer = world.ask_from("127.0.0.1", "PUT", "/api/vhosts/new", &head, "").await;
    assert_eq!(answer.status, 401);
    assert_eq!(ask(&world, "PUT", "/api/queues/%2F/q", "", "{}").await.status, 201);
}

#[tokio::test]
async fn who_logs_in_all_the_same_is_that_user() {
    let world = World::new();
    let wrong = format!("Authorization: Basic {}\r\n", STANDARD.encode("guest:wrong"));
    assert_eq!(ask(&world, "GET", "/api/whoami", &wrong, "").await.status, 401);
    let management = format!("Authorization: Basic {}\r\n", STANDARD.encode("management:x"));
    let answer = ask(&world, "GET", "/api/users", &management, "").await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn it_learns_whether_a_password_is_right_and_stops_the_node() {
    let world = World::new();
    let path = "/api/leveret/authenticate-user";
    for (password, is_right) in [("guest", true), ("wrong", false)] {
        let body = json!({"username": "guest", "password": password}).to_string();
        let answer = ask(&world, "POST", path, "", &body).await;
        assert_eq!(answer.body, json!({"authenticated": is_right}));
    }
    assert_eq!(ask(&world, "POST", path, "", r#"{"username": "guest"}"#).await.status, 400);
    let answer = ask(&world, "POST", "/api/leveret/shutdown", "", "").await;
    assert_eq!((answer.status, answer.body), (202, json!({"process": 42})));
    for path in [path, "/api/leveret/shutdown"] {
        let answer = world.ask_as("monitoring", "POST", path, "{}").await;
        assert_eq!(answer.status, 401, "{path}");
    }
}
