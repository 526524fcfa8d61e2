//! What new virtual hosts begin with and which passwords new users may have: from what the operator
//! wrote to what the broker is told.

use serde_json::{Map, Value};

use super::config;
use super::config::seeds::{SeedLimits, SeedPolicy, SeedUser, Seeds};
use crate::auth::PasswordRule;
use crate::broker::{DefaultLimits, DefaultPolicy, DefaultUser, HostDefaults};
use crate::definitions::{Pattern, PolicyKind, PolicyTarget};
use crate::policy;

/// What the broker gives new virtual hosts.
///
/// # Errors
/// An operator policy says what none may.
pub(super) fn host_defaults(seeds: &Seeds) -> Result<HostDefaults, String> {
    Ok(HostDefaults {
        limits: seeds.limits.iter().map(limits).collect::<Result<_, _>>()?,
        policies: seeds.policies.iter().map(operator_policy).collect::<Result<_, _>>()?,
        users: seeds.users.iter().map(user).collect::<Result<_, _>>()?,
    })
}

pub(super) fn password_rule(rule: &config::PasswordRule) -> Result<PasswordRule, String> {
    Ok(match rule {
        config::PasswordRule::Any => PasswordRule::Any,
        config::PasswordRule::Length(min) => PasswordRule::Length(*min),
        config::PasswordRule::Pattern(text) => PasswordRule::Matching(pattern(text)?),
    })
}

/// It was looked at when the configuration was read.
fn pattern(text: &str) -> Result<Pattern, String> {
    Pattern::parse(text).map_err(|error| format!("`{text}` is no regular expression: {error}"))
}

/// Below zero is no limit.
fn limits(seed: &SeedLimits) -> Result<DefaultLimits, String> {
    let value = |limit: &Option<u64>| limit.map_or(Value::from(-1), Value::from);
    let limits = seed.limits.iter().map(|(name, limit)| (name.clone(), value(limit)));
    Ok(DefaultLimits { hosts: pattern(&seed.pattern)?, limits: limits.collect() })
}

fn operator_policy(seed: &SeedPolicy) -> Result<DefaultPolicy, String> {
    let shape = |value: &config::values::Value| {
        value.to_number::<u64>().map(Value::from).or_else(|| value.to_text().map(Value::from))
    };
    let settings = seed.settings.iter();
    let settings: Map<String, Value> =
        settings.map(|(name, value)| (name.clone(), shape(value).unwrap_or_default())).collect();
    policy::check(PolicyKind::Operator, &settings)
        .map_err(|reason| format!("default_policies.operator.{}: {reason}", seed.name))?;
    Ok(DefaultPolicy {
        hosts: pattern(&seed.vhost_pattern)?,
        name: seed.name.as_str().into(),
        pattern: seed.queue_pattern.clone(),
        applies_to: PolicyTarget::from_name(&seed.apply_to).unwrap_or(PolicyTarget::All),
        settings,
    })
}

fn user(seed: &SeedUser) -> Result<DefaultUser, String> {
    Ok(DefaultUser {
        hosts: pattern(&seed.vhost_pattern)?,
        name: seed.name.as_str().into(),
        password: seed.password.clone(),
        tags: seed.tags.iter().map(|tag| tag.as_str().into()).collect(),
        permissions: [seed.configure.clone(), seed.write.clone(), seed.read.clone()],
    })
}

#[cfg(test)]
mod tests {
    use super::super::command_line::Serve;
    use super::super::config::Config;
    use super::super::config::load::{Source, resolve};
    use super::*;

    fn config(text: &str) -> Config {
        let source = Source { name: "a.conf".into(), text: text.into() };
        resolve(&[source], std::iter::empty(), &Serve::default(), Vec::new()).unwrap().0
    }

    #[test]
    fn keys_of_one_name_belong_together() {
        let config = config(
            "default_users.qa.vhost_pattern = ^qa\n\
             default_users.qa.password = secret\n\
             default_users.qa.tags = policymaker, monitoring\n\
             default_users.qa.read = ^q\n\
             default_policies.operator.ttl.queue_pattern = ^tmp\n\
             default_policies.operator.ttl.message_ttl = 1h\n\
             default_policies.operator.ttl.max_length_bytes = 1KiB\n\
             default_policies.operator.ttl.apply_to = classic_queues\n\
             default_limits.vhosts.10.max_queues = 5\n\
             default_limits.vhosts.9.pattern = ^qa\n\
             default_limits.vhosts.9.max_connections = -1\n",
        );
        let defaults = host_defaults(&config.seeds).unwrap();
        let [user] = defaults.users.as_slice() else { panic!("{defaults:?}") };
        assert_eq!((&*user.name, user.password.as_deref()), ("qa", Some("secret")));
        assert_eq!(user.tags, ["policymaker".into(), "monitoring".into()]);
        assert_eq!(user.permissions, [".*", ".*", "^q"]);
        let [policy] = defaults.policies.as_slice() else { panic!("{defaults:?}") };
        let settings = serde_json::json!({"message-ttl": 3_600_000, "max-length-bytes": 1024});
        assert_eq!(Value::Object(policy.settings.clone()), settings);
        assert_eq!(policy.applies_to, PolicyTarget::ClassicQueues);
        let limits: Vec<Value> =
            defaults.limits.iter().map(|limits| Value::Object(limits.limits.clone())).collect();
        let expected =
            [serde_json::json!({"max-connections": -1}), serde_json::json!({"max-queues": 5})];
        assert_eq!(limits, expected, "nine comes before ten");
    }

    #[test]
    fn a_policy_that_says_nothing_stops_the_start() {
        let config = config("default_policies.operator.p.queue_pattern = a\n");
        let refused = host_defaults(&config.seeds).unwrap_err();
        assert_eq!(refused, "default_policies.operator.p: no policy provided");
    }

    #[test]
    fn a_validator_decides_which_of_its_keys_count() {
        let length = "credential_validator.min_length = 8\n";
        assert_eq!(config(length).password_rule, config::PasswordRule::Any);
        let backend = "credential_validator.validation_backend = ";
        let text = format!("{length}{backend}rabbit_credential_validator_min_password_length");
        assert_eq!(config(&text).password_rule, config::PasswordRule::Length(8));
        let text = format!(
            "credential_validator.regexp = [0-9]\n\
             {backend}rabbit_credential_validator_password_regexp"
        );
        let rule = password_rule(&config(&text).password_rule).unwrap();
        assert!(rule.check("a1").is_ok() && rule.check("a").is_err());
    }
}
