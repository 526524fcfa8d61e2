//! Keys of what new virtual hosts begin with. All that has one name belongs together.

use super::super::resolve::Typed;
use super::super::values::Kind;
use super::{Key, Setting};

const MIRRORS: &str = "queues are not mirrored";

pub(super) static SEEDS: &[Key] = &[
    Key::obeyed(
        "default_users.<name>.{vhost_pattern,configure,write,read}",
        "",
        Kind::Pattern,
        "A user who may enter every new virtual host whose name matches, and what it may do there: \
         each is .* where nothing is set.",
        note_user,
    ),
    Key::obeyed(
        "default_users.<name>.{password,tags}",
        "",
        Kind::Text,
        "The password and the tags (with commas between them) of this user, who is made where \
         there is none of its name.",
        note_user,
    ),
    Key::obeyed(
        "default_policies.operator.<name>.{vhost_pattern,queue_pattern}",
        "",
        Kind::Pattern,
        "An operator policy of every new virtual host whose name matches, and the names of queues \
         that it is for.",
        note_policy,
    ),
    Key::obeyed(
        "default_policies.operator.<name>.{apply_to}",
        "",
        Kind::Choice(&["all", "exchanges", "queues", "classic_queues", "quorum_queues", "streams"]),
        "Which kinds of queues this policy is for; all where nothing is set.",
        note_policy,
    ),
    Key::obeyed(
        "default_policies.operator.<name>.{expires,message_ttl}",
        "",
        Kind::Duration,
        "What it says, as a length of time.",
        note_policy,
    ),
    Key::obeyed(
        "default_policies.operator.<name>.{max_length,max_in_memory_length,delivery_limit,\
         target_group_size}",
        "",
        Kind::NUMBER,
        "What it says, as a count.",
        note_policy,
    ),
    Key::obeyed(
        "default_policies.operator.<name>.{max_length_bytes,max_in_memory_bytes}",
        "",
        Kind::SIZE,
        "What it says, in bytes.",
        note_policy,
    ),
    Key::obeyed(
        "default_policies.operator.<name>.{overflow}",
        "",
        Kind::Choice(&["drop-head", "reject-publish", "reject-publish-dlx"]),
        "What becomes of what is too much.",
        note_policy,
    ),
    Key::inert("default_policies.operator.<name>.classic_queues.*", MIRRORS, "How they are."),
    Key::inert(
        "default_policies.operator.<name>.{ha_mode,ha_params,ha_sync_mode}",
        MIRRORS,
        "How they are.",
    ),
    Key::obeyed(
        "default_limits.vhosts.<name>.{pattern}",
        "",
        Kind::Pattern,
        "New virtual hosts that these limits are for: of several sets the first one that matches \
         counts.",
        note_limits,
    ),
    Key::obeyed(
        "default_limits.vhosts.<name>.{max_connections,max_queues,max_publish_rate,\
         max_publish_bytes_rate}",
        "",
        Kind::LimitOrMinus,
        "A limit; -1 is none.",
        note_limits,
    ),
];

fn note_user(typed: &mut Typed, setting: &Setting) {
    typed.default_users.note(setting);
}

fn note_policy(typed: &mut Typed, setting: &Setting) {
    typed.default_policies.note(setting);
}

fn note_limits(typed: &mut Typed, setting: &Setting) {
    typed.default_limits.note(setting);
}
