//! Hashes of passwords, which log in as the passwords do.

use super::*;

#[tokio::test]
async fn a_hash_makes_a_user_who_logs_in_with_its_password() {
    let world = World::new();
    for (index, answer) in [
        world.ask("GET", "/api/auth/hash_password/p%C3%A4ss%2Fword", "").await,
        world.ask("POST", "/api/auth/hash_password", r#"{"password": "päss/word"}"#).await,
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(answer.status, 200, "{answer:?}");
        let path = format!("/api/users/ann{index}");
        let body = json!({"password_hash": answer.body["ok"], "tags": ["management"]});
        assert_eq!(world.change("PUT", &path, &body).await, 201);
        let login = STANDARD.encode(format!("ann{index}:päss/word"));
        let head = format!("Authorization: Basic {login}\r\n");
        let answer = world.ask_from("127.0.0.1", "GET", "/api/whoami", &head, "").await;
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn hashes_are_for_administrators_and_of_texts() {
    let world = World::new();
    let (get, post) = ("/api/auth/hash_password/a", "/api/auth/hash_password");
    assert_eq!(world.ask_as("policymaker", "GET", get, "").await.status, 401);
    assert_eq!(world.ask_as("policymaker", "POST", post, r#"{"password": "a"}"#).await.status, 401);
    for (body, reason) in [
        (json!({}), "[{key_missing,password}]"),
        (json!({"password": 5}), "password should be a binary but was 5"),
    ] {
        assert_eq!(world.refused("POST", post, &body).await, (400, reason.to_owned()));
    }
    let hash = world.get(get).await["ok"].clone();
    assert_ne!(hash, world.get(get).await["ok"], "the salt is another");
}
