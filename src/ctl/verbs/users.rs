//! Users: who may log in.

use std::io::{self, BufRead, IsTerminal};

use serde_json::{Value, json};

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::listing::Listing;
use super::super::output::Output;
use super::super::url::path;
use super::super::verb::Verb;
use super::missing_user;

pub(super) const VERBS: &[Verb] = &[
    Verb::new("list_users", "", "List users with their tags", "Listing users ...", list),
    Verb::new(
        "add_user",
        "<username> [<password>]",
        "Create a user, whose password may come from the standard input",
        "Adding user \"{username}\" ...",
        add,
    ),
    Verb::new(
        "delete_user",
        "<username>",
        "Delete a user",
        "Deleting user \"{username}\" ...",
        delete,
    ),
    Verb::new(
        "change_password",
        "<username> [<password>]",
        "Change the password of a user",
        "Changing password for user \"{username}\" ...",
        change_password,
    ),
    Verb::new(
        "clear_password",
        "<username>",
        "Take the password of a user away, who cannot log in by one then",
        "Clearing password for user \"{username}\" ...",
        clear_password,
    ),
    Verb::new(
        "set_user_tags",
        "<username> [<tag>...]",
        "Give a user these tags and no others",
        "Setting tags for user \"{username}\" to [{tag}] ...",
        set_tags,
    ),
    Verb::new(
        "authenticate_user",
        "<username> [<password>]",
        "Check the password of a user",
        "Authenticating user \"{username}\" ...",
        authenticate,
    ),
    Verb::new("hash_password", "[<password>]", "Show a salted hash of a password", "", hash),
];

const LISTING: Listing =
    Listing { columns: &[("user", "name"), ("tags", "tags")], defaults: &["user", "tags"] };

fn list(call: &Call) -> Result<Output, Failure> {
    LISTING.show(call, path(&["users"]))
}

fn add(call: &Call) -> Result<Output, Failure> {
    let user = call.word("<username>");
    let path = path(&["users", user]);
    if call.api.get(path.clone()).is_ok() {
        return Err(Failure::Software(format!("User \"{user}\" already exists")));
    }
    let body = json!({"password": password(call)?, "tags": ""});
    call.api.put(path, &body)?;
    Ok(Output::Hint(format!(
        "Done. Don't forget to grant the user permissions to some virtual hosts! See '{} help \
         set_permissions' to learn more.",
        call.tool.name()
    )))
}

fn delete(call: &Call) -> Result<Output, Failure> {
    let user = call.word("<username>");
    call.api.delete(path(&["users", user])).map_err(missing_user(user))?;
    Ok(Output::Done)
}

fn change_password(call: &Call) -> Result<Output, Failure> {
    let user = find(call)?;
    set(call, &json!({"password": password(call)?, "tags": tags(&user)}))
}

fn clear_password(call: &Call) -> Result<Output, Failure> {
    let user = find(call)?;
    set(call, &json!({"tags": tags(&user)}))
}

fn set_tags(call: &Call) -> Result<Output, Failure> {
    let user = find(call)?;
    let tags = call.words("<tag>").join(",");
    let field = |name: &str| user.get(name).cloned().unwrap_or_default();
    let (hash, algorithm) = (field("password_hash"), field("hashing_algorithm"));
    set(call, &json!({"password_hash": hash, "hashing_algorithm": algorithm, "tags": tags}))
}

fn authenticate(call: &Call) -> Result<Output, Failure> {
    let user = call.word("<username>");
    let body = json!({"username": user, "password": password(call)?});
    let answer = call.api.post(path(&["leveret", "authenticate-user"]), &body)?;
    let answer: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match answer.get("authenticated") {
        Some(Value::Bool(true)) => Ok(Output::Message("Success".to_owned())),
        _ => Err(Failure::Data(format!(
            "Error: failed to authenticate user \"{user}\"\nuser '{user}' - invalid credentials"
        ))),
    }
}

fn hash(call: &Call) -> Result<Output, Failure> {
    let body = json!({"password": password(call)?});
    let answer = call.api.post(path(&["auth", "hash_password"]), &body)?;
    let answer: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let hash = answer.get("ok").and_then(Value::as_str).unwrap_or_default();
    Ok(Output::Message(hash.to_owned()))
}

/// The user that is named, as the node knows it.
fn find(call: &Call) -> Result<Value, Failure> {
    let user = call.word("<username>");
    call.api.get(path(&["users", user])).map_err(missing_user(user))
}

fn set(call: &Call, body: &Value) -> Result<Output, Failure> {
    let user = call.word("<username>");
    call.api.put(path(&["users", user]), body).map_err(missing_user(user))?;
    Ok(Output::Done)
}

/// Tags as they are set.
fn tags(user: &Value) -> String {
    let tags = user.get("tags").and_then(Value::as_array);
    let tags: Vec<&str> = tags.into_iter().flatten().filter_map(Value::as_str).collect();
    tags.join(",")
}

/// The password that was typed behind the verb, or else the first line of the standard input.
fn password(call: &Call) -> Result<String, Failure> {
    if let Some(password) = call.maybe("<password>") {
        return Ok(password.to_owned());
    }
    let missing = || Failure::Data("Password is not provided via argument or stdin".to_owned());
    let mut input = io::stdin().lock();
    if io::stdin().is_terminal() {
        return Err(missing());
    }
    let mut line = String::new();
    input.read_line(&mut line).map_err(|_| missing())?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() { Err(missing()) } else { Ok(password.to_owned()) }
}
