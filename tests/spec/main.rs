//! The generated code equals what the generator makes of the data now, and the data is whole.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is a failed test")]

mod data;
#[path = "../../spec/generate.rs"]
#[expect(unreachable_pub, reason = "a module that is included, not a crate")]
mod generate;
mod hostile;
mod payloads;
mod round_trips;
mod second_opinion;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn specification() -> generate::Specification {
    let text = std::fs::read_to_string(root().join("spec/amqp.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn formatted(text: &str) -> String {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(root().join("rustfmt.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    rustfmt.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = rustfmt.wait_with_output().unwrap();
    assert!(output.status.success(), "rustfmt does not take the generated code");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_checked_in_methods_are_what_the_generator_makes() {
    let path = root().join("src/protocol/methods.rs");
    let made = formatted(&generate::methods(&specification()));
    if std::env::var_os("LEVERET_REGENERATE").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    assert!(found == made, "run LEVERET_REGENERATE=1 cargo test --test spec");
}

#[test]
fn every_class_and_method_of_the_protocol_is_there() {
    let specification = specification();
    let count = |name: &str| {
        specification
            .classes
            .iter()
            .find(|class| class.name == name)
            .map(|class| class.methods.len())
    };
    let counts = [
        ("connection", 14),
        ("channel", 6),
        ("access", 2),
        ("exchange", 8),
        ("queue", 10),
        ("basic", 18),
        ("tx", 6),
        ("confirm", 2),
    ];
    for (name, expected) in counts {
        assert_eq!(count(name), Some(expected), "{name}");
    }
}
