//! The end of a connection: a goodbye goes out, and is answered when all that was sent before has
//! been taken by the broker.

use crate::perf::wire::{GOODBYE, Output};
use crate::protocol::methods::Method;

/// How far a goodbye has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::perf) enum Closing {
    #[default]
    Open,
    Asked,
    Closed,
}

impl Closing {
    /// Says goodbye, once.
    pub(in crate::perf) fn ask(&mut self, output: &mut Output) {
        if *self == Self::Open {
            output.method(0, &GOODBYE);
            *self = Self::Asked;
        }
    }

    /// Takes note of the answer.
    pub(in crate::perf) fn receive(&mut self, method: &Method<'_>) {
        if matches!(method, Method::ConnectionCloseOk(_)) {
            *self = Self::Closed;
        }
    }

    pub(in crate::perf) fn is_closed(self) -> bool {
        self == Self::Closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::methods::connection;

    #[test]
    fn goodbye_is_said_once_and_done_when_it_is_answered() {
        let (mut closing, mut output) = (Closing::default(), Output::default());
        closing.ask(&mut output);
        let size = output.waiting().len();
        closing.ask(&mut output);
        assert_eq!(output.waiting().len(), size);
        assert!(!closing.is_closed());
        closing.receive(&Method::ConnectionCloseOk(connection::CloseOk {}));
        assert!(closing.is_closed());
    }
}
