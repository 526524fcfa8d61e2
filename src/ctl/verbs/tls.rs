//! TLS of the node's listeners: what they have to agree on, and their certificates.

use serde_json::{Value, json};

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::output::Output;
use super::super::url::path;
use super::super::verb::Verb;
use super::listeners;

pub(super) const VERBS: &[Verb] = &[
    Verb::new(
        "cipher_suites",
        "[--format <format>] [--openssl-format] [--all]",
        "List the cipher suites that listeners offer, or with --all those that they could offer",
        "Listing available cipher suites in {suites_format} format",
        suites,
    ),
    Verb::new(
        "tls_versions",
        "",
        "List the versions of TLS that listeners offer",
        "Listing all TLS versions that are offered...",
        versions,
    ),
    Verb::new(
        "certificates",
        "",
        "Show the certificates of all listeners that use TLS",
        "Certificates of node {node} ...",
        certificates,
    ),
];

/// How a format of cipher suites is called, for people.
pub(in crate::ctl) fn suites_format(call: &Call) -> &'static str {
    match format(call).as_deref() {
        Some("erlang") => "Erlang term",
        Some("map") => "map",
        _ => "OpenSSL",
    }
}

fn format(call: &Call) -> Option<String> {
    call.maybe("--format").filter(|_| !call.has("--openssl-format")).map(str::to_ascii_lowercase)
}

fn suites(call: &Call) -> Result<Output, Failure> {
    let shape = match format(call).as_deref() {
        None | Some("openssl") => openssl,
        Some("erlang") => tuple,
        Some("map") => map,
        Some(_) => {
            let text = "Bad argument: Format should be either openssl, erlang or map";
            return Err(Failure::Data(text.to_owned()));
        }
    };
    let suites = call.api.list(path(&["leveret", "tls", "cipher-suites"]))?;
    let shown = suites.iter().filter(|suite| call.has("--all") || is_offered(suite));
    let shown: Vec<String> = shown.map(shape).collect();
    let is_list = !matches!(format(call).as_deref(), None | Some("openssl"));
    let text = match is_list {
        true => format!("[\n{}\n]", shown.join("\n,")),
        false => shown.join("\n"),
    };
    Ok(Output::Report { text, json: json!(shown) })
}

fn is_offered(item: &Value) -> bool {
    item.get("offered").and_then(Value::as_bool) == Some(true)
}

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn openssl(suite: &Value) -> String {
    text(suite, "name").to_owned()
}

fn tuple(suite: &Value) -> String {
    let parts = ["key_exchange", "cipher", "mac", "prf"].map(|name| text(suite, name));
    format!("{{{}}}", parts.join(","))
}

fn map(suite: &Value) -> String {
    let part = |name: &str| format!("{name} => {}", text(suite, name));
    format!("#{{{}}}", ["cipher", "key_exchange", "mac", "prf"].map(part).join(","))
}

fn versions(call: &Call) -> Result<Output, Failure> {
    let versions = call.api.list(path(&["leveret", "tls", "versions"]))?;
    let offered = versions.iter().filter(|version| is_offered(version));
    let names: Vec<&str> = offered.map(|version| text(version, "version")).collect();
    Ok(Output::Report { text: names.join("\n"), json: json!({"versions": names}) })
}

fn certificates(call: &Call) -> Result<Output, Failure> {
    let mut found = call.api.list(path(&["leveret", "tls", "certificates"]))?;
    for listener in &mut found {
        let purpose = listeners::purpose(text(listener, "protocol")).to_owned();
        if let Some(fields) = listener.as_object_mut() {
            fields.insert("purpose".to_owned(), purpose.into());
        }
    }
    let text = match found.as_slice() {
        [] => "#{}".to_owned(),
        found => format!("[{}]", found.iter().map(erlang).collect::<Vec<_>>().join(",\n ")),
    };
    Ok(Output::Report { text, json: json!(found) })
}

/// A listener as a map of Erlang's, in which names are atoms and texts binaries.
fn erlang(listener: &Value) -> String {
    let fields = listener.as_object().into_iter().flatten().map(|(name, value)| {
        let value = match value {
            Value::Null => "nil".to_owned(),
            Value::String(text) if matches!(&**name, "node" | "protocol") => format!("'{text}'"),
            Value::String(_) => format!("<<{value}>>"),
            other => other.to_string(),
        };
        format!("{name} => {value}")
    });
    format!("#{{{}}}", fields.collect::<Vec<_>>().join(",\n   "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_is_told_by_its_name_or_by_its_parts() {
        let suite = json!({
            "name": "ECDHE-RSA-AES128-GCM-SHA256", "key_exchange": "ecdhe_rsa",
            "cipher": "aes_128_gcm", "mac": "aead", "prf": "sha256",
        });
        assert_eq!(openssl(&suite), "ECDHE-RSA-AES128-GCM-SHA256");
        assert_eq!(tuple(&suite), "{ecdhe_rsa,aes_128_gcm,aead,sha256}");
        assert_eq!(
            map(&suite),
            "#{cipher => aes_128_gcm,key_exchange => ecdhe_rsa,mac => aead,prf => sha256}"
        );
    }

    #[test]
    fn a_listener_is_a_map_of_erlang() {
        let listener = json!({"certfile": "a\nb", "cacertfile": null, "node": "n@h", "port": 1});
        assert_eq!(
            erlang(&listener),
            "#{cacertfile => nil,\n   certfile => <<\"a\\nb\">>,\n   node => 'n@h',\n   port => 1}"
        );
    }
}
