//! Health checks: what is well, what is not, and what makes no sense.

use super::*;
use crate::auth::CertificateEnd;
use crate::management::ListenerCertificates;

#[tokio::test]
async fn a_node_that_is_well_says_so() {
    let world = World::new();
    for check in [
        "alarms",
        "local-alarms",
        "virtual-hosts",
        "node-is-quorum-critical",
        "node-is-mirror-sync-critical",
        "metadata-store/initialized",
        "metadata-store/initialized/with-data",
        "is-in-service",
        "below-node-connection-limit",
        "ready-to-serve-clients",
        "reached-target-cluster-size",
        "certificate-expiration/2/weeks",
        "quorum-queues-without-elected-leaders/all-vhosts",
        "quorum-queues-without-elected-leaders/all-vhosts/pattern/%5Ea",
        "quorum-queues-without-elected-leaders/vhost/%2F",
        "quorum-queues-without-elected-leaders/vhost/%2F/pattern/%5Ea",
    ] {
        let path = format!("/api/health/checks/{check}");
        let answer = world.ask_as("management", "GET", &path, "").await;
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!("ok")), "{check}");
        assert_eq!(world.ask_as("none", "GET", &path, "").await.status, 401);
    }
}

#[tokio::test]
async fn an_alarm_fails_the_checks_that_look_for_it() {
    let world = World::new();
    world.broker.set_alarm(Alarm::Disk, true);
    world.broker.set_alarm(Alarm::Memory, true);
    for (path, reason) in [
        ("health/checks/alarms", "There are alarms in effect in the cluster"),
        ("health/checks/local-alarms", "There are alarms in effect on the node"),
        ("healthchecks/node", "There are alarms in effect on the node"),
        ("healthchecks/node/leveret@hare", "There are alarms in effect on the node"),
    ] {
        let answer = world.ask("GET", &format!("/api/{path}"), "").await;
        let alarms = json!([
            {"node": "leveret@hare", "resource": "disk space"},
            {"node": "leveret@hare", "resource": "memory"},
        ]);
        let expected = json!({"status": "failed", "reason": reason, "alarms": alarms});
        assert_eq!((answer.status, answer.body), (503, expected), "{path}");
    }
    assert_eq!(world.ask("GET", "/api/health/checks/is-in-service", "").await.status, 200);
    world.broker.set_alarm(Alarm::Disk, false);
    world.broker.set_alarm(Alarm::Memory, false);
    assert_eq!(world.ask("GET", "/api/health/checks/alarms", "").await.status, 200);
}

#[tokio::test]
async fn listeners_are_really_looked_for() {
    let world = World::new();
    for (check, status, expected) in [
        ("port-listener/5671", 200, json!({"status": "ok", "port": 5671})),
        (
            "port-listener/5672",
            503,
            json!({"status": "failed", "reason": "No active listener", "missing": 5672,
                   "ports": [5671, 15671]}),
        ),
        ("port-listener/x", 400, json!({"error": "bad_request", "reason": "Invalid port"})),
        ("protocol-listener/amqp", 200, json!({"status": "ok", "protocol": "amqp"})),
        ("protocol-listener/amqp091", 200, json!({"status": "ok", "protocol": "amqp"})),
        ("protocol-listener/http", 200, json!({"status": "ok", "protocol": "http"})),
        (
            "protocol-listener/mqtt",
            503,
            json!({"status": "failed", "reason": "No active listener", "missing": "mqtt",
                   "protocols": ["amqp", "http"]}),
        ),
    ] {
        let answer = world.ask("GET", &format!("/api/health/checks/{check}"), "").await;
        assert_eq!((answer.status, answer.body), (status, expected), "{check}");
    }
    for absent in ["amqp10", "https", "prometheus"] {
        let path = format!("/api/health/checks/protocol-listener/{absent}");
        assert_eq!(world.ask("GET", &path, "").await.status, 503, "{absent}");
    }
}

#[tokio::test]
async fn a_node_that_has_to_stop_is_out_of_service() {
    let world = World::new();
    world.broker.fail("the log ended");
    for check in ["is-in-service", "ready-to-serve-clients"] {
        let answer = world.ask("GET", &format!("/api/health/checks/{check}"), "").await;
        let expected = json!({"status": "failed", "reason": "the log ended"});
        assert_eq!((answer.status, answer.body), (503, expected), "{check}");
    }
}

#[tokio::test]
async fn checks_that_make_no_sense_are_refused() {
    let world = World::new();
    let units = "Time unit not recognised. Supported units: days, weeks, months, years.";
    for (check, status, reason) in [
        ("certificate-expiration/x/weeks", 400, "Invalid expiration value."),
        ("certificate-expiration/1/moons", 400, units),
        ("quorum-queues-without-elected-leaders/vhost/nope", 404, "Not Found"),
        ("nope", 404, "Not Found"),
    ] {
        let answer = world.ask("GET", &format!("/api/health/checks/{check}"), "").await;
        assert_eq!((answer.status, answer.reason()), (status, reason), "{check}");
    }
}

#[tokio::test]
async fn elder_checks_and_chores_are_answered() {
    let world = World::new();
    for (user, method, path, status) in [
        ("management", "GET", "aliveness-test/v1", 200),
        ("management", "GET", "aliveness-test/v2", 401),
        ("management", "GET", "aliveness-test/nope", 404),
        ("management", "GET", "healthchecks/node/leveret@hare", 200),
        ("management", "GET", "healthchecks/node/nope", 404),
        ("monitoring", "POST", "rebalance/queues", 401),
        ("administrator", "POST", "rebalance/queues", 204),
        ("monitoring", "DELETE", "reset", 401),
        ("administrator", "DELETE", "reset", 204),
        ("administrator", "DELETE", "reset/leveret@hare", 204),
        ("administrator", "DELETE", "reset/nope", 404),
    ] {
        let answer = world.ask_as(user, method, &format!("/api/{path}"), "").await;
        assert_eq!(answer.status, status, "{user} {method} {path}");
    }
}

#[tokio::test]
async fn a_certificate_that_runs_out_fails_its_check_in_time() {
    const DAY: i64 = 86_400;
    let end = |days: i64, shown: &str| CertificateEnd { seconds: days * DAY, shown: shown.into() };
    let certificates = ListenerCertificates {
        listener: ListenerFacts {
            protocol: ListenerProtocol::Amqp,
            is_encrypted: true,
            place: Place::Address("[::1]:5671".parse().unwrap()),
        },
        own_file: "/own.pem".into(),
        own: vec![end(10, "1970-01-11 0:00:00"), end(1000, "later")],
        authorities_file: Some("/ca.pem".into()),
        authorities: vec![end(1000, "later")],
        own_text: String::new(),
        authorities_text: None,
        options: Vec::new(),
        offer: TlsOffer::default(),
    };
    let told = move || vec![certificates.clone()];
    let options = ManagementOptions { certificates: Box::new(told), ..options() };
    let broker = Broker::new(BrokerOptions::default(), [1, 2]).unwrap();
    let world = World::with(Arc::new(broker), options);
    let check = "/api/health/checks/certificate-expiration";
    for (within, status) in [("9/days", 200), ("1/weeks", 200), ("11/days", 503), ("2/weeks", 503)]
    {
        let answer = world.ask("GET", &format!("{check}/{within}"), "").await;
        assert_eq!(answer.status, status, "{within}");
    }
    let answer = world.ask("GET", &format!("{check}/1/months"), "").await;
    let expected = json!({"status": "failed", "reason": "Certificates expiring", "expired": [{
        "node": "leveret@hare", "protocol": "amqp/ssl", "interface": "::1", "port": 5671,
        "certfile": "/own.pem", "certfile_expires_on": ["1970-01-11 0:00:00"],
        "cacertfile": "/ca.pem", "cacertfile_expires_on": [],
    }]});
    assert_eq!(answer.body, expected);
}
