//! SASL mechanisms: from a client's first response to how it proves who it is, mostly a name and a
//! password. Whether they are right is not decided here.

use std::borrow::Cow;

use crate::limits::SHOWN_USER_SIZE_MAX;
use crate::protocol::field::{FieldTable, FieldValue};

/// A name and the password that is to prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The password as sent.
    pub password: Vec<u8>,
}

impl Login {
    /// The name for a log: anybody may say one, of any length. What of it cannot be shown, whoever
    /// writes the line sees to.
    #[must_use]
    pub fn shown_user(&self) -> Cow<'_, str> {
        match self.user.get(..self.user.floor_char_boundary(SHOWN_USER_SIZE_MAX)) {
            Some(start) if start.len() < self.user.len() => format!("{start}...").into(),
            _ => Cow::Borrowed(&self.user),
        }
    }
}

/// How a client proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// By a password.
    Password(Login),
    /// By the certificate that it showed when the connection was encrypted.
    Certificate,
    /// Not at all: it comes in as whoever is let in so.
    Anonymous,
    /// Not at all: the name it gives is not UTF-8, so nobody has it.
    Nameless,
}

/// Why a response gives no login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MechanismError {
    /// The mechanism is not offered.
    Unknown(String),
    /// The response has not the mechanism's form.
    Malformed(&'static str),
}

/// Reads the response of `mechanism`, one of those `offered`.
///
/// # Errors
/// The mechanism is not offered, or the response is malformed.
pub fn read_response(
    offered: &str,
    mechanism: &str,
    response: &[u8],
) -> Result<Claim, MechanismError> {
    let is_offered = offered.split(' ').any(|name| name == mechanism);
    match mechanism {
        "PLAIN" if is_offered => read_plain(response),
        "AMQPLAIN" if is_offered => read_amqplain(response),
        "EXTERNAL" if is_offered => Ok(Claim::Certificate),
        "ANONYMOUS" if is_offered => Ok(Claim::Anonymous),
        _ => Err(MechanismError::Unknown(mechanism.to_owned())),
    }
}

/// NUL user NUL password; another identity to act for is not served.
fn read_plain(response: &[u8]) -> Result<Claim, MechanismError> {
    let malformed = MechanismError::Malformed("response is not NUL user NUL password");
    let Some((0, rest)) = response.split_first() else { return Err(malformed) };
    let Some(middle) = rest.iter().position(|byte| *byte == 0) else { return Err(malformed) };
    let (user, password) = rest.split_at(middle);
    let password = password.get(1..).unwrap_or(&[]);
    if password.contains(&0) { Err(malformed) } else { Ok(by_password(user, password)) }
}

/// The body of a field table with LOGIN and PASSWORD.
fn read_amqplain(response: &[u8]) -> Result<Claim, MechanismError> {
    let malformed = MechanismError::Malformed("response is not a table of LOGIN and PASSWORD");
    let Ok(table) = FieldTable::decode_body(response) else { return Err(malformed) };
    match (table.get("LOGIN"), table.get("PASSWORD")) {
        (Some(FieldValue::LongString(user)), Some(FieldValue::LongString(password))) => {
            Ok(by_password(user, password))
        }
        _ => Err(malformed),
    }
}

fn by_password(user: &[u8], password: &[u8]) -> Claim {
    match std::str::from_utf8(user) {
        Ok(user) => Claim::Password(Login { user: user.to_owned(), password: password.to_vec() }),
        Err(_) => Claim::Nameless,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERED: &str = "PLAIN AMQPLAIN";

    fn guest() -> Claim {
        Claim::Password(Login { user: "guest".into(), password: b"secret".to_vec() })
    }

    #[test]
    fn plain_is_nul_user_nul_password() {
        assert_eq!(read_response(OFFERED, "PLAIN", b"\0guest\0secret"), Ok(guest()));
        for wrong in [&b"guest\0secret"[..], b"", b"\0guest", b"x\0guest\0secret", b"\0g\0s\0x"] {
            let result = read_response(OFFERED, "PLAIN", wrong);
            assert!(matches!(result, Err(MechanismError::Malformed(_))), "{wrong:?}");
        }
    }

    #[test]
    fn amqplain_is_the_body_of_a_table() {
        let table: FieldTable = [("LOGIN", "guest"), ("PASSWORD", "secret")].into_iter().collect();
        let mut encoded = Vec::new();
        table.encode(&mut encoded);
        assert_eq!(read_response(OFFERED, "AMQPLAIN", &encoded[4..]), Ok(guest()));
        let result = read_response(OFFERED, "AMQPLAIN", b"nonsense");
        assert!(matches!(result, Err(MechanismError::Malformed(_))));
    }

    #[test]
    fn a_name_that_is_not_utf_8_is_nobodys() {
        let table: FieldTable = [
            ("LOGIN", FieldValue::LongString(b"\xff".as_slice().into())),
            ("PASSWORD", FieldValue::LongString(b"secret".as_slice().into())),
        ]
        .into_iter()
        .collect();
        let mut encoded = Vec::new();
        table.encode(&mut encoded);
        let plain = b"\0\xff\0secret".as_slice();
        for (mechanism, response) in [("PLAIN", plain), ("AMQPLAIN", &encoded[4..])] {
            assert_eq!(read_response(OFFERED, mechanism, response), Ok(Claim::Nameless));
        }
    }

    #[test]
    fn a_certificate_and_nothing_at_all_need_no_response() {
        let offered = "EXTERNAL ANONYMOUS";
        assert_eq!(read_response(offered, "EXTERNAL", b""), Ok(Claim::Certificate));
        assert_eq!(read_response(offered, "ANONYMOUS", b"me"), Ok(Claim::Anonymous));
    }

    #[test]
    fn what_is_not_offered_is_unknown() {
        for (offered, mechanism) in
            [(OFFERED, "EXTERNAL"), (OFFERED, "ANONYMOUS"), ("AMQPLAIN", "PLAIN"), (OFFERED, "")]
        {
            let result = read_response(offered, mechanism, b"\0guest\0secret");
            assert_eq!(result, Err(MechanismError::Unknown(mechanism.into())));
        }
    }

    #[test]
    fn a_name_that_nobody_has_takes_little_of_the_log() {
        let shown = |user: &str| {
            let login = Login { user: user.into(), password: Vec::new() };
            login.shown_user().into_owned()
        };
        let longest = "x".repeat(SHOWN_USER_SIZE_MAX);
        assert_eq!(shown(&longest), longest);
        assert_eq!(shown(&format!("{longest}y")), format!("{longest}..."));
        let umlaut = format!("{}\u{fc}\u{fc}", &longest[1..]);
        assert_eq!(shown(&umlaut), format!("{}...", &longest[1..]), "no letter is cut");
    }
}
