//! Limits of users.

use serde_json::{Value, json};

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::output::{Output, Table};
use super::super::url::path;
use super::super::verb::Verb;
use super::{missing_user, or_absent};

pub(super) const VERBS: &[Verb] = &[
    Verb::new(
        "list_user_limits",
        "[--user <user>] [--global]",
        "Show the limits of a user, guest where none is named, or of all",
        "Listing limits for {whose_limits} ...",
        list,
    ),
    Verb::new(
        "set_user_limits",
        "<username> <definition>",
        "Set limits of a user: {\"max-connections\": 10}",
        "Setting user limits to \"{definition}\" for user \"{username}\" ...",
        set,
    ),
    Verb::new(
        "clear_user_limits",
        "<username> <limit>",
        "Take a limit of a user away, or `all`",
        "Clearing \"{limit}\" limit for user \"{username}\" ...",
        clear,
    ),
];

fn list(call: &Call) -> Result<Output, Failure> {
    if !call.has("--global") {
        let limits = limits(call, call.maybe("--user").unwrap_or("guest"))?;
        return Ok(Output::Report { text: limits.to_string(), json: limits });
    }
    let all = call.api.list(path(&["user-limits"]))?;
    let row = |item: &Value| {
        let limits = item.get("value").map(Value::to_string).unwrap_or_default();
        vec![item.get("user").cloned().unwrap_or_default(), limits.into()]
    };
    let columns = vec!["user", "limits"];
    Ok(Output::Rows(Table { columns, rows: all.iter().map(row).collect() }))
}

/// What is set now.
fn limits(call: &Call, user: &str) -> Result<Value, Failure> {
    let known = call.api.get(path(&["users", user])).map_err(missing_user(user))?;
    Ok(known.get("limits").filter(|limits| limits.is_object()).cloned().unwrap_or(json!({})))
}

fn set(call: &Call) -> Result<Output, Failure> {
    let user = call.word("<username>");
    let wished = call.json("<definition>")?;
    let wished = wished.as_object().ok_or_else(|| {
        Failure::Unavailable("limits are an object: {\"max-connections\": 10}".to_owned())
    })?;
    limits(call, user)?;
    for (limit, value) in wished {
        let path = path(&["user-limits", user, limit]);
        call.api.put(path, &json!({"value": value})).map_err(missing_user(user))?;
    }
    Ok(Output::Done)
}

fn clear(call: &Call) -> Result<Output, Failure> {
    let (user, limit) = (call.word("<username>"), call.word("<limit>"));
    let known = limits(call, user)?;
    let named = if limit == "all" { known.as_object() } else { None };
    let all = named.into_iter().flat_map(|limits| limits.keys().map(String::as_str));
    let one = (limit != "all").then_some(limit);
    for limit in all.chain(one) {
        or_absent(call.api.delete(path(&["user-limits", user, limit])))?;
    }
    Ok(Output::Done)
}
