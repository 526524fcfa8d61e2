//! What a caller has done in a virtual host with its own permissions, as if it had a connection;
//! and AMQP's errors in the shape that RabbitMQ gives them here.

use std::future::poll_fn;

use super::api::Api;
use super::caller::Caller;
use super::refusal::Refusal;
use crate::broker::DirectChannel;
use crate::connection::{Command, Event, Reply};
use crate::protocol::reply::{AmqpError, ConnectionError, ReplyCode};

/// What is told to who may not; why, is only in the log of RabbitMQ.
pub(super) const ACCESS_REFUSED: Refusal = Refusal::Forbidden("Access refused.");

impl Api {
    /// A channel of the caller.
    pub(super) fn channel(&self, caller: &Caller, host: &str) -> Result<DirectChannel, Refusal> {
        let channel = DirectChannel::open(&self.broker, &caller.user, host, self.now());
        channel.ok_or(ACCESS_REFUSED)
    }

    /// Has one command carried out: it is answered when what it changed is on disk.
    pub(super) async fn carry_out(
        &self,
        caller: &Caller,
        host: &str,
        command: Command,
    ) -> Result<Reply, Refusal> {
        let mut channel = self.channel(caller, host)?;
        channel.ask(command, self.now());
        answer(&mut channel).await.map_err(declaration_refused)
    }

    /// The same in a virtual host that is known to be there, to which the caller has access.
    pub(super) fn check_may_enter(&self, caller: &Caller, host: &str) -> Result<(), Refusal> {
        self.check_host(host).map_err(|_| Refusal::Missing("vhost_not_found"))?;
        caller.check_sees_in(host)
    }

    /// Somebody looks at what is declared in a virtual host.
    pub(super) fn check_looks_in(&self, caller: &Caller, host: &str) -> Result<(), Refusal> {
        self.check_host(host)?;
        caller.check_sees_in(host)
    }
}

/// What happens next on a channel.
pub(super) async fn event(channel: &mut DirectChannel) -> Event {
    poll_fn(|context| channel.poll(context.waker())).await
}

/// The answer to what was asked on a channel.
pub(super) async fn answer(channel: &mut DirectChannel) -> Result<Reply, AmqpError> {
    loop {
        match event(channel).await {
            Event::Answered { reply, .. } => return Ok(reply),
            Event::Refused { error, .. } => return Err(error),
            // Nothing else is asked for.
            _ => {}
        }
    }
}

/// A declaration, a binding or a deletion that was refused.
pub(super) fn declaration_refused(error: AmqpError) -> Refusal {
    let ConnectionError { code, text, .. } = error.into_hard();
    let reason = text.strip_prefix(code.name()).and_then(|rest| rest.strip_prefix(" - "));
    let reason = reason.unwrap_or(&text).to_owned();
    match code {
        ReplyCode::NotFound => Refusal::Absent(reason),
        ReplyCode::AccessRefused | ReplyCode::NotAllowed => ACCESS_REFUSED,
        ReplyCode::InternalError => Refusal::Failed(reason),
        _ => Refusal::bad(reason),
    }
}

/// Something else that was refused: code and text as they are.
pub(super) fn refused(error: AmqpError) -> Refusal {
    let ConnectionError { code, text, .. } = error.into_hard();
    numbered(code, text)
}

/// What is our fault is said to be.
fn numbered(code: ReplyCode, text: String) -> Refusal {
    match code {
        ReplyCode::InternalError => Refusal::Failed(text),
        _ => Refusal::bad(format!("{} {text}", code.number())),
    }
}

/// A get that was refused.
pub(super) fn get_refused(error: AmqpError) -> Refusal {
    let ConnectionError { code, text, .. } = error.into_hard();
    match code {
        ReplyCode::NotFound => Refusal::Absent(text),
        ReplyCode::AccessRefused => Refusal::Denied(text),
        _ => numbered(code, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That a queue is out of service was once told as a mistake of the client's.
    #[test]
    fn what_is_our_fault_is_told_so() {
        let error = || ConnectionError::internal_error("queue 'q' is out of service").into();
        let told = "INTERNAL_ERROR - queue 'q' is out of service";
        for refusal in [refused(error()), get_refused(error())] {
            assert_eq!(refusal, Refusal::Failed(told.into()));
        }
    }
}
