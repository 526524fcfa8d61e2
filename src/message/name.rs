//! Names as they are shared: of exchanges, queues, virtual hosts, users and consumers.

use std::sync::Arc;

/// A name that many places hold and nobody changes.
pub type Name = Arc<str>;

/// The name of the virtual host that is always there.
pub const DEFAULT_VIRTUAL_HOST: &str = "/";

/// Queue and exchange names lose carriage returns and line feeds, as in RabbitMQ.
#[must_use]
pub fn cleaned(name: &str) -> Name {
    if name.contains(['\r', '\n']) { name.replace(['\r', '\n'], "").into() } else { name.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_leave_a_name() {
        assert_eq!(&*cleaned("a\r\nb"), "ab");
        assert_eq!(&*cleaned("ab"), "ab");
    }
}
