//! Lists: pages, names, sorting and columns, as RabbitMQ answered the same.

use super::*;

/// The exchanges of `v1` are `a1`, `a2`, `B3` and the seven that are always there.
async fn world() -> World {
    let world = World::new();
    world.permit("guest", "v1", "");
    for (name, kind) in [("a2", "topic"), ("a1", "direct"), ("B3", "direct")] {
        let body = json!({"type": kind, "arguments": {"n": kind.len()}});
        assert_eq!(world.change("PUT", &format!("/api/exchanges/v1/{name}"), &body).await, 201);
    }
    world
}

fn names(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn without_a_page_everything_is_listed_by_virtual_host_and_name() {
    let world = world().await;
    let all = world.get("/api/exchanges").await;
    let of_host = |host: &str| {
        let rows = all.as_array().unwrap().iter().filter(|row| row["vhost"] == host);
        rows.map(|row| row["name"].as_str().unwrap()).collect::<Vec<_>>()
    };
    let system = ["", "amq.direct", "amq.fanout", "amq.headers", "amq.match"];
    assert_eq!(of_host("/")[..5], system);
    assert_eq!(of_host("v1")[..4], ["", "B3", "a1", "a2"]);
    assert_eq!(all.as_array().unwrap().len(), 24);
    let unpaged = world.get("/api/exchanges?page_size=3&name=a1").await;
    assert_eq!(unpaged, all, "neither is a page");
}

#[tokio::test]
async fn a_page_says_what_it_is_a_part_of() {
    let world = world().await;
    let page = world.get("/api/exchanges/v1?page=2&page_size=4&columns=name").await;
    let expected = json!({
        "total_count": 10, "item_count": 4, "filtered_count": 10, "page": 2, "page_size": 4,
        "page_count": 3,
        "items": [
            {"name": "amq.direct"}, {"name": "amq.fanout"},
            {"name": "amq.headers"}, {"name": "amq.match"},
        ],
    });
    assert_eq!(page, expected);
    let last = world.get("/api/exchanges/v1?page=3&page_size=4").await;
    assert_eq!(names(&last["items"]), ["amq.rabbitmq.trace", "amq.topic"]);
    let behind = world.get("/api/exchanges/v1?page=3&page_size=5").await;
    assert_eq!((&behind["items"], &behind["item_count"]), (&json!([]), &json!(0)));
    assert_eq!(world.get("/api/exchanges/v1?page=1").await["page_size"], 100);
}

#[tokio::test]
async fn a_page_is_of_names_that_contain_a_text_or_match_a_pattern() {
    let world = world().await;
    for (filter, expected) in [
        ("name=a", 10 - 2),
        ("name=b3", 1),
        ("name=B3", 1),
        ("name=B3&use_regex=false", 1),
        ("name=%5Ea.%24", 0),
        ("name=%5EA.%24&use_regex=true", 2),
        ("name=%5E(%3F!amq)a&use_regex=true", 2),
        ("name=&use_regex=true", 10),
        ("name=nope", 0),
    ] {
        let page = world.get(&format!("/api/exchanges/v1?page=1&{filter}")).await;
        assert_eq!(page["filtered_count"], expected, "{filter}");
        assert_eq!(page["total_count"], 10, "{filter}");
        assert_eq!(page["items"].as_array().unwrap().len(), expected, "{filter}");
    }
}

#[tokio::test]
async fn rows_are_sorted_by_any_field_and_then_by_name() {
    let world = world().await;
    for (sort, first, second, last) in [
        ("sort=name", "", "B3", "amq.topic"),
        ("sort=", "", "B3", "amq.topic"),
        ("sort=nope&sort_reverse=true", "amq.topic", "amq.rabbitmq.trace", ""),
        ("sort=name&sort_reverse=true", "amq.topic", "amq.rabbitmq.trace", ""),
        ("sort=type", "", "B3", "amq.topic"),
        ("sort=type&sort_reverse=true", "amq.topic", "amq.rabbitmq.trace", ""),
        ("sort=arguments.n", "", "amq.direct", "a1"),
        ("sort=arguments.n&sort_reverse=true", "a1", "B3", ""),
        ("sort=arguments.n.o", "", "B3", "amq.topic"),
        ("sort=durable", "B3", "a1", "amq.topic"),
    ] {
        let all = world.get(&format!("/api/exchanges/v1?{sort}")).await;
        let all = names(&all);
        assert_eq!((all[0], all[1], all[9]), (first, second, last), "{sort}");
        let mut pages = Vec::new();
        for page in 1..=4 {
            let path = format!("/api/exchanges/v1?{sort}&page={page}&page_size=3");
            pages.extend(names(&world.get(&path).await["items"]).iter().map(|n| (*n).to_owned()));
        }
        assert_eq!(pages, all, "{sort}");
    }
}

#[tokio::test]
async fn pages_that_are_none_are_refused() {
    let world = world().await;
    let wrong = "Invalid pagination parameters: page number";
    let invalid = "invalid_pagination_parameters";
    for (query, error, reason) in [
        ("page=0", invalid, format!("{wrong} 0, page size undefined")),
        ("page=-1", invalid, format!("{wrong} -1, page size undefined")),
        ("page=1&page_size=0", invalid, format!("{wrong} 1, page size 0")),
        ("page=1&page_size=501", invalid, format!("{wrong} 1, page size 501")),
        (
            "page=9",
            "page_out_of_range",
            "Page out of range, page: 9 page size: 100, len: 10".into(),
        ),
        ("page=abc", "bad_request", "Pagination parameters are invalid".into()),
        ("page=", "bad_request", "Pagination parameters are invalid".into()),
        ("page=1&page_size=x", "bad_request", "Pagination parameters are invalid".into()),
        ("page=1&name=(&use_regex=true", "bad_request", "Pagination parameters are invalid".into()),
    ] {
        let answer = world.ask("GET", &format!("/api/exchanges/v1?{query}"), "").await;
        let expected = json!({"error": error, "reason": reason});
        assert_eq!((answer.status, answer.body), (400, expected), "{query}");
    }
}

#[tokio::test]
async fn names_that_begin_alike_are_sorted_to_their_ends() {
    let world = World::new();
    world.permit("guest", "v1", "");
    let long = "z".repeat(16);
    let sorted = ["z", &long, &format!("{long}\u{1}"), &format!("{long}a"), &format!("{long}b")];
    for name in [4, 2, 0, 3, 1].map(|at| sorted[at].to_owned()) {
        let path = name.replace('\u{1}', "%01");
        assert_eq!(world.ask("PUT", &format!("/api/exchanges/v1/{path}"), "").await.status, 201);
    }
    let all = world.get("/api/exchanges").await;
    assert_eq!(names(&all)[14..19], sorted);
    let page = world.get("/api/exchanges?page=5&page_size=4").await;
    assert_eq!(names(&page["items"])[..3], sorted[2..]);
}

#[tokio::test]
async fn a_list_of_very_many_arrives_in_pieces() {
    let world = World::new();
    for number in 0..1000 {
        let path = format!("/api/exchanges/%2F/{number}");
        assert_eq!(world.ask("PUT", &path, "").await.status, 201);
    }
    let answer = world.ask("GET", "/api/exchanges", "").await;
    assert!(answer.head.contains("transfer-encoding: chunked"), "{}", answer.head);
    assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    assert_eq!(answer.body.as_array().unwrap().len(), 1021);
    let page = world.get("/api/exchanges/%2F?page=2&page_size=500&sort=name").await;
    assert_eq!(names(&page["items"])[..2], ["548", "549"]);
    let nothing = world.ask_as("monitoring", "GET", "/api/exchanges?sort=name", "").await;
    assert_eq!(names(&nothing.body).len(), 7, "one virtual host is its own");
}

#[tokio::test]
async fn lists_of_what_there_is_little_of_take_an_order_and_columns() {
    let world = World::new();
    world.permit("guest", "v1", "");
    world.permit("guest", "v2", "");
    for (method, path, body) in [
        ("PUT", "policies/v1/a", json!({"pattern": "a", "definition": {"max-length": 1}})),
        ("PUT", "policies/v1/b", json!({"pattern": "b", "definition": {"max-length": 1}})),
        ("PUT", "vhost-limits/v1/max-queues", json!({"value": 5})),
        ("PUT", "vhost-limits/v2/max-queues", json!({"value": 6})),
        ("PUT", "user-limits/none/max-channels", json!({"value": 7})),
        ("PUT", "global-parameters/zz", json!({"value": 8})),
    ] {
        let status = world.change(method, &format!("/api/{path}"), &body).await;
        assert!(status < 300, "{path}");
    }
    for (path, column, last) in [
        ("users", "name", "policymaker"),
        ("users/without-permissions", "name", ""),
        ("permissions", "user", "policymaker"),
        ("users/none/permissions", "user", "none"),
        ("vhosts/v1/permissions", "user", "policymaker"),
        ("vhosts", "name", "v2"),
        ("vhost-limits", "vhost", "v2"),
        ("vhost-limits/v1", "vhost", "v1"),
        ("user-limits", "user", "none"),
        ("user-limits/none", "user", "none"),
        ("policies", "name", "b"),
        ("policies/v1", "name", "b"),
        ("operator-policies", "name", ""),
        ("parameters", "vhost", "v2"),
        ("parameters/vhost-limits", "vhost", "v2"),
        ("parameters/vhost-limits/v1", "vhost", "v1"),
        ("global-parameters", "name", "zz"),
        ("topic-permissions", "user", ""),
    ] {
        let wish = format!("sort={column}&sort_reverse=true&columns={column}");
        let rows = world.get(&format!("/api/{path}?{wish}")).await;
        let first = rows.get(0).cloned();
        assert_eq!(first, (!last.is_empty()).then(|| json!({column: last})), "{path}");
        let page = world.get(&format!("/api/{path}?{wish}&page=1&page_size=1")).await;
        match path {
            "vhosts" => assert_eq!(page["items"], json!([{"name": "v2"}])),
            _ => assert_eq!(page, rows, "RabbitMQ gives no pages of {path}"),
        }
    }
    let page = world.get("/api/vhosts?page=1&name=V&columns=name").await;
    assert_eq!(names(&page["items"]), ["v1", "v2"]);
    assert_eq!((&page["filtered_count"], &page["total_count"]), (&json!(2), &json!(3)));
}
