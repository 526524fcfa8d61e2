//! Who may ask, and for what: logins, and what tags let a user see and do.

use super::*;

#[tokio::test]
async fn nobody_is_served_who_does_not_say_who_it_is() {
    let world = World::new();
    let wrong = format!("Authorization: Basic {}\r\n", STANDARD.encode("guest:wrong"));
    let nobody = format!("Authorization: Basic {}\r\n", STANDARD.encode("nobody:x"));
    let heads =
        ["", &wrong, &nobody, "Authorization: Basic !!!\r\n", "Authorization: Bearer x\r\n"];
    for head in heads {
        let answer = world.ask_from("127.0.0.1", "GET", "/api/whoami", head, "").await;
        let expected = json!({"error": "not_authorized", "reason": "Not_Authorized"});
        assert_eq!((answer.status, answer.body), (401, expected), "{head}");
        let asked = "www-authenticate: basic realm=\"rabbitmq management\"";
        assert!(answer.head.contains(asked), "{}", answer.head);
    }
}

#[tokio::test]
async fn guest_comes_from_this_machine_only_and_others_from_anywhere() {
    let world = World::new();
    for (address, user, status) in [
        ("127.0.0.1", "guest:guest", 200),
        ("::1", "guest:guest", 200),
        ("192.0.2.1", "guest:guest", 401),
        ("192.0.2.1", "administrator:x", 200),
    ] {
        let head = format!("Authorization: Basic {}\r\n", STANDARD.encode(user));
        let answer = world.ask_from(address, "GET", "/api/whoami", &head, "").await;
        assert_eq!(answer.status, status, "{user} from {address}");
    }
}

#[tokio::test]
async fn a_password_may_have_colons_and_any_bytes() {
    let world = World::new();
    world.add_user("odd", &["management"]);
    let users = world.broker.user_definitions();
    let user = users.iter().find(|user| &*user.name == "odd").unwrap();
    let password = world.broker.hash_password("odd", "a:b:ü");
    world.broker.declare_user(UserDefinition { password, ..(**user).clone() });
    let head = format!("Authorization: basic {}\r\n", STANDARD.encode("odd:a:b:ü"));
    assert_eq!(world.ask_from("127.0.0.1", "GET", "/api/whoami", &head, "").await.status, 200);
}

#[tokio::test]
async fn a_user_without_a_tag_gets_nothing() {
    let world = World::new();
    for path in ["/api/whoami", "/api/vhosts", "/api/policies/v1"] {
        let answer = world.ask_as("none", "GET", path, "").await;
        let expected = json!({"error": "not_authorised", "reason": "Not management user"});
        assert_eq!((answer.status, answer.body), (401, expected), "{path}");
        assert!(!answer.head.contains("www-authenticate"), "it is known who asks");
    }
}

const POLICY: &str = r#"{"pattern": "", "definition": {"max-length": 1}}"#;
const LIMIT: &str = r#"{"value": 1}"#;
const ADMINISTRATOR: &str = "Not administrator user";
const HOST: &str = "User not authorised to access virtual host";
const OBJECT: &str = "User not authorised to access object";

/// What one request comes to for four users: an empty reason where it is answered.
type Row = (&'static str, &'static str, &'static str, [&'static str; 4]);

#[tokio::test]
async fn tags_decide_what_a_user_may_ask_for() {
    let world = World::new();
    let rows: &[Row] = &[
        ("GET", "/api/vhosts", "", [""; 4]),
        ("GET", "/api/vhosts/v1", "", [ADMINISTRATOR, ADMINISTRATOR, ADMINISTRATOR, ""]),
        ("GET", "/api/policies", "", [""; 4]),
        ("GET", "/api/policies/v1", "", [""; 4]),
        ("GET", "/api/policies/v2", "", [HOST, HOST, HOST, ""]),
        ("PUT", "/api/policies/v1/a", POLICY, [OBJECT, "", OBJECT, ""]),
        ("GET", "/api/policies/v1/a", "", [OBJECT, "", OBJECT, ""]),
        ("PUT", "/api/policies/v2/a", POLICY, [OBJECT, OBJECT, OBJECT, ""]),
        ("DELETE", "/api/policies/v2/a", "", [OBJECT, OBJECT, OBJECT, ""]),
        ("GET", "/api/operator-policies/v1", "", [""; 4]),
        (
            "PUT",
            "/api/operator-policies/v1/a",
            POLICY,
            [ADMINISTRATOR, ADMINISTRATOR, ADMINISTRATOR, ""],
        ),
        ("GET", "/api/vhost-limits", "", [""; 4]),
        ("GET", "/api/vhost-limits/v2", "", [HOST, HOST, "", ""]),
        (
            "PUT",
            "/api/vhost-limits/v1/max-queues",
            LIMIT,
            [ADMINISTRATOR, ADMINISTRATOR, ADMINISTRATOR, ""],
        ),
        ("GET", "/api/user-limits", "", [""; 4]),
        ("GET", "/api/user-limits/guest", "", [""; 4]),
        (
            "PUT",
            "/api/user-limits/guest/max-channels",
            LIMIT,
            [ADMINISTRATOR, ADMINISTRATOR, ADMINISTRATOR, ""],
        ),
        ("DELETE", "/api/vhosts/v2", "", [ADMINISTRATOR, ADMINISTRATOR, ADMINISTRATOR, ""]),
    ];
    for (method, path, body, reasons) in rows {
        let users = ["management", "policymaker", "monitoring", "administrator"];
        for (user, reason) in users.into_iter().zip(reasons) {
            let answer = world.ask_as(user, method, path, body).await;
            assert_eq!(answer.reason(), *reason, "{method} {path} by {user}: {answer:?}");
            assert_eq!(answer.status == 401, !reason.is_empty(), "{method} {path} by {user}");
        }
    }
}

#[tokio::test]
async fn lists_show_what_the_user_may_see() {
    let world = World::new();
    let put = json!({"pattern": "", "definition": {"max-length": 1}});
    assert_eq!(world.change("PUT", "/api/policies/v1/here", &put).await, 201);
    assert_eq!(world.change("PUT", "/api/policies/v2/there", &put).await, 201);
    let names = async |user: &str, path: &str| {
        let answer = world.ask_as(user, "GET", path, "").await;
        let names = answer.body.as_array().unwrap().iter().map(|item| item["name"].to_string());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("management", "/api/vhosts").await, "\"v1\"");
    assert_eq!(names("monitoring", "/api/vhosts").await, "\"/\" \"v1\" \"v2\"");
    assert_eq!(names("monitoring", "/api/policies").await, "\"here\"");
    assert_eq!(names("administrator", "/api/policies").await, "\"here\" \"there\"");
}

#[tokio::test]
async fn a_form_may_ask_whether_a_login_is_good() {
    let world = World::new();
    let head = "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n";
    let ask =
        async |form: &str| world.ask_from("127.0.0.1", "POST", "/api/login", head, form).await;
    let answer = ask("username=guest&password=guest").await;
    assert_eq!((answer.status, &answer.body), (200, &json!("ok")));
    assert!(!answer.head.contains("set-cookie"), "{}", answer.head);
    assert_eq!(ask("username=guest&password=other").await.status, 401);
    assert_eq!(ask("username=none&password=x").await.status, 401, "no tag lets it ask");
    assert_eq!(ask("").await.status, 401);
    assert_eq!(ask(&"a".repeat(70_000)).await.status, 400);
    let json = world.ask_from("127.0.0.1", "POST", "/api/login", "", "{}").await;
    assert_eq!(json.status, 415);
    assert_eq!(world.ask_from("127.0.0.1", "DELETE", "/api/login", "", "").await.status, 204);
}
