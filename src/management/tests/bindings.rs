//! Bindings: how they are made, found by their keys, listed and taken away.

use super::*;

const REFUSED: &str = "Access refused.";

impl World {
    /// With the exchanges `x` and `y` and the queues `q` and `b 2/é` in `/`.
    async fn with_ends() -> Self {
        let world = Self::new();
        for path in
            ["exchanges/%2F/x", "exchanges/%2F/y", "queues/%2F/q", "queues/%2F/b%202%2F%C3%A9"]
        {
            assert_eq!(world.change("PUT", &format!("/api/{path}"), &json!({})).await, 201);
        }
        world
    }

    /// Binds, and says where that is.
    async fn bind(&self, ends: &str, body: &Value) -> String {
        let path = format!("/api/bindings/%2F/e/{ends}");
        let answer = self.ask("POST", &path, &body.to_string()).await;
        assert_eq!((answer.status, &answer.body), (201, &json!("")), "{answer:?}");
        let location = answer.head.lines().find_map(|line| line.strip_prefix("location: "));
        location.expect(&answer.head).to_owned()
    }

    async fn keys(&self, path: &str) -> Vec<String> {
        let rows = self.get(&format!("{path}?columns=properties_key")).await;
        let keys = rows.as_array().unwrap().iter();
        keys.map(|row| row["properties_key"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_binding_is_made_found_and_taken_away() {
    let world = World::with_ends().await;
    let body = json!({"routing_key": "a.b", "arguments": {}});
    assert_eq!(world.bind("x/q/q", &body).await, "q/a.b");
    assert_eq!(world.bind("x/q/q", &body).await, "q/a.b", "it is there already");
    let one = "/api/bindings/%2F/e/x/q/q/a.b";
    let expected = json!({
        "source": "x", "vhost": "/", "destination": "q", "destination_type": "queue",
        "routing_key": "a.b", "arguments": {}, "properties_key": "a.b",
    });
    assert_eq!(world.get(one).await, expected);
    assert_eq!(world.get("/api/bindings/%2F/e/x/q/q").await, json!([expected]));
    assert_eq!(world.change("DELETE", one, &Value::Null).await, 204);
    assert_eq!(world.refused("DELETE", one, &Value::Null).await, (404, "Not Found".into()));
    assert_eq!(world.refused("GET", one, &Value::Null).await, (404, "Not Found".into()));
    assert_eq!(world.get("/api/bindings/%2F/e/x/q/q").await, json!([]));
}

#[tokio::test]
async fn a_location_leads_to_the_binding_whatever_its_names_and_key() {
    let world = World::with_ends().await;
    let key = "a/b %~é_-.!*'()+,;:@&=$#?\\\"<>[]{}|^`";
    for (ends, body, location) in [
        ("x/q/q", json!({}), "q/~"),
        ("x/q/q", json!({"routing_key": "~"}), "q/%257e"),
        ("x/q/q", json!({"routing_key": "~x~y"}), "q/%257ex%257ey"),
        (
            "x/q/q",
            json!({"routing_key": key}),
            "q/a%252fb%2b%2525%257e%25c3%25a9_-.%2521%252a%2527%2528%2529%252b%252c%253b%253a%2540\
             %2526%253d%2524%2523%253f%255c%2522%253c%253e%255b%255d%257b%257d%257c%255e%2560",
        ),
        ("x/q/b%202%2F%C3%A9", json!({"routing_key": "z"}), "b%202%2f%c3%a9/z"),
        ("x/e/y", json!({"routing_key": "ee"}), "y/ee"),
    ] {
        let given = world.bind(ends, &body).await;
        assert_eq!(given, location, "{body}");
        let (kept, _) = ends.rsplit_once('/').unwrap();
        let path = format!("/api/bindings/%2F/e/{kept}/{given}");
        let binding = world.get(&path).await;
        assert_eq!(binding["routing_key"], body.get("routing_key").cloned().unwrap_or("".into()));
        assert_eq!(world.change("DELETE", &path, &Value::Null).await, 204, "{path}");
    }
}

/// The location once had the name as the path wrote it, and led nowhere.
#[tokio::test]
async fn a_location_has_the_name_that_is_bound_without_line_ends() {
    let world = World::with_ends().await;
    for (ends, location) in [("x/q/q%0D%0A", "q/~"), ("x/e/%0Ay", "y/~")] {
        assert_eq!(world.bind(ends, &json!({})).await, location);
        let (kept, _) = ends.rsplit_once('/').unwrap();
        world.get(&format!("/api/bindings/%2F/e/{kept}/{location}")).await;
    }
}

#[tokio::test]
async fn bindings_that_differ_in_arguments_are_told_apart() {
    let world = World::with_ends().await;
    let with = |arguments: Value| json!({"routing_key": "k", "arguments": arguments});
    world.bind("x/q/q", &json!({"routing_key": "k"})).await;
    for arguments in [json!({"a": 1}), json!({"a": 2}), json!({"a": 1, "b": ["x", {"c": true}]})] {
        world.bind("x/q/q", &with(arguments)).await;
    }
    let path = "/api/bindings/%2F/e/x/q/q";
    let keys = world.keys(path).await;
    assert_eq!((keys.len(), &*keys[0]), (4, "k"));
    for key in &keys[1..] {
        let one = format!("{path}/{key}");
        assert_eq!(world.get(&one).await["properties_key"], **key);
    }
    let arguments = world.get(&format!("{path}/{}", keys[2])).await["arguments"].clone();
    assert_eq!(world.change("DELETE", &format!("{path}/{}", keys[2]), &Value::Null).await, 204);
    let left = world.get(path).await;
    assert_eq!(left.as_array().unwrap().len(), 3);
    assert!(left.as_array().unwrap().iter().all(|row| row["arguments"] != arguments));
    for nothing in ["nope", "k~nope", "k~~", "%7Ek"] {
        let answer = world.ask("GET", &format!("{path}/{nothing}"), "").await;
        assert_eq!(answer.status, 404, "{nothing}");
    }
}

#[tokio::test]
async fn bindings_are_listed_from_and_to_their_ends_with_those_that_nobody_declared() {
    let world = World::with_ends().await;
    world.bind("x/q/q", &json!({"routing_key": "k"})).await;
    world.bind("x/e/y", &json!({"routing_key": "e"})).await;
    let default = vec!["b+2%2F%C3%A9", "q"];
    for (path, expected) in [
        ("/api/bindings", vec!["b+2%2F%C3%A9", "q", "k", "e"]),
        ("/api/bindings/%2F", vec!["b+2%2F%C3%A9", "q", "k", "e"]),
        ("/api/bindings/v1", vec![]),
        ("/api/exchanges/%2F/x/bindings/source", vec!["k", "e"]),
        ("/api/exchanges/%2F/amq.default/bindings/source", default),
        ("/api/exchanges/%2F/y/bindings/destination", vec!["e"]),
        ("/api/exchanges/%2F/nope/bindings/source", vec![]),
        ("/api/queues/%2F/q/bindings", vec!["q", "k"]),
        ("/api/queues/%2F/nope/bindings", vec![]),
        ("/api/bindings/%2F/e/amq.default/q/q", vec!["q"]),
        ("/api/bindings/%2F/e/x/e/y", vec!["e"]),
        ("/api/bindings/%2F/e/x/q/y", vec![]),
    ] {
        assert_eq!(world.keys(path).await, expected, "{path}");
    }
    let sorted = world.get("/api/bindings?sort=destination&columns=destination&page=1").await;
    let expected = json!([
        {"destination": "b 2/é"}, {"destination": "q"}, {"destination": "q"}, {"destination": "y"},
    ]);
    assert_eq!(sorted, expected, "there are no pages of bindings");
    for path in ["/api/bindings/nope", "/api/bindings/%2F/e/x/z/q", "/api/queues/nope/q/bindings"] {
        assert_eq!(world.ask("GET", path, "").await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn what_amqp_refuses_is_refused_in_its_words() {
    let world = World::with_ends().await;
    let headers = json!({"type": "headers"});
    assert_eq!(world.change("PUT", "/api/exchanges/%2F/h", &headers).await, 201);
    let long = "k".repeat(256);
    for (ends, body, status, reason) in [
        ("nope/q/q", json!({}), 404, "no exchange 'nope' in vhost '/'"),
        ("x/q/nope", json!({}), 404, "no queue 'nope' in vhost '/'"),
        ("x/e/nope", json!({}), 404, "no exchange 'nope' in vhost '/'"),
        ("amq.default/q/q", json!({}), 401, REFUSED),
        ("x/e/amq.default", json!({}), 401, REFUSED),
        (
            "h/q/q",
            json!({"arguments": {"x-match": "zzz"}}),
            400,
            "Invalid x-match field value <<\"zzz\">>; expected all, any, all-with-x, or \
             any-with-x",
        ),
        ("x/q/q", json!({"arguments": {"a": null}}), 400, "null_not_allowed"),
        (
            "x/q/q",
            json!({"routing_key": long}),
            400,
            "routing_key should be less than 255 bytes, actually was 256\n",
        ),
    ] {
        let path = format!("/api/bindings/%2F/e/{ends}");
        assert_eq!(world.refused("POST", &path, &body).await, (status, reason.into()), "{ends}");
    }
    let missing = (404, "vhost_not_found".into());
    assert_eq!(world.refused("POST", "/api/bindings/nope/e/x/q/q", &json!({})).await, missing);
    let default = "/api/bindings/%2F/e/amq.default/q/q/q";
    assert_eq!(world.refused("DELETE", default, &Value::Null).await, (401, REFUSED.into()));
    for (method, path) in [
        ("PUT", "/api/bindings/%2F/e/x/q/q/k"),
        ("DELETE", "/api/bindings/%2F/e/x/q/q"),
        ("POST", "/api/bindings/%2F"),
    ] {
        assert_eq!(world.ask(method, path, "").await.status, 405, "{method} {path}");
    }
}

#[tokio::test]
async fn who_binds_needs_to_write_to_the_one_end_and_to_read_the_other() {
    let world = World::new();
    world.permit("guest", "v1", "");
    for path in ["exchanges/v1/mine", "queues/v1/mine", "queues/v1/other"] {
        assert_eq!(world.change("PUT", &format!("/api/{path}"), &json!({})).await, 201);
    }
    world.permit("management", "v1", "mine");
    let path = |queue: &str| format!("/api/bindings/v1/e/mine/q/{queue}");
    for (user, method, path, status) in [
        ("management", "POST", path("mine"), 201),
        ("management", "POST", path("other"), 401),
        ("management", "GET", path("other"), 200),
        ("monitoring", "DELETE", path("mine/~"), 401),
        ("monitoring", "GET", path("mine/~"), 200),
        ("management", "GET", "/api/bindings/v2".into(), 401),
        ("management", "DELETE", path("mine/~"), 204),
    ] {
        let answer = world.ask_as(user, method, &path, "").await;
        assert_eq!(answer.status, status, "{user} {method} {path}");
    }
}
