//! A file in the body of a form (multipart/form-data), as browsers send it. The body is in memory;
//! nothing is decoded, and parts of other names are passed over.

/// The boundary that the content type of a form names.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parameter(parameters, "boundary").filter(|boundary| !boundary.is_empty())
}

/// The content of the first part of this name.
pub(super) fn part<'a>(body: &'a [u8], boundary: &str, name: &str) -> Option<&'a [u8]> {
    let delimiter = format!("--{boundary}");
    let between = format!("\r\n{delimiter}");
    let (_, mut rest) = cut(body, delimiter.as_bytes())?;
    // Two hyphens behind a delimiter end the form.
    while !rest.starts_with(b"--") {
        let (_, part) = cut(rest, b"\r\n")?;
        let (part, behind) = cut(part, between.as_bytes())?;
        // A part without headers has nothing but an empty line before its content.
        let (head, content) = cut(part, b"\r\n\r\n")?;
        if std::str::from_utf8(head).is_ok_and(|head| is_named(head, name)) {
            return Some(content);
        }
        rest = behind;
    }
    None
}

fn is_named(head: &str, name: &str) -> bool {
    head.split("\r\n").filter_map(|line| line.split_once(':')).any(|(header, value)| {
        header.trim().eq_ignore_ascii_case("content-disposition")
            && parameter(value, "name") == Some(name)
    })
}

/// The value of one of several parameters between semicolons, without its quotes.
fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    let mut all = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let (_, value) = all.find(|(known, _)| known.trim().eq_ignore_ascii_case(name))?;
    let value = value.trim();
    Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// What stands before and behind the first place of a mark.
fn cut<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(mark.len()).position(|window| window == mark)?;
    let (before, rest) = bytes.split_at_checked(at)?;
    Some((before, rest.get(mark.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(parts: &[(&str, &str)]) -> String {
        let parts =
            parts.iter().map(|(head, content)| format!("--X\r\n{head}\r\n\r\n{content}\r\n"));
        format!("{}--X--\r\n", parts.collect::<String>())
    }

    fn file(form: &str) -> Option<&str> {
        part(form.as_bytes(), "X", "file").map(|file| std::str::from_utf8(file).unwrap())
    }

    #[test]
    fn the_boundary_stands_in_the_content_type() {
        for (content_type, expected) in [
            ("multipart/form-data; boundary=a-b", Some("a-b")),
            ("Multipart/Form-Data; charset=utf-8; Boundary=\"a b\"", Some("a b")),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data", None),
            ("multipart/mixed; boundary=a", None),
            ("application/json; boundary=a", None),
        ] {
            assert_eq!(boundary(content_type), expected, "{content_type}");
        }
    }

    #[test]
    fn a_part_is_found_by_its_name() {
        let disposition = "Content-Disposition: form-data; name=";
        let other = format!("{disposition}\"other\"");
        let head = format!("content-type: application/json\r\n{disposition}file; filename=\"a\"");
        let all = form(&[(&other, "x"), (&head, "{\r\n\r\n--}"), (&head, "second")]);
        assert_eq!(file(&all), Some("{\r\n\r\n--}"));
        assert_eq!(file(&format!("a preamble\r\n{all}")), Some("{\r\n\r\n--}"));
        assert_eq!(file(&form(&[(&head, "")])), Some(""));
        assert_eq!(file(&form(&[(&other, "x")])), None);
    }

    #[test]
    fn a_form_that_is_cut_anywhere_has_no_part() {
        let head = "Content-Disposition: form-data; name=\"file\"";
        let whole = form(&[(head, "content")]);
        let end = whole.find("\r\n--X--").unwrap() + "\r\n--X".len();
        for size in 0..whole.len() {
            let expected = (size >= end).then_some("content");
            assert_eq!(file(&whole[..size]), expected, "{size} of {end}");
        }
    }
}
