//! Declarations that are repeated, and RabbitMQ's words for what is not the same.

use super::equivalence::*;
use super::queue_options::QueueKind;
use crate::protocol::field::{FieldTable, FieldValue};
use crate::protocol::reply::ChannelError;

fn table(entries: &[(&str, FieldValue)]) -> FieldTable {
    entries.iter().map(|(name, value)| (*name, value.clone())).collect()
}

fn queue(arguments: &FieldTable) -> QueueProperties<'_> {
    QueueProperties {
        name: "q",
        virtual_host: "/",
        durable: true,
        auto_delete: false,
        exclusive: false,
        kind: QueueKind::Classic,
        arguments,
    }
}

fn quorum(arguments: &FieldTable) -> QueueProperties<'_> {
    QueueProperties { kind: QueueKind::Quorum, ..queue(arguments) }
}

fn exchange(arguments: &FieldTable) -> ExchangeProperties<'_> {
    ExchangeProperties {
        name: "x",
        virtual_host: "/",
        kind: "direct",
        durable: true,
        auto_delete: false,
        internal: false,
        arguments,
    }
}

fn first_refusal<'a>(
    mut differences: impl Iterator<Item = Difference<'a>>,
) -> Result<(), ChannelError> {
    differences.next().map_or(Ok(()), |difference| Err(difference.refusal))
}

fn check_queue(
    existing: &QueueProperties<'_>,
    received: &QueueProperties<'_>,
) -> Result<(), ChannelError> {
    first_refusal(queue_differences(existing, received, false))
}

fn check_exchange(
    existing: &ExchangeProperties<'_>,
    received: &ExchangeProperties<'_>,
) -> Result<(), ChannelError> {
    first_refusal(exchange_differences(existing, received))
}

#[track_caller]
fn refusal(result: Result<(), ChannelError>) -> String {
    let text = result.expect_err("equivalent").text;
    text.strip_prefix("PRECONDITION_FAILED - inequivalent arg ").unwrap_or(&text).to_owned()
}

/// The refusal where a classic queue with one argument is declared with another.
#[track_caller]
fn classic(name: &str, existing: Option<FieldValue>, received: Option<FieldValue>) -> String {
    let [existing, received] = [existing, received]
        .map(|value| value.map(|value| table(&[(name, value)])).unwrap_or_default());
    refusal(check_queue(&queue(&existing), &queue(&received)))
}

#[test]
fn of_several_differences_the_first_in_rabbitmqs_order_is_told() {
    let (none, ttl) = (FieldTable::new(), table(&[("x-message-ttl", 5.into())]));
    let existing = queue(&none);
    let mut received =
        QueueProperties { durable: false, auto_delete: true, exclusive: true, ..queue(&ttl) };
    assert!(refusal(check_queue(&existing, &received)).starts_with("RESOURCE_LOCKED - "));
    received.exclusive = false;
    assert_eq!(
        refusal(check_queue(&existing, &received)),
        "'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'"
    );
    received.durable = true;
    assert_eq!(
        refusal(check_queue(&existing, &received)),
        "'auto_delete' for queue 'q' in vhost '/': received 'true' but current is 'false'"
    );
    received.auto_delete = false;
    assert_eq!(
        refusal(check_queue(&existing, &received)),
        "'x-message-ttl' for queue 'q' in vhost '/': received the value '5' of type \
         'signedint' but current is none"
    );
    received.arguments = &none;
    assert!(check_queue(&existing, &received).is_ok());
}

#[test]
fn an_exclusive_queue_is_the_same_whether_it_was_called_durable_or_not() {
    let none = FieldTable::new();
    let existing = QueueProperties { exclusive: true, ..queue(&none) };
    let received = QueueProperties { durable: false, ..existing };
    assert!(check_queue(&existing, &received).is_ok());
    assert!(refusal(check_queue(&existing, &queue(&none))).starts_with("RESOURCE_LOCKED - "));
}

#[test]
fn numbers_are_equal_across_their_types() {
    for same in [
        FieldValue::I64(200),
        FieldValue::U8(200),
        FieldValue::U16(200),
        FieldValue::Timestamp(200),
    ] {
        let existing = table(&[("x-message-ttl", 200.into())]);
        let received = table(&[("x-message-ttl", same)]);
        assert!(check_queue(&queue(&existing), &queue(&received)).is_ok());
    }
    assert_eq!(
        classic("x-message-ttl", Some(200.into()), Some(FieldValue::F64(200.0))),
        "'x-message-ttl' for queue 'q' in vhost '/': received '200.0' but current is '200'"
    );
}

#[test]
fn two_values_are_shown_bare_and_one_alone_with_its_type() {
    assert_eq!(
        classic("x-message-ttl", Some(200.into()), Some(100.into())),
        "'x-message-ttl' for queue 'q' in vhost '/': received '100' but current is '200'"
    );
    assert_eq!(
        classic("x-message-ttl", Some(200.into()), None),
        "'x-message-ttl' for queue 'q' in vhost '/': received none but current is the value \
         '200' of type 'signedint'"
    );
    assert_eq!(
        classic("x-single-active-consumer", None, Some(false.into())),
        "'x-single-active-consumer' for queue 'q' in vhost '/': received the value 'false' \
         of type 'bool' but current is none"
    );
    assert_eq!(
        classic("x-dead-letter-exchange", Some("a".into()), None),
        "'x-dead-letter-exchange' for queue 'q' in vhost '/': received none but current is \
         the value 'a' of type 'longstr'"
    );
}

#[test]
fn what_cannot_be_declared_is_compared_all_the_same() {
    assert_eq!(
        classic("x-expires", None, Some("a".into())),
        "'x-expires' for queue 'q' in vhost '/': received the value 'a' of type 'longstr' \
         but current is none"
    );
    assert_eq!(
        classic("x-queue-type", None, Some("foo".into())),
        "'x-queue-type' for queue 'q' in vhost '/': received the value 'foo' of type \
         'longstr' but current is none"
    );
}

#[test]
fn only_arguments_that_the_type_knows_are_compared() {
    let (none, unknown) = (FieldTable::new(), table(&[("x-foo", 1.into())]));
    assert!(check_queue(&queue(&none), &queue(&unknown)).is_ok());
    let foreign = table(&[("x-max-priority", 3.into())]);
    assert!(check_queue(&quorum(&none), &quorum(&foreign)).is_ok());
}

#[test]
fn a_type_that_is_not_named_is_the_default() {
    let none = FieldTable::new();
    let classic = table(&[("x-queue-type", "classic".into())]);
    let quorum_named = table(&[("x-queue-type", "quorum".into())]);
    assert!(check_queue(&queue(&none), &queue(&classic)).is_ok());
    assert!(check_queue(&queue(&classic), &queue(&none)).is_ok());
    assert!(check_queue(&quorum(&none), &quorum(&quorum_named)).is_ok());
    assert!(check_queue(&quorum(&quorum_named), &quorum(&none)).is_ok());
}

#[test]
fn another_type_is_told_with_the_names_that_were_sent() {
    let none = FieldTable::new();
    let named = |kind: &str| table(&[("x-queue-type", kind.into())]);
    let (classic, quorum_named) = (named("classic"), named("quorum"));
    assert_eq!(
        refusal(check_queue(&quorum(&quorum_named), &queue(&none))),
        "'x-queue-type' for queue 'q' in vhost '/': received none but current is the value \
         'quorum' of type 'longstr'"
    );
    assert_eq!(
        refusal(check_queue(&queue(&none), &queue(&quorum_named))),
        "'x-queue-type' for queue 'q' in vhost '/': received the value 'quorum' of type \
         'longstr' but current is none"
    );
    assert_eq!(
        refusal(check_queue(&quorum(&none), &queue(&classic))),
        "'x-queue-type' for queue 'q' in vhost '/': received 'classic' but current is \
         'quorum'"
    );
}

#[test]
fn each_type_compares_its_arguments_in_its_own_order() {
    let received = table(&[
        ("x-max-length", 1.into()),
        ("x-expires", 1.into()),
        ("x-message-ttl", 1.into()),
        ("x-dead-letter-exchange", "a".into()),
    ]);
    let none = FieldTable::new();
    let first = |result| refusal(result).split(' ').next().unwrap_or_default().to_owned();
    assert_eq!(first(check_queue(&queue(&none), &queue(&received))), "'x-expires'");
    assert_eq!(first(check_queue(&quorum(&none), &quorum(&received))), "'x-dead-letter-exchange'");
    let ttl = table(&[("x-message-ttl", 1.into())]);
    let quorum_named = table(&[("x-queue-type", "quorum".into())]);
    assert_eq!(first(check_queue(&quorum(&quorum_named), &queue(&ttl))), "'x-queue-type'");
}

#[test]
fn strings_and_bytes_are_equal_where_their_bytes_are() {
    let existing = table(&[("x-delivery-limit", "a".into())]);
    let same = table(&[("x-delivery-limit", FieldValue::Bytes(Box::from(*b"a")))]);
    assert!(check_queue(&quorum(&existing), &quorum(&same)).is_ok());
    let single = table(&[("x-delivery-limit", FieldValue::F32(2.5))]);
    let double = table(&[("x-delivery-limit", FieldValue::F64(2.5))]);
    assert!(check_queue(&quorum(&single), &quorum(&double)).is_ok());
}

#[test]
fn exchanges_are_compared_by_type_flags_and_alternate_exchange() {
    let (none, alternate) = (FieldTable::new(), table(&[("alternate-exchange", "a".into())]));
    let existing = exchange(&none);
    let mut received = ExchangeProperties {
        kind: "fanout",
        durable: false,
        auto_delete: true,
        internal: true,
        ..exchange(&alternate)
    };
    assert_eq!(
        refusal(check_exchange(&existing, &received)),
        "'type' for exchange 'x' in vhost '/': received 'fanout' but current is 'direct'"
    );
    received.kind = "direct";
    assert_eq!(
        refusal(check_exchange(&existing, &received)),
        "'durable' for exchange 'x' in vhost '/': received 'false' but current is 'true'"
    );
    received.durable = true;
    assert_eq!(
        refusal(check_exchange(&existing, &received)),
        "'auto_delete' for exchange 'x' in vhost '/': received 'true' but current is 'false'"
    );
    received.auto_delete = false;
    assert_eq!(
        refusal(check_exchange(&existing, &received)),
        "'internal' for exchange 'x' in vhost '/': received 'true' but current is 'false'"
    );
    received.internal = false;
    assert_eq!(
        refusal(check_exchange(&existing, &received)),
        "'alternate-exchange' for exchange 'x' in vhost '/': received the value 'a' of type \
         'longstr' but current is none"
    );
}

#[test]
fn other_arguments_of_an_exchange_are_not_compared() {
    let (none, other) = (FieldTable::new(), table(&[("x-foo", 1.into())]));
    assert!(check_exchange(&exchange(&none), &exchange(&other)).is_ok());
}

/// Names of differences, and whether each may be let through.
fn names<'a>(differences: impl Iterator<Item = Difference<'a>>) -> Vec<(&'a str, bool)> {
    differences.map(|difference| (difference.name, difference.is_passable)).collect()
}

#[test]
fn all_differences_of_a_queue_are_told_and_only_exclusive_ones_never_pass() {
    let (none, arguments) =
        (FieldTable::new(), table(&[("x-expires", 5.into()), ("x-queue-type", "x".into())]));
    let existing = queue(&none);
    let received =
        QueueProperties { durable: false, auto_delete: true, exclusive: true, ..queue(&arguments) };
    assert_eq!(
        names(queue_differences(&existing, &received, false)),
        [
            ("exclusive", false),
            ("durable", true),
            ("auto_delete", true),
            ("x-expires", true),
            ("x-queue-type", true),
        ]
    );
    assert!(names(queue_differences(&existing, &existing, false)).is_empty());
}

#[test]
fn another_type_of_an_exchange_never_passes() {
    let (none, alternate) = (FieldTable::new(), table(&[("alternate-exchange", "a".into())]));
    let received = ExchangeProperties { kind: "topic", internal: true, ..exchange(&alternate) };
    assert_eq!(
        names(exchange_differences(&exchange(&none), &received)),
        [("type", false), ("internal", true), ("alternate-exchange", true)]
    );
}

#[test]
fn a_quorum_queue_may_be_called_classic_but_keeps_the_arguments_of_both_types() {
    let none = FieldTable::new();
    let classic = table(&[
        ("x-queue-type", "classic".into()),
        ("x-max-priority", 5.into()),
        ("x-overflow", "reject-publish".into()),
    ]);
    let received = QueueProperties { durable: false, auto_delete: true, ..queue(&classic) };
    assert!(names(queue_differences(&quorum(&none), &received, true)).is_empty());
    assert_eq!(names(queue_differences(&quorum(&none), &received, false)).len(), 4);
    let ttl = table(&[("x-queue-type", "classic".into()), ("x-message-ttl", 5.into())]);
    let existing = quorum(&none);
    let received = queue(&ttl);
    let differences = names(queue_differences(&existing, &received, true));
    assert_eq!(differences, [("x-message-ttl", true)]);
    let alone = QueueProperties { exclusive: true, ..queue(&classic) };
    let differences = names(queue_differences(&existing, &alone, true));
    assert_eq!(differences, [("exclusive", false)]);
}

#[test]
fn a_quorum_queue_is_called_classic_by_name_only() {
    let (none, named) = (FieldTable::new(), table(&[("x-queue-type", "classic".into())]));
    let (existing, received) = (quorum(&none), queue(&none));
    let differences = names(queue_differences(&existing, &received, true));
    assert_eq!(differences, [("x-queue-type", true)]);
    let quorum_named = table(&[("x-queue-type", "quorum".into())]);
    let (classic, received) = (queue(&named), quorum(&quorum_named));
    let differences = names(queue_differences(&classic, &received, true));
    assert_eq!(differences, [("x-queue-type", true)]);
}

#[test]
fn ways_to_compare_are_read_back_by_their_names() {
    for known in [DeclareEquivalence::Strict, DeclareEquivalence::Relaxed] {
        assert_eq!(DeclareEquivalence::from_name(known.name()), Some(known));
    }
    assert_eq!(DeclareEquivalence::from_name("Strict"), None);
}
