//! What outputs look like in each form.

use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::output::{Output, Table};
use super::{Formatter, Shown, failure, shown};

fn rows() -> Output {
    Output::Rows(Table {
        columns: vec!["name", "apply-to", "arguments"],
        rows: vec![
            vec![json!("q\t1"), json!(["a", "b"]), json!({"x-max-length": 5, "s": {"t": "u"}})],
            vec![json!("é"), json!(7), json!({})],
        ],
    })
}

fn as_(formatter: Formatter, output: &Output) -> String {
    shown(output, &Shown { formatter, is_quiet: false, has_headers: true })
}

#[test]
fn a_table_is_a_row_a_line_whatever_a_name_holds() {
    let text = "name\tapply-to\targuments\n\
                q\\t1\t[a, b]\t[{\"s\",[{\"t\",\"u\"}]},{\"x-max-length\",5}]\n\
                é\t7\t[]\n";
    assert_eq!(as_(Formatter::Table, &rows()), text);
    let bare = Shown { formatter: Formatter::Table, is_quiet: true, has_headers: false };
    assert!(shown(&rows(), &bare).starts_with("q\\t1"));
}

#[test]
fn a_list_without_rows_has_no_header() {
    let empty = || Output::Rows(Table { columns: vec!["name"], rows: Vec::new() });
    for (formatter, text) in [
        (Formatter::Table, ""),
        (Formatter::Csv, ""),
        (Formatter::Pretty, ""),
        (Formatter::Json, "[]\n"),
        (Formatter::Erlang, "[]\n"),
    ] {
        assert_eq!(as_(formatter, &empty()), text, "{formatter:?}");
    }
}

#[test]
fn json_keeps_the_order_of_the_columns() {
    let text = as_(Formatter::Json, &rows());
    let first =
        r#"{"name":"q\t1","apply-to":["a","b"],"arguments":{"s":{"t":"u"},"x-max-length":5}}"#;
    assert!(text.starts_with(&format!("[\n{first}\n,{{")), "{text}");
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap().as_array().unwrap().len(), 2);
}

#[test]
fn csv_and_erlang_and_lines_have_their_own_ways() {
    let csv = as_(Formatter::Csv, &rows());
    assert!(csv.contains("\"q\\t1\",\"[a, b]\",\"[{\"\"s\"\",[{\"\"t\"\",\"\"u\"\"}]}"), "{csv}");
    let erlang = as_(Formatter::Erlang, &rows());
    let first = r#"[[{name,<<"q\t1">>},{'apply-to',[<<"a">>,<<"b">>]},{arguments,[{<<"s">>"#;
    assert!(erlang.starts_with(first), "{erlang}");
    let pretty = as_(Formatter::Pretty, &rows());
    let widths: Vec<usize> = pretty.lines().map(|line| line.chars().count()).collect();
    assert!(widths.len() == 7 && widths.windows(2).all(|pair| pair[0] == pair[1]), "{pretty}");
}

#[test]
fn a_hint_is_left_out_where_only_answers_are_wanted() {
    let quiet = Shown { formatter: Formatter::Table, is_quiet: true, has_headers: true };
    assert_eq!(shown(&Output::Hint("x".to_owned()), &quiet), "");
    assert_eq!(shown(&Output::Message("x".to_owned()), &quiet), "x\n");
    assert_eq!(as_(Formatter::Json, &Output::Done), "{\"result\":\"ok\"}\n");
}

#[test]
fn a_failure_is_told_in_the_form_that_was_asked_for() {
    let told = |formatter| {
        let shown = Shown { formatter, is_quiet: false, has_headers: true };
        failure(&Failure::no_user("ann"), &shown)
    };
    assert_eq!(told(Formatter::Table), "Error:\nUser \"ann\" does not exist");
    let json = r#"{"message":"User \"ann\" does not exist","result":"error"}"#;
    assert_eq!(told(Formatter::Json), json);
}
