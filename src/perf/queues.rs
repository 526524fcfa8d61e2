//! The queues of a run: what they are called, and how they come and go. What goes through them is
//! not here.

use super::options::{Options, Target};
use super::run::Stopwatch;
use super::scenario::{QueueKind, Scenario};
use super::wire::{CHANNEL, Wire, WireError};
use crate::protocol::field::FieldTable;
use crate::protocol::methods::{Method, queue};

/// Queues of one kind.
#[derive(Debug)]
pub(super) struct Queues {
    kind: QueueKind,
    names: Vec<String>,
}

impl Queues {
    /// Names that are unique among generators that run at the same time, all of one length.
    pub(super) fn of(scenario: &Scenario, stopwatch: Stopwatch) -> Self {
        let run = format!("perf-{}-{}", std::process::id(), stopwatch.now_ns() / 1_000_000);
        let names = (0..scenario.queue_count).map(|number| format!("{run}-{number:05}"));
        Self { kind: scenario.queue_kind, names: names.collect() }
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Declares the queues, lets work be done with them on the same connection, and deletes
    /// those that do not go with it, however the work ended.
    pub(super) fn during<T>(
        &self,
        target: &Target,
        options: &Options,
        work: impl FnOnce(Wire) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        let mut wire = Wire::connect(&target.address, options)?;
        let result = self.declare(&mut wire).and_then(|()| work(wire));
        if self.kind == QueueKind::Transient {
            return result;
        }
        let deletion = Wire::connect(&target.address, options).and_then(|wire| self.delete(wire));
        result.and_then(|outcome| deletion.map(|()| outcome))
    }

    /// How many messages are waiting in all queues.
    pub(super) fn message_count(&self, wire: &mut Wire) -> Result<u64, WireError> {
        let mut count = 0;
        for name in &self.names {
            wire.send(CHANNEL, &queue::Declare { passive: true, ..self.declaration(name) })?;
            count += wire.answer(|method| match method {
                Method::QueueDeclareOk(answer) => Some(u64::from(answer.message_count)),
                _ => None,
            })?;
        }
        Ok(count)
    }

    fn declare(&self, wire: &mut Wire) -> Result<(), WireError> {
        let is_declared = |method: &Method<'_>| matches!(method, Method::QueueDeclareOk(_));
        let mut names = self.names.iter();
        names.try_for_each(|name| wire.request(CHANNEL, &self.declaration(name), is_declared))
    }

    fn delete(&self, mut wire: Wire) -> Result<(), WireError> {
        for queue in &self.names {
            let delete = queue::Delete { queue, if_unused: false, if_empty: false, nowait: false };
            let is_deleted = |method: &Method<'_>| matches!(method, Method::QueueDeleteOk(_));
            wire.request(CHANNEL, &delete, is_deleted)?;
        }
        wire.close()
    }

    fn declaration<'a>(&self, queue: &'a str) -> queue::Declare<'a> {
        let arguments = match self.kind {
            QueueKind::Transient | QueueKind::Durable => FieldTable::default(),
            QueueKind::Quorum => [("x-queue-type", "quorum")].into_iter().collect(),
        };
        queue::Declare {
            queue,
            passive: false,
            durable: self.kind != QueueKind::Transient,
            exclusive: self.kind == QueueKind::Transient,
            auto_delete: false,
            nowait: false,
            arguments,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::scenario::named;
    use crate::protocol::field::FieldValue;

    fn queues(scenario: &str) -> Queues {
        Queues::of(&named(scenario).unwrap(), Stopwatch::default())
    }

    #[test]
    fn names_are_as_many_as_the_scenario_has_queues_and_equally_long() {
        let queues = queues("durable-queues-100");
        let mut names = queues.names().to_vec();
        assert!(names.iter().all(|name| name.len() == names[0].len()));
        names.dedup();
        assert_eq!(names.len(), 100);
    }

    #[test]
    fn queues_are_declared_as_their_kind_asks() {
        let declared = |scenario| {
            let declaration = queues(scenario).declaration("q").clone();
            let kind = declaration.arguments.get("x-queue-type").and_then(FieldValue::as_str);
            (declaration.durable, declaration.exclusive, kind.map(str::to_owned))
        };
        assert_eq!(declared("ack-1k"), (false, true, None));
        assert_eq!(declared("durable-confirm-1"), (true, false, None));
        assert_eq!(declared("quorum-confirm-1000"), (true, false, Some("quorum".to_owned())));
    }
}
