//! What a queue's declaration is refused for, in the words that RabbitMQ 3.10.8 answered with
//! (where `docs/differences.md` does not say otherwise), and what its arguments become.

use super::*;
use crate::protocol::field::FieldValue;

const DECLARATION: QueueDeclaration<'_> = QueueDeclaration {
    name: "q",
    virtual_host: "/",
    durable: true,
    exclusive: false,
    auto_delete: false,
    server_named: false,
};

const SERVER_NAMED: QueueDeclaration<'_> =
    QueueDeclaration { name: "", server_named: true, ..DECLARATION };

fn table(entries: &[(&str, FieldValue)]) -> FieldTable {
    entries.iter().map(|(name, value)| (*name, value.clone())).collect()
}

fn parse(
    declaration: &QueueDeclaration<'_>,
    kind: &str,
    entries: &[(&str, FieldValue)],
) -> Result<QueueOptions, AmqpError> {
    let mut arguments = table(entries);
    arguments.insert("x-queue-type", kind);
    QueueOptions::parse(declaration, &arguments, QueueKind::Classic)
}

#[track_caller]
fn options(kind: &str, entries: &[(&str, FieldValue)]) -> QueueOptions {
    parse(&DECLARATION, kind, entries).expect("refused")
}

#[track_caller]
fn channel_error(result: Result<QueueOptions, AmqpError>) -> String {
    match result.expect_err("accepted") {
        AmqpError::Channel(error) => {
            let text = error.text;
            text.strip_prefix("PRECONDITION_FAILED - ").unwrap_or(&text).to_owned()
        }
        AmqpError::Connection(error) => panic!("a connection error: {}", error.text),
    }
}

#[track_caller]
fn connection_error(result: Result<QueueOptions, AmqpError>) -> String {
    match result.expect_err("accepted") {
        AmqpError::Connection(error) => error.text,
        AmqpError::Channel(error) => panic!("a channel error: {}", error.text),
    }
}

/// The reason in `invalid arg '...' for queue 'q' in vhost '/': reason`.
#[track_caller]
fn reason(kind: &str, name: &str, value: impl Into<FieldValue>) -> String {
    let text = channel_error(parse(&DECLARATION, kind, &[(name, value.into())]));
    let prefix = format!("invalid arg '{name}' for queue 'q' in vhost '/': ");
    text.strip_prefix(&prefix).unwrap_or_else(|| panic!("another text: {text}")).to_owned()
}

#[test]
fn a_declaration_without_arguments_has_no_options() {
    let options =
        QueueOptions::parse(&DECLARATION, &FieldTable::new(), QueueKind::Classic).unwrap();
    assert_eq!(options, QueueOptions::default());
}

#[test]
fn every_argument_of_a_classic_queue_becomes_an_option() {
    let parsed = options(
        "classic",
        &[
            ("x-expires", 1.into()),
            ("x-message-ttl", FieldValue::U8(0)),
            ("x-dead-letter-exchange", "".into()),
            ("x-dead-letter-routing-key", "k".into()),
            ("x-dead-letter-strategy", "at-least-once".into()),
            ("x-max-length", 0.into()),
            ("x-max-length-bytes", i64::MAX.into()),
            ("x-overflow", "reject-publish-dlx".into()),
            ("x-max-priority", 255.into()),
            ("x-single-active-consumer", true.into()),
            ("x-message-deduplication", true.into()),
            ("x-delivery-limit", 3.into()),
            ("x-consumer-timeout", 60_000.into()),
            ("x-delayed-retry-type", "failed".into()),
            ("x-delayed-retry-min", 1000.into()),
            ("x-delayed-retry-max", 5000.into()),
            ("x-queue-mode", "lazy".into()),
            ("x-queue-version", 2.into()),
            ("x-queue-leader-locator", "client-local".into()),
            ("x-storage", "memory".into()),
        ],
    );
    let expected = QueueOptions {
        kind: QueueKind::Classic,
        expires_ms: Some(1),
        message_ttl_ms: Some(0),
        dead_letter_exchange: Some("".into()),
        dead_letter_routing_key: Some("k".into()),
        dead_letter_strategy: Some(DeadLetterStrategy::AtLeastOnce),
        length_max: Some(0),
        length_bytes_max: Some(i64::MAX as u64),
        overflow: Some(Overflow::RejectPublishDeadLetter),
        priority_max: Some(255),
        single_active_consumer: true,
        message_deduplication: true,
        delivery_limit: Some(DeliveryLimit::Returns(3)),
        consumer_timeout_ms: Some(60_000),
        storage: Some(Storage::Memory),
        delayed_retry: Some(DelayedRetry {
            kind: DelayedRetryKind::Failed,
            min_ms: 1000,
            max_ms: Some(5000),
        }),
        queue_leader_locator: Some(QueueLeaderLocator::ClientLocal),
        name_prefix: None,
    };
    assert_eq!(parsed, expected);
}

#[test]
fn a_quorum_queue_takes_what_it_knows() {
    let parsed = options(
        "quorum",
        &[
            ("x-overflow", "reject-publish-dlx".into()),
            ("x-delivery-limit", FieldValue::I8(-1)),
            ("x-quorum-initial-group-size", 3.into()),
            ("x-max-in-memory-length", 0.into()),
            ("x-member-placement-tag", "rack".into()),
            ("x-consumer-disconnected-timeout", 0.into()),
            ("x-queue-leader-locator", "random".into()),
        ],
    );
    assert_eq!(parsed.kind, QueueKind::Quorum);
    assert_eq!(parsed.overflow, Some(Overflow::DropHead));
    assert_eq!(parsed.delivery_limit, Some(DeliveryLimit::Unlimited));
    assert_eq!(parsed.queue_leader_locator, Some(QueueLeaderLocator::Balanced));
}

#[test]
fn numbers_out_of_range_are_refused_with_the_number() {
    for (name, value, expected) in [
        ("x-expires", -1, "{value_negative,-1}"),
        ("x-expires", 0, "{value_zero,0}"),
        ("x-expires", 315_360_000_001, "{value_too_large,315360000001}"),
        ("x-message-ttl", -1, "{value_negative,-1}"),
        ("x-message-ttl", 315_360_000_001, "{value_too_large,315360000001}"),
        ("x-max-length", i64::MIN, "{value_negative,-9223372036854775808}"),
        ("x-max-length-bytes", -1, "{value_negative,-1}"),
        ("x-max-priority", -1, "{value_negative,-1}"),
        ("x-max-priority", 256, "{max_value_exceeded,256}"),
        ("x-queue-version", -1, "{value_negative,-1}"),
        ("x-queue-version", 0, "\"unsupported queue version '0'\""),
        ("x-queue-version", 1, "\"unsupported queue version '1'\""),
        ("x-consumer-timeout", -1, "{value_negative,-1}"),
    ] {
        assert_eq!(reason("classic", name, value), expected, "{name} {value}");
    }
    for (name, value, expected) in [
        ("x-expires", 0, "{value_zero,0}"),
        ("x-max-in-memory-length", -1, "{value_negative,-1}"),
        ("x-max-in-memory-bytes", -1, "{value_negative,-1}"),
        ("x-quorum-initial-group-size", -1, "{value_negative,-1}"),
        ("x-quorum-initial-group-size", 0, "{value_zero,0}"),
        ("x-consumer-disconnected-timeout", -1, "{value_negative,-1}"),
    ] {
        assert_eq!(reason("quorum", name, value), expected, "{name} {value}");
    }
}

#[test]
fn a_string_is_no_number_even_if_it_reads_like_one() {
    for name in [
        "x-expires",
        "x-message-ttl",
        "x-max-length",
        "x-max-length-bytes",
        "x-max-priority",
        "x-queue-version",
        "x-delivery-limit",
        "x-consumer-timeout",
        "x-delayed-retry-min",
        "x-delayed-retry-max",
    ] {
        assert_eq!(reason("classic", name, "10"), "\"expected integer, got longstr\"", "{name}");
    }
}

#[test]
fn words_and_flags_of_another_type_are_refused_with_it() {
    for name in [
        "x-dead-letter-strategy",
        "x-overflow",
        "x-queue-mode",
        "x-single-active-consumer",
        "x-queue-leader-locator",
        "x-dead-letter-routing-key",
        "x-delayed-retry-type",
    ] {
        assert_eq!(reason("classic", name, 1), "{unacceptable_type,signedint}", "{name}");
    }
    assert_eq!(
        reason("classic", "x-single-active-consumer", "true"),
        "{unacceptable_type,longstr}"
    );
    assert_eq!(
        reason("classic", "x-overflow", FieldValue::U16(1)),
        "{unacceptable_type,unsignedshort}"
    );
}

#[test]
fn unknown_words_are_refused() {
    for (name, expected) in [
        ("x-overflow", "invalid_overflow"),
        ("x-dead-letter-strategy", "invalid_dlx_strategy"),
        ("x-queue-leader-locator", "invalid_queue_locator_arg"),
        ("x-queue-mode", "\"unsupported queue mode 'foo'\""),
        ("x-delayed-retry-type", "invalid_delayed_retry_type"),
    ] {
        assert_eq!(reason("classic", name, "foo"), expected, "{name}");
    }
}

#[test]
fn a_dead_letter_exchange_of_another_type_is_refused_before_all_else() {
    let text = channel_error(parse(
        &DECLARATION,
        "classic",
        &[("x-expires", "a".into()), ("x-dead-letter-exchange", 5.into())],
    ));
    assert_eq!(
        text,
        "invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'"
    );
}

#[test]
fn a_dead_letter_routing_key_needs_an_exchange_and_fits_a_short_string() {
    assert_eq!(
        reason("classic", "x-dead-letter-routing-key", "k"),
        "routing_key_but_no_dlx_defined"
    );
    let key = |length| {
        let entries = [
            ("x-dead-letter-exchange", "dlx".into()),
            ("x-dead-letter-routing-key", "k".repeat(length).into()),
        ];
        parse(&DECLARATION, "classic", &entries)
    };
    assert!(key(255).is_ok());
    assert!(channel_error(key(256)).ends_with(": {max_length_exceeded,256}"));
}

#[test]
fn a_delayed_retry_needs_a_minimum_not_above_its_maximum() {
    assert_eq!(reason("quorum", "x-delayed-retry-type", "all"), "delayed_retry_min_not_defined");
    let disabled = options("quorum", &[("x-delayed-retry-type", "disabled".into())]);
    assert_eq!(
        disabled.delayed_retry,
        Some(DelayedRetry { kind: DelayedRetryKind::Disabled, min_ms: 0, max_ms: None })
    );
    let text = channel_error(parse(
        &DECLARATION,
        "quorum",
        &[
            ("x-delayed-retry-type", "all".into()),
            ("x-delayed-retry-min", 10.into()),
            ("x-delayed-retry-max", 9.into()),
        ],
    ));
    assert_eq!(
        text,
        "invalid arg 'x-delayed-retry-max' for queue 'q' in vhost '/': {value_below_min,9}"
    );
}

#[test]
fn arguments_of_another_type_are_refused_whatever_their_value() {
    for value in [FieldValue::from(1), FieldValue::from(-1), FieldValue::Void] {
        assert_eq!(
            channel_error(parse(&DECLARATION, "quorum", &[("x-max-priority", value)])),
            "invalid arg 'x-max-priority' for queue 'q' in vhost '/' of queue type \
             rabbit_quorum_queue"
        );
    }
    for name in ["x-queue-mode", "x-queue-version", "x-max-age", "x-queue-master-locator"] {
        let text = channel_error(parse(&DECLARATION, "quorum", &[(name, 1.into())]));
        assert!(text.ends_with(" of queue type rabbit_quorum_queue"), "{text}");
    }
    for name in ["x-quorum-initial-group-size", "x-max-in-memory-bytes", "x-initial-cluster-size"] {
        let text = channel_error(parse(&DECLARATION, "classic", &[(name, 1.into())]));
        assert!(text.ends_with(" of queue type rabbit_classic_queue"), "{text}");
    }
}

#[test]
fn unknown_arguments_are_accepted() {
    assert_eq!(options("classic", &[("x-foo", FieldValue::Void)]), QueueOptions::default());
}

#[test]
fn of_several_mistakes_values_come_in_a_fixed_order_and_foreign_ones_as_sent() {
    let name = |entries: &[(&str, FieldValue)]| {
        let text = channel_error(parse(&DECLARATION, "quorum", entries));
        text.split('\'').nth(1).unwrap_or_default().to_owned()
    };
    let [bad_ttl, bad_expires] = ["x-message-ttl", "x-expires"].map(|name| (name, "a".into()));
    assert_eq!(name(&[bad_ttl, bad_expires.clone()]), "x-expires");
    let [priority, mode] = ["x-max-priority", "x-queue-mode"].map(|name| (name, 1.into()));
    assert_eq!(name(&[priority.clone(), bad_expires]), "x-expires");
    assert_eq!(name(&[priority.clone(), mode.clone()]), "x-max-priority");
    assert_eq!(name(&[mode, priority]), "x-queue-mode");
}

#[test]
fn of_an_argument_that_is_there_twice_the_first_counts() {
    let twice = [("x-expires", 1.into()), ("x-expires", "a".into())];
    assert_eq!(options("classic", &twice).expires_ms, Some(1));
}

#[test]
fn a_queue_type_is_a_known_word() {
    for (value, expected) in [
        (FieldValue::from("foo"), "\"unsupported queue type 'foo'\""),
        (FieldValue::from(""), "\"unsupported queue type ''\""),
        (FieldValue::from("Classic"), "\"unsupported queue type 'Classic'\""),
        (FieldValue::I32(0), "{unacceptable_type,signedint}"),
        (FieldValue::Void, "{unacceptable_type,void}"),
        (FieldValue::Bytes(Box::from(*b"classic")), "{unacceptable_type,binary}"),
    ] {
        let arguments = table(&[("x-queue-type", value)]);
        let result = QueueOptions::parse(&DECLARATION, &arguments, QueueKind::Classic);
        assert_eq!(
            channel_error(result),
            format!("invalid arg 'x-queue-type' for queue 'q' in vhost '/': {expected}")
        );
    }
}

#[test]
fn a_stream_is_answered_as_a_disabled_type() {
    assert_eq!(
        connection_error(parse(&DECLARATION, "stream", &[])),
        "INTERNAL_ERROR - cannot declare queue 'q' in vhost '/' of type 'stream': the queue type \
         is disabled"
    );
}

#[test]
fn a_master_locator_is_a_feature_of_the_past() {
    let locator = [("x-queue-master-locator", "min-masters".into())];
    let text = connection_error(parse(&DECLARATION, "classic", &locator));
    assert!(
        text.starts_with("INTERNAL_ERROR - Feature `queue_master_locator` is deprecated."),
        "{text}"
    );
}

#[test]
fn a_quorum_queue_is_durable_and_shared_and_stays() {
    let mut declaration =
        QueueDeclaration { durable: false, exclusive: true, auto_delete: true, ..DECLARATION };
    let refused =
        |declaration: &QueueDeclaration<'_>| channel_error(parse(declaration, "quorum", &[]));
    assert_eq!(refused(&declaration), "invalid property 'auto-delete' for queue 'q' in vhost '/'");
    declaration.auto_delete = false;
    assert_eq!(
        refused(&declaration),
        "invalid property 'exclusive-owner' for queue 'q' in vhost '/'"
    );
    declaration.exclusive = false;
    assert_eq!(refused(&declaration), "invalid property 'non-durable' for queue 'q' in vhost '/'");
    let entries = [("x-expires", "a".into())];
    assert!(channel_error(parse(&declaration, "quorum", &entries)).contains("expected integer"));
}

#[test]
fn the_server_names_classic_queues_only() {
    for (kind, module) in [("quorum", "rabbit_quorum_queue"), ("stream", "rabbit_stream_queue")] {
        let entries = [("x-expires", "a".into())];
        assert_eq!(
            channel_error(parse(&SERVER_NAMED, kind, &entries)),
            format!("Cannot declare a server-named queue for type {module}")
        );
    }
    assert!(parse(&SERVER_NAMED, "classic", &[]).is_ok());
}

#[test]
fn a_name_prefix_is_for_generated_names_and_at_most_64_bytes_long() {
    let prefix = |length: usize| [("x-name-prefix", FieldValue::from("p".repeat(length)))];
    let parsed = parse(&SERVER_NAMED, "classic", &prefix(64)).unwrap();
    assert_eq!(parsed.name_prefix.as_deref(), Some(&*"p".repeat(64)));
    assert_eq!(
        channel_error(parse(&SERVER_NAMED, "classic", &prefix(65))),
        format!("Queue name prefix '{}' exceeds the 64-byte limit", "p".repeat(65))
    );
    assert_eq!(parse(&DECLARATION, "classic", &prefix(65)).unwrap().name_prefix, None);
}

#[test]
fn the_default_type_holds_where_it_can_do_what_is_asked() {
    let kind = |declaration: &QueueDeclaration<'_>| {
        QueueOptions::parse(declaration, &FieldTable::new(), QueueKind::Quorum).unwrap().kind
    };
    assert_eq!(kind(&DECLARATION), QueueKind::Quorum);
    for declaration in [
        QueueDeclaration { durable: false, ..DECLARATION },
        QueueDeclaration { exclusive: true, ..DECLARATION },
        QueueDeclaration { auto_delete: true, ..DECLARATION },
        QueueDeclaration { auto_delete: true, ..SERVER_NAMED },
    ] {
        assert_eq!(kind(&declaration), QueueKind::Classic);
    }
}

#[test]
fn only_quorum_queues_limit_deliveries_unasked() {
    assert_eq!(options("classic", &[]).delivery_limit_or_default(), DeliveryLimit::Unlimited);
    assert_eq!(options("quorum", &[]).delivery_limit_or_default(), DeliveryLimit::Returns(20));
    let limited = options("classic", &[("x-delivery-limit", 0.into())]);
    assert_eq!(limited.delivery_limit_or_default(), DeliveryLimit::Returns(0));
}

#[test]
fn messages_are_on_disk_or_in_memory_and_always_on_disk_in_a_queue_of_quorum_type() {
    for kind in ["classic", "quorum"] {
        let storage = |word: &str| options(kind, &[("x-storage", word.into())]).storage;
        assert_eq!(storage("disk"), Some(Storage::Disk));
        assert_eq!(options(kind, &[]).storage, None);
        assert_eq!(reason(kind, "x-storage", "ram"), "\"unsupported storage 'ram'\"");
        assert_eq!(reason(kind, "x-storage", 1), "{unacceptable_type,signedint}");
    }
    assert_eq!(
        reason("quorum", "x-storage", "memory"),
        "\"a queue of quorum type is always on disk\""
    );
}
