//! Topic permissions: which routing keys users may use.

use serde_json::json;

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::listing::Listing;
use super::super::output::Output;
use super::super::url::path;
use super::super::verb::Verb;
use super::or_absent;
use super::permissions::check_user;

pub(super) const VERBS: &[Verb] = &[
    Verb::new(
        "list_topic_permissions",
        "",
        "List which routing keys users may use in a virtual host",
        "Listing topic permissions for vhost \"{vhost}\" ...",
        list,
    ),
    Verb::new(
        "list_user_topic_permissions",
        "<username>",
        "List which routing keys a user may use",
        "Listing topic permissions for user \"{username}\" ...",
        list_of_user,
    ),
    Verb::new(
        "set_topic_permissions",
        "<username> <exchange> <write> <read>",
        "Restrict the routing keys of a user with a topic exchange: patterns for keys",
        "Setting topic permissions on \"{exchange}\" for user \"{username}\" \
         in vhost \"{vhost}\" ...",
        set,
    ),
    Verb::new(
        "clear_topic_permissions",
        "<username> [<exchange>]",
        "Lift what restricts the routing keys of a user, with one exchange or with all",
        "Clearing topic permissions for user \"{username}\" in vhost \"{vhost}\" ...",
        clear,
    ),
];

const IN_HOST: Listing = Listing {
    columns: &[("user", "user"), ("exchange", "exchange"), ("write", "write"), ("read", "read")],
    defaults: &["user", "exchange", "write", "read"],
};

const OF_USER: Listing = Listing {
    columns: &[("vhost", "vhost"), ("exchange", "exchange"), ("write", "write"), ("read", "read")],
    defaults: &["vhost", "exchange", "write", "read"],
};

fn list(call: &Call) -> Result<Output, Failure> {
    call.check_host()?;
    IN_HOST.show(call, path(&["vhosts", call.virtual_host(), "topic-permissions"]))
}

fn list_of_user(call: &Call) -> Result<Output, Failure> {
    check_user(call)?;
    OF_USER.show(call, path(&["users", call.word("<username>"), "topic-permissions"]))
}

fn set(call: &Call) -> Result<Output, Failure> {
    check_user(call)?;
    call.check_host()?;
    let body = json!({
        "exchange": call.word("<exchange>"),
        "write": call.word("<write>"),
        "read": call.word("<read>"),
    });
    let user = call.word("<username>");
    call.api.put(path(&["topic-permissions", call.virtual_host(), user]), &body)?;
    Ok(Output::Done)
}

fn clear(call: &Call) -> Result<Output, Failure> {
    check_user(call)?;
    call.check_host()?;
    let mut parts = vec!["topic-permissions", call.virtual_host(), call.word("<username>")];
    parts.extend(call.maybe("<exchange>"));
    or_absent(call.api.delete(path(&parts)))
}
