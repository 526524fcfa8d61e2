//! A definitions file carried out on the live broker: a merge. What is there stays, what is set is
//! set again, nothing is deleted. Declarations obey the rules that those of clients obey; nobody's
//! permissions are asked, for it is the operator's file.

mod known_bindings;
mod room;

use std::fmt;
use std::sync::{Arc, MutexGuard};

use self::known_bindings::KnownBindings;
use super::author::Author;
use super::declaration::{DeclarationRefused, DeclarationResult, Declared};
use super::in_force::check_storage;
use super::virtual_host::VirtualHost;
use crate::definitions::import::{
    Declaration, DeclaredPassword, Definitions, ExchangeWish, Item, QueueWish, UserWish,
};
use crate::definitions::{
    Binding, BindingEnd, Change, ExchangeDefinition, QueueDefinition, VirtualHostDefinitions,
};
use crate::limits::IMPORT_STEP_MAX;
use crate::message::{
    ExchangeOptions, Moment, Name, QueueDeclaration, QueueKind, QueueOptions, Resource,
};
use crate::protocol::field::FieldTable;
use crate::routing::{ExchangeKind, Table};

const QUEUE_TYPE: &str = "x-queue-type";

/// What an import came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Definitions that are new, or other than before.
    pub changed: usize,
    /// Those that were there already.
    pub unchanged: usize,
}

impl fmt::Display for ImportReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { changed, unchanged } = self;
        write!(formatter, "{changed} definitions imported, {unchanged} were there already")
    }
}

/// Where an import stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportFailure {
    /// The item that was refused, as texts call it.
    pub label: String,
    /// Why.
    pub reason: DeclarationRefused,
    /// What was done before, and stays.
    pub done: ImportReport,
}

impl fmt::Display for ImportFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, reason, done } = self;
        write!(formatter, "{label}: {reason} (before it: {done})")
    }
}

impl std::error::Error for ImportFailure {}

/// A file on its way: some items at a time, so that others have their turns in between.
#[derive(Debug)]
pub struct Import<'a> {
    author: Author<'a>,
    rest: std::slice::Iter<'a, Item>,
    done: ImportReport,
    known_bindings: KnownBindings,
}

impl Import<'_> {
    /// Declares the next items. Gives what all came to once there are no more.
    ///
    /// # Errors
    /// An item was refused; what came before it stays.
    pub fn step(&mut self, now: Moment) -> Result<Option<ImportReport>, ImportFailure> {
        for item in self.rest.by_ref().take(IMPORT_STEP_MAX) {
            let declaration = &item.declaration;
            let declared = self.author.declare(declaration, now, &mut self.known_bindings);
            match declared {
                Ok(Declared::Changed) => self.done.changed += 1,
                Ok(Declared::Unchanged) => self.done.unchanged += 1,
                Err(reason) => {
                    let (label, done) = (item.label.clone(), self.done);
                    return Err(ImportFailure { label, reason, done });
                }
            }
            if self.author.takes_long(declaration) {
                break;
            }
        }
        Ok(self.rest.as_slice().is_empty().then_some(self.done))
    }
}

impl<'a> Author<'a> {
    /// Declares everything of a file, up to the first item that is refused.
    ///
    /// # Errors
    /// An item was refused; what came before it stays.
    pub fn import(
        &self,
        definitions: &Definitions,
        now: Moment,
    ) -> Result<ImportReport, ImportFailure> {
        let mut import = self.begin_import(definitions)?;
        loop {
            if let Some(done) = import.step(now)? {
                return Ok(done);
            }
        }
    }

    /// Begins to declare everything of a file.
    ///
    /// # Errors
    /// It has more queues than there may be: then nothing of it is declared.
    pub fn begin_import(self, definitions: &'a Definitions) -> Result<Import<'a>, ImportFailure> {
        self.check_room(definitions)?;
        let (rest, done) = (definitions.items.iter(), ImportReport::default());
        Ok(Import { author: self, rest, done, known_bindings: KnownBindings::default() })
    }

    /// A password was hashed in a way that takes time, which is a step's worth.
    fn takes_long(&self, declaration: &Declaration) -> bool {
        let Declaration::User(user) = declaration else { return false };
        let is_clear = matches!(user.password, DeclaredPassword::Clear(_));
        is_clear && self.options.hashing_algorithm.is_slow()
    }

    /// Declares one thing, for the operator.
    fn declare(
        &self,
        declaration: &Declaration,
        now: Moment,
        known_bindings: &mut KnownBindings,
    ) -> DeclarationResult {
        match declaration {
            Declaration::User(user) => self.set_wished_user(user),
            Declaration::Host { name, settings } => {
                self.create_virtual_host(name, settings.clone())
            }
            Declaration::Permission(permission) => self.set_permission(permission),
            Declaration::TopicPermission(permission) => self.set_topic_permission(permission),
            Declaration::GlobalParameter(parameter) => {
                Ok(self.set_global_parameter(parameter.clone()))
            }
            Declaration::Policy(policy) => self.set_policy(policy, now),
            Declaration::Parameter(parameter) => self.set_parameter(parameter),
            Declaration::Exchange(exchange) => self.declare_wished_exchange(exchange),
            Declaration::Queue(queue) => self.declare_wished_queue(queue),
            Declaration::Binding { host, binding } => {
                self.declare_wished_binding(host, binding, known_bindings)
            }
        }
    }

    /// Limits that the file does not name stay as they are.
    fn set_wished_user(&self, user: &UserWish) -> DeclarationResult {
        let UserWish { name, password, tags, limits } = user.clone();
        let password = match password {
            DeclaredPassword::Hash(hash) => hash,
            DeclaredPassword::Clear(password) => {
                self.check_password(&password)?;
                self.hash_password(&name, &password)
            }
        };
        Ok(self.set_user(&name, password, tags, limits))
    }

    /// It is there, perhaps since a moment: whoever relies on it waits for the disk all the same.
    fn unchanged(&self, host: &VirtualHost) -> Declared {
        self.note_change(host.changed_at());
        Declared::Unchanged
    }

    fn host_of(&self, name: &Name) -> Result<Arc<VirtualHost>, DeclarationRefused> {
        self.virtual_host(name).ok_or_else(|| DeclarationRefused::NoVirtualHost(name.clone()))
    }

    fn declare_wished_exchange(&self, wish: &ExchangeWish) -> DeclarationResult {
        let host = self.host_of(&wish.host)?;
        let definitions = definitions_of(&host)?;
        if definitions.exchange(&wish.name).is_some() {
            return Ok(self.unchanged(&host));
        }
        let kind = ExchangeKind::parse(&wish.kind)
            .ok_or_else(|| invalid(&format!("unknown exchange type '{}'", wish.kind)))?;
        let resource = Resource::exchange(&wish.name, &wish.host);
        ExchangeOptions::parse(resource, &wish.arguments).map_err(|error| invalid(&error.text))?;
        Table::new(kind, &wish.arguments).map_err(|reason| invalid(&reason))?;
        let exchange = ExchangeDefinition {
            id: self.next_exchange_id(),
            name: wish.name.clone(),
            kind: wish.kind.clone(),
            durable: wish.durable,
            auto_delete: wish.auto_delete,
            internal: wish.internal,
            arguments: wish.arguments.clone(),
            declared_by: self.name().into(),
        };
        let _room = self.room_for_exchange(resource).map_err(|error| full(&error.text))?;
        let change = Change::ExchangeDeclared(Arc::new(exchange));
        self.declare_alone(&host, definitions, &change);
        Ok(Declared::Changed)
    }

    /// Makes a change true, and does what follows from it when the definitions are free again.
    fn declare_alone(
        &self,
        host: &VirtualHost,
        mut definitions: MutexGuard<'_, VirtualHostDefinitions>,
        change: &Change,
    ) {
        let mut work = self.work(Moment::default());
        host.apply(&mut definitions, change, &mut work);
        drop(definitions);
        self.note_change(work.position);
        self.look_after(&mut work);
        work.wake();
    }

    fn declare_wished_queue(&self, wish: &QueueWish) -> DeclarationResult {
        let host = self.host_of(&wish.host)?;
        let definitions = definitions_of(&host)?;
        if definitions.queue(&wish.name).is_some() {
            return Ok(self.unchanged(&host));
        }
        let (arguments, options) = self.parse_wish(&host, wish)?;
        let resource = Resource::queue(&wish.name, &wish.host);
        check_storage(resource, &options, &host.policies())
            .map_err(|error| invalid(&error.text))?;
        let queue = QueueDefinition {
            id: self.next_queue_id(),
            name: wish.name.clone(),
            durable: wish.durable,
            auto_delete: wish.auto_delete,
            owner: None,
            arguments,
            options,
            ttl_before: Vec::new(),
        };
        let _room = self.room_for_queue(resource).map_err(|error| full(&error.text))?;
        let change = Change::QueueDeclared(Arc::new(queue));
        self.declare_alone(&host, definitions, &change);
        Ok(Declared::Changed)
    }

    /// The type beside the arguments counts where they name none, and stands for the default; one
    /// that the default could not become is named, so that it is judged as one that was asked for.
    fn parse_wish(
        &self,
        host: &VirtualHost,
        wish: &QueueWish,
    ) -> Result<(FieldTable, QueueOptions), DeclarationRefused> {
        let declaration = QueueDeclaration {
            name: &wish.name,
            virtual_host: &wish.host,
            durable: wish.durable,
            exclusive: false,
            auto_delete: wish.auto_delete,
            server_named: false,
        };
        let mut arguments = wish.arguments.clone();
        let mut default = host.default_queue_kind().unwrap_or(self.options.default_queue_kind);
        if let Some(name) = wish.kind.as_deref().filter(|_| !arguments.contains(QUEUE_TYPE)) {
            match QueueKind::from_name(name) {
                Some(kind) if declaration.kind_when_unnamed(kind) == kind => default = kind,
                _ => arguments.insert(QUEUE_TYPE, name),
            }
        }
        let options = QueueOptions::parse(&declaration, &arguments, default)
            .map_err(|error| invalid(error.text()))?;
        Ok((arguments, options))
    }

    fn declare_wished_binding(
        &self,
        host: &Name,
        binding: &Binding,
        known_bindings: &mut KnownBindings,
    ) -> DeclarationResult {
        let host = self.host_of(host)?;
        let mut definitions = definitions_of(&host)?;
        check_ends(&definitions, binding)?;
        if known_bindings.has(&host.name, &definitions, binding) {
            return Ok(self.unchanged(&host));
        }
        host.validate_binding(&definitions, binding).map_err(|reason| invalid(&reason))?;
        let binding = Arc::new(binding.clone());
        let mut work = self.work(Moment::default());
        host.apply(&mut definitions, &Change::Bound(binding.clone()), &mut work);
        drop(definitions);
        known_bindings.add(&host.name, &binding);
        self.note_change(work.position);
        host.replay_history(&binding, &mut self.fork_random(), &mut work);
        self.look_after(&mut work);
        work.wake();
        Ok(Declared::Changed)
    }
}

/// What is declared in a virtual host that is being deleted would stay behind.
fn definitions_of(
    host: &VirtualHost,
) -> Result<MutexGuard<'_, VirtualHostDefinitions>, DeclarationRefused> {
    let definitions = host.definitions();
    match host.is_deleted() {
        true => Err(DeclarationRefused::NoVirtualHost(host.name.clone())),
        false => Ok(definitions),
    }
}

fn check_ends(
    definitions: &VirtualHostDefinitions,
    binding: &Binding,
) -> Result<(), DeclarationRefused> {
    let missing = |kind: &str, name: &str| invalid(&format!("there is no {kind} '{name}'"));
    let check_exchange = |name: &Name| match definitions.exchange(name) {
        Some(_) if name.is_empty() => {
            Err(invalid("operation not permitted on the default exchange"))
        }
        Some(_) => Ok(()),
        None => Err(missing("exchange", name)),
    };
    check_exchange(&binding.source)?;
    match &binding.destination {
        BindingEnd::Exchange(name) => check_exchange(name),
        BindingEnd::Queue(name) if definitions.queue(name).is_none() => Err(missing("queue", name)),
        BindingEnd::Queue(_) => Ok(()),
    }
}

fn invalid(text: &str) -> DeclarationRefused {
    DeclarationRefused::Invalid(reason(text))
}

fn full(text: &str) -> DeclarationRefused {
    DeclarationRefused::Full(reason(text))
}

/// RabbitMQ's words without the name of the reply code, which is for clients.
fn reason(text: &str) -> String {
    let is_code = |code: &str| code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let reason = match text.split_once(" - ") {
        Some((code, reason)) if is_code(code) => reason,
        _ => text,
    };
    reason.to_owned()
}

#[cfg(test)]
mod tests;
