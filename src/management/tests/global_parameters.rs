//! Parameters of the node, and the one that names the cluster.

use super::*;

#[tokio::test]
async fn a_parameter_of_the_node_is_any_value() {
    let world = World::new();
    let path = "/api/global-parameters/g";
    assert_eq!(world.change("PUT", path, &json!({"value": {"a": [1, "x"]}})).await, 201);
    assert_eq!(world.get(path).await, json!({"name": "g", "value": {"a": [1, "x"]}}));
    let answer = world.ask_as("policymaker", "PUT", path, r#"{"value": null, "name": "h"}"#).await;
    assert_eq!(answer.status, 204);
    let all = json!([{"name": "g", "value": null}]);
    assert_eq!(world.get("/api/global-parameters").await, all);
    let refused = world.refused("PUT", path, &json!({})).await;
    assert_eq!(refused, (400, "[{key_missing,value}]".to_owned()));
    assert_eq!(world.ask_as("management", "PUT", path, "{}").await.status, 401);
    assert_eq!(world.ask("DELETE", path, "").await.status, 204);
    for method in ["GET", "DELETE"] {
        assert_eq!(world.ask(method, path, "").await.status, 404);
    }
}

#[tokio::test]
async fn the_cluster_has_the_name_that_an_administrator_gives_it() {
    let world = World::new();
    let (path, body) = ("/api/cluster-name", json!({"name": "east"}));
    let configured = json!({"name": "leveret@localhost"});
    assert_eq!(world.ask_as("management", "GET", path, "").await.body, configured);
    assert_eq!(world.ask_as("policymaker", "PUT", path, &body.to_string()).await.status, 401);
    assert_eq!(world.change("PUT", path, &body).await, 204);
    assert_eq!(world.get(path).await, body);
    let parameter = json!({"name": "cluster_name", "value": "east"});
    assert_eq!(world.get("/api/global-parameters").await, json!([parameter]));
    let path_of_parameter = "/api/global-parameters/cluster_name";
    for (method, body) in [("PUT", r#"{"value": "west"}"#), ("DELETE", "")] {
        let refused = world.ask_as("policymaker", method, path_of_parameter, body).await;
        assert_eq!(refused.status, 401, "{method}");
    }
    assert_eq!(world.ask("DELETE", path_of_parameter, "").await.status, 204);
    assert_eq!(world.get(path).await, configured);
}

#[tokio::test]
async fn a_name_that_clients_could_not_be_told_is_refused() {
    let world = World::new();
    let long = "n".repeat(256);
    for (value, reason) in [
        (json!(5), "name should be a binary but was 5"),
        (json!(long), "name is longer than 255 bytes"),
    ] {
        let refused = world.refused("PUT", "/api/cluster-name", &json!({"name": value})).await;
        assert_eq!(refused, (400, reason.to_owned()));
        let path = "/api/global-parameters/cluster_name";
        let refused = world.refused("PUT", path, &json!({"value": value})).await;
        assert_eq!(refused, (400, reason.to_owned()));
    }
    let refused = world.refused("PUT", "/api/cluster-name", &json!({})).await;
    assert_eq!(refused, (400, "[{key_missing,name}]".to_owned()));
    assert_eq!(world.ask("DELETE", "/api/cluster-name", "").await.status, 405);
}
