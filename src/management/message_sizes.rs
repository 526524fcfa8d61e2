//! `/api/leveret/message-sizes`: how large messages are that clients published since the node
//! started, as `message_size_stats` of RabbitMQ 4 tells it.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::answer;
use super::api::Shared;
use super::caller::Caller;
use super::operation::Operation;
use super::refusal::Refusal;
use super::routes::Routes;
use crate::message::HistogramFigures;

pub(super) fn routes() -> Routes {
    let all = Operation::all("How many messages of which size were published");
    Routes::new().get("/leveret/message-sizes", all, list)
}

async fn list(State(api): State<Shared>, caller: Caller) -> Result<Response, Refusal> {
    caller.check_monitor()?;
    Ok(answer::json(&shape(&api.broker.figures().measured.sizes)))
}

fn shape(sizes: &HistogramFigures) -> Value {
    let total: u64 = sizes.counts.iter().sum();
    let lower = std::iter::once(None).chain(sizes.bounds.iter().copied().map(Some));
    let upper = sizes.bounds.iter().copied().map(Some).chain(std::iter::once(None));
    let rows = lower.zip(upper).zip(&sizes.counts).map(|((above, up_to), count)| {
        json!({
            "above_bytes": above,
            "up_to_bytes": up_to,
            "count": count,
            "percentage": percentage(*count, total),
        })
    });
    rows.collect()
}

#[expect(clippy::cast_precision_loss, reason = "a share for the eyes of people")]
fn percentage(count: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { count as f64 * 100.0 / total as f64 }
}
