//! Keys of users: what a first start creates, what is imported, and how clients prove who they
//! are.

use super::super::values::Kind;
use super::Key;

pub(super) static SEED: &[Key] = &[
    Key::obeyed(
        "default_vhost",
        "/",
        Kind::Text,
        "The virtual host that is created.",
        |typed, setting| typed.default_virtual_host = setting.text(),
    ),
    Key::obeyed(
        "default_user",
        "guest",
        Kind::Text,
        "The user that is created.",
        |typed, setting| typed.default_user = setting.text(),
    ),
    Key::obeyed("default_pass", "guest", Kind::Text, "Its password.", |typed, setting| {
        typed.default_pass = setting.text();
    }),
    Key::obeyed(
        "default_user_tags.<tag>",
        "",
        Kind::Boolean,
        "Tags of that user, such as administrator or monitoring. Without any such key it is an \
         administrator.",
        |typed, setting| {
            typed.default_user_tags.insert(setting.capture(), setting.boolean() == Some(true));
        },
    ),
    Key::obeyed(
        "default_permissions.configure",
        ".*",
        Kind::Pattern,
        "What that user may declare and delete.",
        |typed, setting| typed.default_permissions_configure = setting.text(),
    ),
    Key::obeyed(
        "default_permissions.write",
        ".*",
        Kind::Pattern,
        "What that user may publish to and bind.",
        |typed, setting| typed.default_permissions_write = setting.text(),
    ),
    Key::obeyed(
        "default_permissions.read",
        ".*",
        Kind::Pattern,
        "What that user may consume from and bind.",
        |typed, setting| typed.default_permissions_read = setting.text(),
    ),
    Key::obeyed(
        "loopback_users",
        "",
        Kind::Choice(&["none"]),
        "Set to none to let every user, guest too, connect from anywhere.",
        |typed, setting| typed.loopback_users.clear(setting.origin.layer()),
    ),
    Key::obeyed(
        "loopback_users.<user>",
        "",
        Kind::Boolean,
        "Whether a user may connect from this machine only. guest may, unless \
         loopback_users.guest is false.",
        |typed, setting| {
            let is_restricted = setting.boolean() == Some(true);
            typed.loopback_users.insert(setting, is_restricted);
        },
    ),
    Key::obeyed(
        "load_definitions",
        "",
        Kind::Text,
        "A file in JSON, or a folder of *.json files, with definitions to import at each start. \
         Then no default virtual host and user are created.",
        |typed, setting| typed.load_definitions = setting.text(),
    )
    .also(&["management.load_definitions"]),
    Key::obeyed(
        "definitions.import_backend",
        "local_filesystem",
        Kind::Text,
        "Where definitions are imported from. Only local_filesystem is used yet.",
        |typed, setting| typed.definitions_backend = Some(setting.clone()),
    ),
    Key::obeyed(
        "definitions.local.path",
        "",
        Kind::Text,
        "A file or folder to import, as load_definitions; where both are set, after it.",
        |typed, setting| typed.definitions_path = setting.text(),
    ),
    Key::later("definitions.https.url", "", Kind::Text, "The address to import from."),
    Key::later(
        "definitions.skip_if_unchanged",
        "false",
        Kind::Boolean,
        "Import again only when the text has changed.",
    ),
    Key::later(
        "definitions.hashing.algorithm",
        "sha256",
        Kind::Choice(&["sha", "sha224", "sha256", "sha384", "sha512"]),
        "How a change of the text is noticed.",
    ),
    Key::later("definitions.tls.*", "", Kind::Text, "TLS options for importing over HTTPS."),
];

pub(super) static AUTHENTICATION: &[Key] = &[
    Key::obeyed(
        "auth_mechanisms.<N>",
        "",
        Kind::Choice(&["PLAIN", "AMQPLAIN", "ANONYMOUS", "EXTERNAL", "RABBIT-CR-DEMO"]),
        "SASL mechanisms that are offered, in this order. Without any such key: PLAIN, AMQPLAIN. \
         EXTERNAL, by certificate, is offered over TLS only. ANONYMOUS lets in whoever comes, as \
         anonymous_login_user.",
        |typed, setting| {
            typed.auth_mechanisms.insert(number_of(&setting.capture()), setting.clone());
        },
    ),
    Key::later("auth_backends.<N>", "internal", Kind::Text, "Who checks users, in this order."),
    Key::later("auth_backends.<N>.{authn,authz}", "", Kind::Text, "Who checks what of a user."),
    Key::obeyed(
        "anonymous_login_user",
        "guest",
        Kind::Text,
        "The user of ANONYMOUS logins, where that is one of auth_mechanisms; none for nobody.",
        |typed, setting| typed.anonymous_user = setting.text(),
    ),
    Key::obeyed(
        "anonymous_login_pass",
        "guest",
        Kind::Text,
        "The password of that user.",
        |typed, setting| typed.anonymous_password = setting.text(),
    ),
    Key::obeyed(
        "password_hashing_module",
        "rabbit_password_hashing_sha256",
        Kind::Choice(&[
            "rabbit_password_hashing_sha256",
            "rabbit_password_hashing_sha512",
            "leveret_password_hashing_argon2id",
        ]),
        "How new passwords are hashed. Argon2 is slow to guess, and RabbitMQ cannot read it. Each \
         hash says how it was made, and those of MD5 are still read.",
        |typed, setting| typed.password_hashing_module = setting.text(),
    ),
    Key::obeyed(
        "credential_validator.validation_backend",
        "rabbit_credential_validator_accept_everything",
        Kind::Choice(&[
            "rabbit_credential_validator_accept_everything",
            "rabbit_credential_validator_min_password_length",
            "rabbit_credential_validator_password_regexp",
        ]),
        "Which passwords are accepted for new users.",
        |typed, setting| typed.credential_validator = setting.text(),
    ),
    Key::obeyed(
        "credential_validator.min_length",
        "5",
        Kind::NUMBER,
        "Bytes of the shortest password that is accepted, where lengths are looked at.",
        |typed, setting| typed.credential_length_min = setting.number(),
    ),
    Key::obeyed(
        "credential_validator.regexp",
        "",
        Kind::Pattern,
        "Expression that a password has to match, where expressions are looked at.",
        |typed, setting| typed.credential_pattern = setting.text(),
    ),
    Key::obeyed(
        "ssl_cert_login_from",
        "distinguished_name",
        Kind::Choice(&[
            "distinguished_name",
            "common_name",
            "subject_alternative_name",
            "subject_alt_name",
        ]),
        "The part of a client's certificate that is its user name.",
        |typed, setting| typed.certificate_login = setting.text(),
    ),
    Key::obeyed(
        "ssl_cert_login_san_type",
        "dns",
        Kind::Choice(&["dns", "ip", "email", "uri", "other_name"]),
        "Kind of alternative name to take.",
        |typed, setting| typed.alternative_name = setting.text(),
    ),
    Key::obeyed(
        "ssl_cert_login_san_index",
        "0",
        Kind::Number { min: 0, max: 1000 },
        "Which alternative name of that kind to take, counted from 0.",
        |typed, setting| typed.alternative_name_index = setting.number(),
    ),
    Key::later("auth_ldap.*", "", Kind::Text, "Users from LDAP."),
    Key::later("auth_http.*", "", Kind::Text, "Users from an HTTP service."),
    Key::later("auth_oauth2.*", "", Kind::Text, "Users by OAuth 2 tokens."),
    Key::later("auth_cache.*", "", Kind::Text, "Remembering the answers of other backends."),
    Key::later("trust_store.*", "", Kind::Text, "Certificates of clients from a list."),
];

/// The number in a `<N>`. One too large for its type comes last.
fn number_of(capture: &str) -> u64 {
    capture.parse().unwrap_or(u64::MAX)
}
