//! What is told of TLS: what listeners offer, or could offer where none encrypts.

use super::super::{CipherSuite, ListenerCertificates};
use super::*;

const SUITES: [CipherSuite; 2] = [suite("A", "any"), suite("B", "ecdhe_rsa")];

const fn suite(openssl: &'static str, key_exchange: &'static str) -> CipherSuite {
    CipherSuite { openssl, key_exchange, cipher: "aes_128_gcm", hash: "sha256" }
}

fn world(listeners: Vec<ListenerCertificates>) -> World {
    let spoken = TlsOffer { versions: vec!["tlsv1.3", "tlsv1.2"], suites: SUITES.to_vec() };
    let broker = Arc::new(Broker::new(BrokerOptions::default(), [1, 2]).unwrap());
    let options = ManagementOptions {
        facts: NodeFacts { tls_spoken: spoken, ..facts() },
        certificates: Box::new(move || listeners.clone()),
        ..options()
    };
    let world = World::with(broker, options);
    world.add_users(&["policymaker", "monitoring"]);
    world
}

/// A listener that speaks 1.3 only.
fn listener() -> ListenerCertificates {
    let place = Place::Address("127.0.0.1:5671".parse().unwrap());
    ListenerCertificates {
        listener: ListenerFacts { protocol: ListenerProtocol::Amqp, is_encrypted: true, place },
        own_file: "own.pem".into(),
        own: Vec::new(),
        own_text: "OWN".into(),
        authorities_file: None,
        authorities: Vec::new(),
        authorities_text: None,
        options: vec![("certfile", "own.pem".into())],
        offer: TlsOffer { versions: vec!["tlsv1.3"], suites: vec![SUITES[0]] },
    }
}

const VERSIONS: &str = "/api/leveret/tls/versions";
const CIPHERS: &str = "/api/leveret/tls/cipher-suites";
const CERTIFICATES: &str = "/api/leveret/tls/certificates";

#[tokio::test]
async fn what_listeners_offer_is_told_apart_from_what_they_could() {
    let world = world(vec![listener()]);
    let versions = world.get(VERSIONS).await;
    assert_eq!(
        versions,
        json!([
            {"version": "tlsv1.3", "offered": true}, {"version": "tlsv1.2", "offered": false}
        ])
    );
    let suites = world.get(CIPHERS).await;
    assert_eq!(
        suites[0],
        json!({
            "name": "A", "key_exchange": "any", "cipher": "aes_128_gcm", "mac": "aead",
            "prf": "sha256", "offered": true,
        })
    );
    assert_eq!((&suites[1]["name"], &suites[1]["offered"]), (&json!("B"), &json!(false)));
    let certificates = world.get(CERTIFICATES).await;
    let expected = json!([{
        "node": "leveret@hare", "protocol": "amqp/ssl", "interface": "127.0.0.1", "port": 5671,
        "certfile": "OWN", "cacertfile": null,
    }]);
    assert_eq!(certificates, expected);
}

/// It was an empty list for every listener.
#[tokio::test]
async fn a_listener_of_http_tells_the_options_of_its_tls() {
    let mut own = listener();
    own.listener.place = Place::Address("127.0.0.1:15671".parse().unwrap());
    let encrypted = world(vec![own]);
    let expected = json!([{
        "node": "leveret@hare", "description": "HTTP API", "path": "/", "ip": "127.0.0.1",
        "port": "15671", "ssl": "true",
        "ssl_opts": {"certfile": "own.pem", "port": "15671"},
    }]);
    let told = encrypted.get("/api/overview?columns=contexts").await;
    assert_eq!(told["contexts"], expected);
    let told = encrypted.get("/api/nodes?columns=contexts").await;
    assert_eq!(told[0]["contexts"], expected);
    let told = world(Vec::new()).get("/api/overview?columns=contexts").await;
    assert_eq!(told["contexts"][0]["ssl_opts"], json!([]));
}

#[tokio::test]
async fn without_a_listener_that_encrypts_all_would_be_offered() {
    let world = world(Vec::new());
    for path in [VERSIONS, CIPHERS] {
        let told = world.get(path).await;
        let told = told.as_array().unwrap();
        assert_eq!(told.iter().filter(|item| item["offered"] == true).count(), 2, "{path}");
    }
    assert_eq!(world.get(CERTIFICATES).await, json!([]));
}

#[tokio::test]
async fn tls_is_for_monitors() {
    let world = world(Vec::new());
    for path in [VERSIONS, CIPHERS, CERTIFICATES] {
        for (user, status) in [("policymaker", 401), ("monitoring", 200)] {
            assert_eq!(world.ask_as(user, "GET", path, "").await.status, status, "{user} {path}");
        }
    }
}
