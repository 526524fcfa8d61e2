//! SIGHUP: certificates are read anew, for who connects from now on, and the log file is opened
//! anew. What cannot be read is told, and what was read before goes on.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info};

use super::log_level::LogControl;
use crate::server::Tls;

/// What is read anew, and when.
#[derive(Debug)]
pub(super) struct Reload {
    hang_up: Signal,
    tls: Vec<Arc<Tls>>,
    logs: LogControl,
}

impl Reload {
    /// Takes over SIGHUP.
    pub(super) fn watch(tls: Vec<Arc<Tls>>, logs: LogControl) -> io::Result<Self> {
        Ok(Self { hang_up: signal(SignalKind::hangup())?, tls, logs })
    }

    /// Does it whenever it is asked for.
    pub(super) async fn forever(mut self) {
        while self.hang_up.recv().await.is_some() {
            self.logs.reopen();
            if self.tls.is_empty() {
                info!(target: "node", "no certificates to read anew");
            }
            outcomes(&self.tls).iter().for_each(Outcome::log);
        }
        // No signal will ever come; that is no reason to stop.
        std::future::pending::<()>().await;
    }
}

/// What reading certificates anew came to.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Read(String),
    Failed(String),
}

impl Outcome {
    fn of(tls: &Tls) -> Self {
        if let Err(error) = tls.reload() {
            let prefix = &tls.options().prefix;
            return Self::Failed(format!("certificates stay as they were: {prefix}.{error}"));
        }
        let certificates = tls.ends();
        let ends: Vec<String> = certificates.own.into_iter().map(|end| end.shown).collect();
        let place = certificates.own_file;
        Self::Read(format!("read {} anew: good until {}", place.display(), ends.join(", ")))
    }

    fn log(&self) {
        match self {
            Self::Read(text) => info!(target: "node", "{text}"),
            Self::Failed(text) => error!(target: "node", "{text}"),
        }
    }
}

/// Each is told once: doors without a certificate of their own share one.
fn outcomes(tls: &[Arc<Tls>]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for tls in tls {
        let outcome = Outcome::of(tls);
        if !outcomes.contains(&outcome) {
            outcomes.push(outcome);
        }
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use rcgen::generate_simple_self_signed;
    use tempfile::tempdir;

    use super::*;
    use crate::server::{TlsIdentity, TlsOptions};

    /// Each door told it, and none said of which key.
    #[test]
    fn what_doors_share_is_told_once_and_with_its_key() {
        let folder = tempdir().unwrap();
        let made = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("own.pem"), made.cert.pem()).unwrap();
        fs::write(path("own.key"), made.signing_key.serialize_pem()).unwrap();
        let identity =
            TlsIdentity { certificate: path("own.pem"), key: path("own.key"), password: None };
        let prefix = "ssl_options".to_owned();
        let options = TlsOptions { prefix, identity, speaks_1_3: true, ..TlsOptions::default() };
        let load = || Arc::new(Tls::load(options.clone(), Duration::ZERO).unwrap());
        let doors = [load(), load()];
        let read = outcomes(&doors);
        assert!(matches!(&read[..], [Outcome::Read(text)] if text.contains("own.pem anew")));
        fs::write(path("own.key"), "nonsense").unwrap();
        let failed = outcomes(&doors);
        let begin = "certificates stay as they were: ssl_options.keyfile: expected a private key";
        let [Outcome::Failed(text)] = &failed[..] else { panic!("{failed:?}") };
        assert!(text.starts_with(begin), "{text}");
    }
}
