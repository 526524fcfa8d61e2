//! `/api/openapi.json`: the description of the whole API for programs, as OpenAPI 3.1 has it. It is
//! made once, when it is first asked for, of the operations that the routes were made with; what
//! each means is written in docs/management.md.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::answer;
use super::api::Shared;
use super::operation::{Answer, BodyKind, Field, Kind, Operation};
use super::routes::{Operations, Routes};

/// The security scheme of all that asks who somebody is.
const LOGIN: &str = "login";

pub(super) fn routes() -> Routes {
    let operation = Operation::item("The description of this API, which you are reading").open();
    Routes::new().get("/openapi.json", operation, show)
}

async fn show(State(api): State<Shared>) -> Response {
    answer::made(api.description.text(&api.options.node))
}

/// What is described, and the text once somebody asked for it: few nodes are ever asked, and none
/// pays for it at its start.
#[derive(Debug)]
pub(super) struct Description {
    operations: Operations,
    root: String,
    text: OnceLock<Bytes>,
}

impl Description {
    /// Of operations that stand below `root`.
    pub(super) fn new(operations: Operations, root: String) -> Self {
        Self { operations, root, text: OnceLock::new() }
    }

    fn text(&self, node: &str) -> Bytes {
        self.text.get_or_init(|| describe(&self.operations, &self.root, node)).clone()
    }
}

/// The description of these operations, which stand below `root`.
fn describe(operations: &Operations, root: &str, node: &str) -> Bytes {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for ((path, method), operation) in operations {
        let object = operation_object(path, method, operation, node);
        paths.entry(path).or_default().insert((*method).to_owned(), object);
    }
    let description = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Leveret",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The HTTP API for operators, in the shape of RabbitMQ's.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": root}],
        "components": {
            "securitySchemes": {LOGIN: {"type": "http", "scheme": "basic"}},
            "schemas": {"Refusal": refusal(), "Page": page()},
        },
        "paths": paths,
    });
    Bytes::from(description.to_string())
}

fn refusal() -> Value {
    let properties = json!({"error": {"type": "string"}, "reason": {}});
    json!({"type": "object", "required": ["error", "reason"], "properties": properties})
}

fn page() -> Value {
    let count = json!({"type": "integer", "minimum": 0});
    json!({
        "type": "object",
        "required": ["items", "page", "page_size", "page_count", "item_count", "filtered_count",
            "total_count"],
        "properties": {
            "items": {"type": "array"}, "page": count, "page_size": count, "page_count": count,
            "item_count": count, "filtered_count": count, "total_count": count,
        },
    })
}

fn operation_object(path: &str, method: &str, operation: &Operation, node: &str) -> Value {
    let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = in_path.map(|name| path_parameter(name, node));
    let query = operation.query.iter().map(|name| query_parameter(name));
    let tag = path.split('/').nth(1).unwrap_or_default();
    let mut object = Map::from_iter([
        ("operationId".to_owned(), Value::from(format!("{method} {path}"))),
        ("summary".to_owned(), operation.summary.into()),
        ("tags".to_owned(), json!([tag])),
        ("parameters".to_owned(), in_path.chain(query).collect()),
        ("responses".to_owned(), responses(path, operation)),
    ]);
    if operation.has_body() {
        object.insert("requestBody".to_owned(), request_body(operation));
    }
    if !operation.is_open {
        object.insert("security".to_owned(), json!([{LOGIN: []}]));
    }
    Value::Object(object)
}

/// Examples are names that are there, or may well be.
fn path_parameter(name: &str, node: &str) -> Value {
    let example = match name {
        "vhost" => "/",
        "node" => node,
        "exchange" | "source" => "amq.topic",
        "component" => "shovel",
        "kind" => "q",
        "limit" => "max-connections",
        "within" => "1",
        "unit" => "days",
        "port" => "5672",
        "protocol" => "amqp",
        "pattern" => "^orders",
        _ => "orders",
    };
    let schema = json!({"type": "string", "minLength": 1});
    json!({"name": name, "in": "path", "required": true, "schema": schema, "example": example})
}

fn query_parameter(name: &str) -> Value {
    let (kind, what) = match name {
        "columns" => ("string", "Fields that are told, with commas between them"),
        "sort" => ("string", "The field that sorts, with dots on the way to it"),
        "sort_reverse" => ("boolean", "The last one first"),
        "page" => ("integer", "A page instead of all; the first is 1"),
        "page_size" => ("integer", "How many are on a page, 100 if not said, 500 at most"),
        "name" => ("string", "Those whose name has this in it"),
        "use_regex" => ("boolean", "The name is a regular expression"),
        "if-empty" => ("boolean", "Only where there is no message"),
        "if-unused" => ("boolean", "Only where nobody uses it"),
        "disable_stats" => ("boolean", "As it was declared, without numbers"),
        "enable_queue_totals" => ("boolean", "How many messages there are, all the same"),
        "download" => ("string", "The name that the file is to be saved under"),
        _ => ("string", ""),
    };
    json!({"name": name, "in": "query", "description": what, "schema": {"type": kind}})
}

fn request_body(operation: &Operation) -> Value {
    let fields = fields_schema(operation.needed, operation.optional);
    let file = json!({"type": "object", "properties": {"file": {"type": "string"}}});
    let content = match operation.body {
        None => json!({"application/json": {"schema": fields}}),
        Some(BodyKind::Form) => {
            json!({"application/x-www-form-urlencoded": {"schema": fields}})
        }
        Some(BodyKind::Definitions) => json!({
            "application/json": {"schema": {"type": "object"}},
            "multipart/form-data": {"schema": file},
        }),
    };
    let is_needed = !operation.needed.is_empty() || operation.body.is_some();
    json!({"required": is_needed, "content": content})
}

fn fields_schema(needed: &[Field], optional: &[Field]) -> Value {
    let properties = needed.iter().chain(optional);
    let properties: Map<_, _> =
        properties.map(|(name, kind)| ((*name).to_owned(), kind_schema(*kind))).collect();
    let names: Vec<&str> = needed.iter().map(|(name, _)| *name).collect();
    json!({"type": "object", "required": names, "properties": properties})
}

fn kind_schema(kind: Kind) -> Value {
    match kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Flag => json!({"enum": [true, false, "true", "false"]}),
        Kind::Number => json!({"type": "integer", "format": "int64"}),
        Kind::NumberOrText => json!({"type": ["integer", "string"]}),
        Kind::Object => json!({"type": "object"}),
        Kind::List => json!({"type": "array", "items": {"type": "string"}}),
        Kind::Tags => json!({"type": ["array", "string"], "items": {"type": "string"}}),
        Kind::Any => json!({}),
    }
}

fn responses(path: &str, operation: &Operation) -> Value {
    let mut responses = Map::new();
    for (status, schema) in good(operation.answer) {
        responses.insert(status.to_string(), response(status, schema.as_ref()));
    }
    for status in refusals(path, operation) {
        let schema = Some(json!({"$ref": "#/components/schemas/Refusal"}));
        let schema = schema.filter(|_| status != 415);
        responses.entry(status.to_string()).or_insert_with(|| response(status, schema.as_ref()));
    }
    Value::Object(responses)
}

fn response(status: u16, schema: Option<&Value>) -> Value {
    match schema {
        None => json!({"description": meaning(status)}),
        Some(schema) => json!({
            "description": meaning(status),
            "content": {"application/json": {"schema": schema}},
        }),
    }
}

fn good(answer: Answer) -> Vec<(u16, Option<Value>)> {
    let array = json!({"type": "array"});
    let object = json!({"type": "object"});
    match answer {
        Answer::List => vec![(200, Some(array))],
        Answer::Pages => {
            let page = json!({"$ref": "#/components/schemas/Page"});
            vec![(200, Some(json!({"oneOf": [array, page]})))]
        }
        Answer::Item => vec![(200, Some(object))],
        Answer::Text => vec![(200, Some(json!({"type": "string"})))],
        Answer::Set => vec![(201, None), (204, None)],
        Answer::Made => vec![(201, None)],
        Answer::Done => vec![(204, None)],
        // Refused or failed, a reason is told.
        Answer::Check => vec![(200, Some(object.clone())), (503, Some(object))],
    }
}

/// A request may make no sense anywhere, and the broker may be unable to do it.
fn refusals(path: &str, operation: &Operation) -> Vec<u16> {
    let mut statuses = vec![400, 500, 503];
    statuses.extend((!operation.is_open).then_some(401));
    statuses.extend(path.contains('{').then_some(404));
    statuses.extend(operation.has_body().then_some(408));
    statuses.extend(&operation.others);
    statuses
}

fn meaning(status: u16) -> &'static str {
    match status {
        200 => "As asked for",
        201 => "It is there from now on",
        204 => "Done",
        400 => "It makes no sense",
        401 => "Nobody knows who asks, or who asks may not",
        404 => "What is asked about is not there",
        408 => "The body did not come in time",
        412 => "It is protected",
        415 => "Not of a type that is read",
        500 => "It failed, for a reason of the broker's",
        503 => "Not now",
        _ => "",
    }
}
