//! Gathers settings from files, then the environment, then flags, and checks each against the
//! table of keys. Every mistake is collected before it gives up, so that an operator mends them
//! all in one go.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    Config, effective,
    environment::{self, Meaning},
    errors::{ConfigError, ConfigErrors, Origin, Warning},
    keys::{self, Setting, Status},
    parse::{self, Unreadable},
    rabbitmq,
    resolve::Typed,
    tls::Findings,
    values::{Kind, ListenAddress},
};
use crate::node::command_line::Serve;

/// A configuration text and the name it goes by in messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub name: String,
    pub text: String,
}

/// What has been gathered so far.
#[derive(Debug)]
struct Gathering {
    environment: BTreeMap<String, String>,
    typed: Typed,
    set: BTreeMap<String, String>,
    errors: Vec<ConfigError>,
    /// By key, so that one set twice is warned about once.
    warnings: BTreeMap<String, Warning>,
}

/// Reads the files that the flags name and resolves everything.
///
/// # Errors
/// All that was wrong, at once.
pub fn load(
    flags: &Serve,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<(Config, Vec<Warning>), ConfigErrors> {
    let environment: BTreeMap<String, String> = environment.collect();
    let files = match flags.config.is_empty() {
        true => rabbitmq::files(&environment),
        false => flags.config.clone(),
    };
    let (sources, errors) = read(&files);
    let (mut config, warnings) = resolve(&sources, environment.into_iter(), flags, errors)?;
    config.files = sources.into_iter().map(|source| source.name).collect();
    Ok((config, warnings))
}

/// The same for texts that are already in memory; later texts override earlier ones.
///
/// # Errors
/// All that was wrong, at once, after what is in `errors` already.
pub fn resolve(
    sources: &[Source],
    environment: impl Iterator<Item = (String, String)>,
    flags: &Serve,
    errors: Vec<ConfigError>,
) -> Result<(Config, Vec<Warning>), ConfigErrors> {
    let mut gathering = Gathering {
        environment: environment.collect(),
        typed: Typed::default(),
        set: BTreeMap::new(),
        errors,
        warnings: BTreeMap::new(),
    };
    for source in sources {
        gathering.add_source(source);
    }
    gathering.add_environment();
    gathering.add_flags(flags);
    gathering.finish()
}

fn read(paths: &[PathBuf]) -> (Vec<Source>, Vec<ConfigError>) {
    let mut sources = Vec::new();
    let mut errors = Vec::new();
    for path in paths {
        match files(path).and_then(|files| files.iter().map(contents).collect()) {
            Ok(contents) => {
                for (name, bytes) in Vec::<(String, Vec<u8>)>::into_iter(contents) {
                    match text_of(name, bytes) {
                        Ok(source) => sources.push(source),
                        Err(error) => errors.push(error),
                    }
                }
            }
            Err(error) => errors.push(ConfigError {
                origin: Origin::File { name: path.display().to_string() },
                key: None,
                message: format!("cannot be read: {error}"),
            }),
        }
    }
    (sources, errors)
}

fn contents(path: &PathBuf) -> io::Result<(String, Vec<u8>)> {
    Ok((path.display().to_string(), fs::read(path)?))
}

/// The text of a file; where it is none, the line is named.
fn text_of(name: String, bytes: Vec<u8>) -> Result<Source, ConfigError> {
    String::from_utf8(bytes).map(|text| Source { name: name.clone(), text }).map_err(|error| {
        let good = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = 1 + good.filter(|byte| **byte == b'\n').count();
        let origin = Origin::Line { file: name, line };
        ConfigError { origin, key: None, message: "expected UTF-8".to_owned() }
    })
}

/// A folder stands for its `*.conf` files, and a name with `*` for those that match, in the order
/// of their names.
fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let wished = path.file_name().and_then(|name| name.to_str()?.split_once('*'));
    let (folder, (begin, end)) = match (path.is_dir(), wished) {
        (true, _) => (path, ("", ".conf")),
        (false, Some(wished)) => (path.parent().unwrap_or(Path::new("")), wished),
        (false, None) => return Ok(vec![path.to_owned()]),
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let file = entry?.path();
        let rest = file.file_name().and_then(|name| name.to_str()?.strip_prefix(begin));
        if rest.is_some_and(|rest| rest.ends_with(end)) && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

impl Gathering {
    fn add_source(&mut self, source: &Source) {
        let (assignments, unreadable) = parse::assignments(&source.text);
        let origin = |line| Origin::Line { file: source.name.clone(), line };
        for Unreadable { line, key, expected } in unreadable {
            self.refuse(origin(line), key.as_deref(), expected.to_owned());
        }
        for assignment in assignments {
            let origin = origin(assignment.line);
            match self.interpolated(&assignment.value) {
                Ok(value) => self.set(origin, &assignment.key, &value),
                Err(message) => self.refuse(origin, Some(&assignment.key), message),
            }
        }
    }

    /// RabbitMQ's variables first: ours say more.
    fn add_environment(&mut self) {
        let environment = self.environment.clone();
        for (variable, value) in &environment {
            self.add_rabbitmq(variable, value);
        }
        for (variable, value) in environment {
            match environment::meaning(&variable) {
                Ok(Meaning::Nothing) => {}
                Ok(Meaning::Key(key)) => {
                    self.set(Origin::Variable { name: variable }, &key, &value);
                }
                Err(error) => self.errors.push(error),
            }
        }
    }

    fn add_rabbitmq(&mut self, variable: &str, value: &str) {
        let origin = || Origin::Variable { name: variable.to_owned() };
        for (key, value) in rabbitmq::settings(variable, value) {
            let key: Vec<String> = key.split('.').map(str::to_owned).collect();
            self.set(origin(), &key, value);
        }
        if let Some(message) = rabbitmq::refused(variable, value) {
            self.refuse(origin(), None, message);
        }
        if let Some((key, message)) = rabbitmq::unheeded(variable, value) {
            let (origin, key, message) = (origin(), key.to_owned(), message.to_owned());
            self.warnings.insert(variable.to_owned(), Warning { origin, key, message });
        }
        if let Err(expected) = rabbitmq::note(variable, value, &mut self.typed) {
            self.refuse(origin(), None, format!("{expected}, found `{value}`"));
        }
    }

    fn add_flags(&mut self, flags: &Serve) {
        for assignment in &flags.set {
            let origin = Origin::Flag { name: "--set" };
            let parts = assignment.split_once('=');
            match parts.and_then(|(key, value)| Some((parse::key(key.trim())?, value.trim()))) {
                Some((key, value)) => self.set(origin, &key, value),
                None => self.refuse(origin, None, "expected key=value".to_owned()),
            }
        }
        for text in &flags.listen {
            match ListenAddress::parse(text) {
                Some(address) => self.typed.listen_flags.push(address),
                None => {
                    let expected = Kind::Address.expected();
                    let message = format!("expected {expected}, found `{text}`");
                    self.refuse(Origin::Flag { name: "--listen" }, None, message);
                }
            }
        }
        if let Some(folder) = &flags.data_dir {
            self.typed.data_dir = Some(folder.clone());
        }
        effective::note_flags(&mut self.set, flags, &self.typed.listen_flags);
    }

    fn set(&mut self, origin: Origin, key: &[String], text: &str) {
        let Some((row, captures)) = keys::find(key) else {
            let message = match keys::nearest(key) {
                Some(known) => format!("no such key; did you mean {known}?"),
                None => "no such key".to_owned(),
            };
            return self.refuse(origin, Some(key), message);
        };
        if text.starts_with("encrypted:") {
            let message = "encrypted values cannot be read; write the value itself, or $(NAME) \
                           to take it from the environment variable NAME";
            return self.refuse(origin, Some(key), message.to_owned());
        }
        let Some(value) = row.kind.parse(text) else {
            let message = format!("expected {}, found `{text}`", row.kind.expected());
            return self.refuse(origin, Some(key), message);
        };
        match row.status {
            Status::Obeyed(note) => {
                effective::note(&mut self.set, row, key, text);
                note(&mut self.typed, &Setting { captures, value, origin });
            }
            Status::NotUsedYet => self.warn(origin, key, "is not used yet".to_owned()),
            Status::NoMeaning(reason) => {
                self.warn(origin, key, format!("has no meaning here: {reason}"));
            }
        }
    }

    /// Puts environment variables in the place of `$(NAME)`.
    fn interpolated(&self, text: &str) -> Result<String, String> {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("$(") {
            let Some((name, after)) = behind.split_once(')') else {
                return Err("expected a closing parenthesis after `$(`".to_owned());
            };
            let Some(value) = self.environment.get(name) else {
                return Err(format!("there is no environment variable {name}"));
            };
            result.push_str(before);
            result.push_str(value);
            rest = after;
        }
        result.push_str(rest);
        Ok(result)
    }

    fn refuse(&mut self, origin: Origin, key: Option<&[String]>, message: String) {
        self.errors.push(ConfigError { origin, key: key.map(|key| key.join(".")), message });
    }

    fn warn(&mut self, origin: Origin, key: &[String], message: String) {
        let key = key.join(".");
        self.warnings.insert(key.clone(), Warning { origin, key, message });
    }

    fn finish(self) -> Result<(Config, Vec<Warning>), ConfigErrors> {
        let mut findings = Findings { errors: self.errors, warnings: Vec::new() };
        let tls = self.typed.tls(&mut findings);
        if !findings.errors.is_empty() {
            return Err(ConfigErrors(findings.errors));
        }
        let (mut config, more) = self.typed.resolve(tls);
        config.set = self.set;
        let warnings = self.warnings.into_values().chain(more).chain(findings.warnings);
        Ok((config, warnings.collect()))
    }
}

#[cfg(test)]
mod tests;
