//! A broker's address and login as a URI: `amqp://user:password@host:port/virtual-host`.

/// What a URI says; what it leaves out is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Uri {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) address: String,
    pub(super) virtual_host: Option<String>,
}

const DEFAULT_PORT: &str = "5672";

impl Uri {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let rest =
            text.strip_prefix("amqp://").ok_or_else(|| match text.starts_with("amqps:") {
                true => "amqps is not spoken here: load the broker's plain port".to_owned(),
                false => format!("{text}: a URI begins with amqp://"),
            })?;
        let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, Some(path)),
            None => (rest, None),
        };
        let (login, host) = match authority.rsplit_once('@') {
            Some((login, host)) => (Some(login), host),
            None => (None, authority),
        };
        let (user, password) = match login.map(|login| login.split_once(':').ok_or(login)) {
            None => (None, None),
            Some(Ok((user, password))) => (Some(decoded(user)?), Some(decoded(password)?)),
            Some(Err(user)) => (Some(decoded(user)?), None),
        };
        Ok(Self {
            user,
            password,
            address: address(host),
            virtual_host: path.map(decoded).transpose()?,
        })
    }
}

/// With a port, whatever was typed.
fn address(host: &str) -> String {
    let host = if host.is_empty() { "127.0.0.1" } else { host };
    let has_port = host.rsplit_once(':').is_some_and(|(before, port)| {
        let is_closed = !before.contains(':') || before.ends_with(']');
        is_closed && !port.is_empty()
    });
    if has_port { host.to_owned() } else { format!("{host}:{DEFAULT_PORT}") }
}

/// Without percent signs.
fn decoded(text: &str) -> Result<String, String> {
    let wrong = || format!("{text}: two hexadecimal digits follow a percent sign");
    let (mut octets, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        if octet != b'%' {
            octets.push(octet);
            continue;
        }
        let (digits, after) = rest.split_first_chunk::<2>().ok_or_else(wrong)?;
        let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
        octets.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        rest = after;
    }
    String::from_utf8(octets).map_err(|_| format!("{text}: this is not text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (Option<String>, Option<String>, String, Option<String>) {
        let Uri { user, password, address, virtual_host } = Uri::parse(text).unwrap();
        (user, password, address, virtual_host)
    }

    #[test]
    fn every_part_of_a_uri_is_found_and_decoded() {
        let some = |text: &str| Some(text.to_owned());
        let all = parts("amqp://u%40x:p%3A@host:5673/a%2Fb?heartbeat=5");
        assert_eq!(all, (some("u@x"), some("p:"), "host:5673".to_owned(), some("a/b")));
        assert_eq!(parts("amqp://host"), (None, None, "host:5672".to_owned(), None));
        assert_eq!(parts("amqp://u@[::1]"), (some("u"), None, "[::1]:5672".to_owned(), None));
        assert_eq!(parts("amqp:///%2F"), (None, None, "127.0.0.1:5672".to_owned(), some("/")));
    }

    #[test]
    fn what_is_no_such_uri_is_refused_in_words() {
        for (text, words) in
            [("amqps://host", "plain port"), ("http://host", "amqp://"), ("amqp://h/%2", "percent")]
        {
            let error = Uri::parse(text).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
