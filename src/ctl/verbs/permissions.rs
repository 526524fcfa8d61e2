//! Permissions: what users may do in virtual hosts.

use serde_json::json;

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::listing::Listing;
use super::super::output::Output;
use super::super::url::path;
use super::super::verb::Verb;
use super::missing_user;

pub(super) const VERBS: &[Verb] = &[
    Verb::new(
        "list_permissions",
        "",
        "List who may do what in a virtual host",
        "Listing permissions for vhost \"{vhost}\" ...",
        list,
    ),
    Verb::new(
        "list_user_permissions",
        "<username>",
        "List what a user may do, by virtual host",
        "Listing permissions for user \"{username}\" ...",
        list_of_user,
    ),
    Verb::new(
        "set_permissions",
        "<username> <configure> <write> <read>",
        "Set what a user may do in a virtual host: patterns for names",
        "Setting permissions for user \"{username}\" in vhost \"{vhost}\" ...",
        set,
    ),
    Verb::new(
        "set_permissions_globally",
        "<username> <configure> <write> <read>",
        "Set what a user may do in all virtual hosts that are there",
        "Setting permissions for user \"{username}\" in all virtual hosts ...",
        set_everywhere,
    ),
    Verb::new(
        "clear_permissions",
        "<username>",
        "Let a user enter a virtual host no more",
        "Clearing permissions for user \"{username}\" in vhost \"{vhost}\" ...",
        clear,
    ),
];

const IN_HOST: Listing = Listing {
    columns: &[("user", "user"), ("configure", "configure"), ("write", "write"), ("read", "read")],
    defaults: &["user", "configure", "write", "read"],
};

const OF_USER: Listing = Listing {
    columns: &[
        ("vhost", "vhost"),
        ("configure", "configure"),
        ("write", "write"),
        ("read", "read"),
    ],
    defaults: &["vhost", "configure", "write", "read"],
};

fn list(call: &Call) -> Result<Output, Failure> {
    call.check_host()?;
    IN_HOST.show(call, path(&["vhosts", call.virtual_host(), "permissions"]))
}

fn list_of_user(call: &Call) -> Result<Output, Failure> {
    check_user(call)?;
    OF_USER.show(call, path(&["users", call.word("<username>"), "permissions"]))
}

fn set(call: &Call) -> Result<Output, Failure> {
    check_user(call)?;
    call.check_host()?;
    set_in(call, call.virtual_host())?;
    Ok(Output::Done)
}

fn set_everywhere(call: &Call) -> Result<Output, Failure> {
    check_user(call)?;
    let hosts = call.api.list(format!("{}?columns=name", path(&["vhosts"])))?;
    let mut names = hosts.iter().filter_map(|host| host.get("name")?.as_str());
    names.try_for_each(|host| set_in(call, host))?;
    Ok(Output::Done)
}

fn set_in(call: &Call, host: &str) -> Result<(), Failure> {
    let body = json!({
        "configure": call.word("<configure>"),
        "write": call.word("<write>"),
        "read": call.word("<read>"),
    });
    call.api.put(path(&["permissions", host, call.word("<username>")]), &body)?;
    Ok(())
}

/// What is not there is cleared already.
fn clear(call: &Call) -> Result<Output, Failure> {
    check_user(call)?;
    call.check_host()?;
    let cleared =
        call.api.delete(path(&["permissions", call.virtual_host(), call.word("<username>")]));
    super::or_absent(cleared)
}

/// A user is permitted something only where it is there.
pub(super) fn check_user(call: &Call) -> Result<(), Failure> {
    let user = call.word("<username>");
    call.api.get(path(&["users", user])).map(drop).map_err(missing_user(user))
}
