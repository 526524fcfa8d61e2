//! The API describes itself: every route is in the description, and everything that tools of
//! RabbitMQ's know is a route.

use std::collections::BTreeSet;

use super::super::door::resources;
use super::*;

/// What tools may ask for: methods, and the path below `/api`.
const ENDPOINTS: &str = include_str!("endpoints.txt");

fn described(description: &Value) -> BTreeSet<(String, String)> {
    let paths = description["paths"].as_object().unwrap();
    let methods = |methods: &Value| -> Vec<String> {
        methods.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect()
    };
    let all = paths
        .iter()
        .flat_map(|(path, each)| methods(each).into_iter().map(|method| (method, path.clone())));
    all.collect()
}

/// A path that names nothing in particular.
fn anonymous(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_is_described() {
    let world = World::new();
    let description = world.get("/api/openapi.json").await;
    let (_, operations) = resources().into_parts();
    let routes: BTreeSet<_> =
        operations.into_keys().map(|(path, method)| (method.to_uppercase(), path)).collect();
    assert_eq!(described(&description), routes);
    assert_eq!(description["openapi"], "3.1.0");
    assert_eq!(description["servers"], json!([{"url": "/api"}]));
}

#[tokio::test]
async fn the_description_is_for_everybody() {
    let world = World::new();
    let answer = world.ask_from("192.0.2.1", "GET", "/api/openapi.json", "", "").await;
    assert_eq!((answer.status, &answer.body["info"]["title"]), (200, &json!("Leveret")));
}

/// A route that is not here is answered by 404 without a word, and a method by 405.
#[tokio::test]
async fn everything_that_tools_ask_for_is_a_route() {
    let world = World::new();
    let description = world.get("/api/openapi.json").await;
    let described: BTreeSet<_> = described(&description)
        .into_iter()
        .map(|(method, path)| (method, anonymous(&path)))
        .collect();
    let lines = ENDPOINTS.lines().filter(|line| !line.starts_with('#'));
    let mut count = 0;
    for (methods, path) in lines.filter_map(|line| line.split_once(' ')) {
        for method in methods.split(',') {
            let key = (method.to_owned(), anonymous(path));
            assert!(described.contains(&key), "{method} {path}");
            let asked = path.replace(['{', '}'], "");
            let answer = world.ask(method, &format!("/api{asked}"), "").await;
            assert!(![405, 500].contains(&answer.status), "{method} {path}: {answer:?}");
            count += 1;
        }
    }
    assert!(count > 180, "{count}");
}

#[tokio::test]
async fn an_operation_says_what_it_takes_and_gives() {
    let world = World::new();
    let description = world.get("/api/openapi.json").await;
    let put = &description["paths"]["/permissions/{vhost}/{user}"]["put"];
    let schema = &put["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(schema["required"], json!(["configure", "write", "read"]));
    let statuses: Vec<&String> = put["responses"].as_object().unwrap().keys().collect();
    assert_eq!(statuses, ["201", "204", "400", "401", "404", "408", "500", "503"]);
    assert_eq!(put["security"], json!([{"login": []}]));
    assert!(description["paths"]["/version"]["get"]["security"].is_null());
}
