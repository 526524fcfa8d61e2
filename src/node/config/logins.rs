//! How clients prove who they are: from what was typed to what is meant.

use super::errors::{Origin, Warning};
use super::keys::Setting;
use super::resolve::Typed;
use crate::auth::{AlternativeName, CertificateLogin, Login};

/// The mechanisms that are offered where nothing is said.
const MECHANISMS: &[&str] = &["PLAIN", "AMQPLAIN"];

impl Typed {
    fn can_be_offered(&self, mechanism: &str) -> bool {
        match mechanism {
            "EXTERNAL" => true,
            "ANONYMOUS" => self.anonymous().is_some(),
            other => MECHANISMS.contains(&other),
        }
    }

    /// Those that are offered, in their order.
    pub(super) fn mechanisms(&self, warnings: &mut Vec<Warning>) -> Vec<String> {
        if self.auth_mechanisms.is_empty() {
            return MECHANISMS.iter().copied().map(str::to_owned).collect();
        }
        let mut offered = Vec::new();
        for (number, setting) in &self.auth_mechanisms {
            let Some(name) = setting.text() else { continue };
            if !self.can_be_offered(&name) {
                warnings.push(not_offered(setting.origin.clone(), *number, &name));
            } else if !offered.contains(&name) {
                offered.push(name);
            }
        }
        offered
    }

    /// Which part of a certificate is a user's name.
    pub(super) fn certificate_login(&self) -> CertificateLogin {
        match self.certificate_login.as_deref() {
            Some("common_name") => CertificateLogin::CommonName,
            Some("subject_alternative_name" | "subject_alt_name") => {
                let kind = match self.alternative_name.as_deref() {
                    Some("ip") => AlternativeName::Ip,
                    Some("email") => AlternativeName::Email,
                    Some("uri") => AlternativeName::Uri,
                    Some("other_name") => AlternativeName::Other,
                    _ => AlternativeName::Dns,
                };
                let index = self.alternative_name_index.unwrap_or(0);
                CertificateLogin::AlternativeName(kind, index)
            }
            _ => CertificateLogin::DistinguishedName,
        }
    }

    /// Who comes in by ANONYMOUS; none for nobody.
    pub(super) fn anonymous(&self) -> Option<Login> {
        let or_guest = |text: &Option<String>| text.clone().unwrap_or_else(|| "guest".to_owned());
        let user = or_guest(&self.anonymous_user);
        let password = or_guest(&self.anonymous_password).into_bytes();
        let is_offered = |setting: &Setting| setting.text().as_deref() == Some("ANONYMOUS");
        let is_wanted = self.auth_mechanisms.values().any(is_offered);
        (is_wanted && user != "none").then_some(Login { user, password })
    }
}

fn not_offered(origin: Origin, number: u64, name: &str) -> Warning {
    let message = match name {
        "ANONYMOUS" => "has no effect: anonymous_login_user is none".to_owned(),
        _ => format!("is not used yet: {name} is not offered"),
    };
    Warning { origin, key: format!("auth_mechanisms.{number}"), message }
}
