//! The one table of metrics of the node as a whole, by what they are about.

use super::channel_sum_families::CHANNELS_TOGETHER;
use super::client_families::CLIENTS;
use super::family::{Family, Seen};
use super::message_families::MESSAGES;
use super::node_families::NODE;
use super::store_families::STORE;
use super::text::Text;

/// Every metric, in the order of the answer.
pub(super) fn families() -> impl Iterator<Item = &'static Family> {
    [NODE, CLIENTS, MESSAGES, CHANNELS_TOGETHER, STORE].into_iter().flatten()
}

/// The text of an answer.
pub(super) fn text<'a>(families: impl Iterator<Item = &'a Family>, seen: &Seen<'_>) -> String {
    let mut text = Text::default();
    families.for_each(|family| family.tell(seen, &mut text));
    text.into_string()
}
