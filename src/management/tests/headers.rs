//! Headers of answers: what caches keep, and what browsers let pages of other origins do.

use super::*;

/// With pages of one origin that may use it, below a prefix.
fn open_world(prefix: &str) -> World {
    let broker = Arc::new(Broker::new(BrokerOptions::default(), [1, 2]).unwrap());
    let origins = vec!["https://hare.example".to_owned()];
    let cross_origin = CrossOrigin { origins, max_age_seconds: Some(60) };
    let options = ManagementOptions { cross_origin, path_prefix: prefix.into(), ..options() };
    World { management: Arc::new(Management::new(broker.clone(), options)), broker }
}

async fn ask_with(world: &World, method: &str, path: &str, head: &str) -> Answer {
    let login = STANDARD.encode("guest:guest");
    let head = format!("Authorization: Basic {login}\r\n{head}");
    world.ask_from("127.0.0.1", method, path, &head, "").await
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let mut lines = answer.head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(known, _)| *known == name).map(|(_, value)| value)
}

#[tokio::test]
async fn who_has_the_same_answer_already_is_told_so() {
    let world = World::new();
    let answer = ask_with(&world, "GET", "/api/whoami", "").await;
    assert_eq!(header(&answer, "vary"), Some("accept, accept-encoding, origin"));
    let tag = header(&answer, "etag").unwrap().to_uppercase();
    let again = ask_with(&world, "GET", "/api/whoami", &format!("If-None-Match: {tag}\r\n")).await;
    assert_eq!(again.status, 200, "tags are not the same in capitals");
    let tag = tag.to_lowercase().replace("w/", "W/");
    let again = ask_with(&world, "GET", "/api/whoami", &format!("If-None-Match: {tag}\r\n")).await;
    assert_eq!((again.status, &again.body), (304, &json!("")));
    let other = ask_with(&world, "GET", "/api/vhosts", &format!("If-None-Match: {tag}\r\n")).await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn options_tells_which_methods_there_are() {
    let world = World::new();
    let answer = world.ask_from("127.0.0.1", "OPTIONS", "/api/vhosts", "", "").await;
    assert_eq!((answer.status, header(&answer, "allow")), (200, Some("head, get, options")));
    assert_eq!(header(&answer, "access-control-allow-origin"), None);
    assert_eq!(world.ask("OPTIONS", "/api/nothing", "").await.status, 404);
}

#[tokio::test]
async fn pages_of_the_origins_that_are_named_may_use_the_api() {
    let world = open_world("");
    let head = "Origin: https://hare.example\r\nAccess-Control-Request-Headers: authorization\r\n";
    let answer = world.ask_from("127.0.0.1", "OPTIONS", "/api/users/ann", head, "").await;
    for (name, value) in [
        ("access-control-allow-origin", "https://hare.example"),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "head, get, put, delete, options"),
        ("access-control-allow-headers", "authorization"),
        ("access-control-max-age", "60"),
    ] {
        assert_eq!(header(&answer, name), Some(value), "{name}");
    }
    let answer = ask_with(&world, "GET", "/api/whoami", "Origin: https://hare.example\r\n").await;
    let origin = header(&answer, "access-control-allow-origin");
    assert_eq!((answer.status, origin), (200, Some("https://hare.example")));
    for other in ["https://fox.example", "null"] {
        let answer = ask_with(&world, "GET", "/api/whoami", &format!("Origin: {other}\r\n")).await;
        assert_eq!(header(&answer, "access-control-allow-origin"), None, "{other}");
    }
}

#[tokio::test]
async fn everything_may_stand_below_a_prefix() {
    let world = open_world("/hare");
    assert_eq!(world.get("/hare/api/whoami").await["name"], "guest");
    assert_eq!(world.ask("GET", "/api/whoami", "").await.status, 404);
    assert_eq!(world.ask("GET", "/hare", "").await.status, 200);
    assert_eq!(world.ask("GET", "/hare/", "").await.status, 200);
    let home = world.ask("GET", "/", "").await;
    assert_eq!((home.status, header(&home, "location")), (308, Some("/hare/")));
    let servers = &world.get("/hare/api/openapi.json").await["servers"];
    assert_eq!(servers, &json!([{"url": "/hare/api"}]));
}
