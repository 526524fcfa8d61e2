//! The types of exchanges, as the node and the overview tell them.

use serde_json::{Value, json};

use crate::routing::ExchangeKind;

pub(super) fn shape() -> Value {
    let types = ExchangeKind::all().map(
        |kind| json!({"name": kind.name(), "description": description(kind), "enabled": true}),
    );
    types.collect()
}

fn description(kind: ExchangeKind) -> &'static str {
    match kind {
        ExchangeKind::Direct => "To whom is bound by the routing key itself",
        ExchangeKind::Fanout => "To everybody who is bound",
        ExchangeKind::Topic => "To whom is bound by a pattern that the routing key matches",
        ExchangeKind::Headers => "To whom is bound by headers that the message has",
        ExchangeKind::ConsistentHash => "To one by a hash that moves little as others come and go",
        ExchangeKind::Random | ExchangeKind::LocalRandom => "To one at random",
        ExchangeKind::ModulusHash => "To one by the remainder of a hash",
        ExchangeKind::RecentHistory => "To everybody, and the latest to whoever is bound later",
        ExchangeKind::Deduplication => "To everybody, but for what is equal to an earlier message",
        ExchangeKind::Delayed => "As another type, after the time that the message asks for",
    }
}
