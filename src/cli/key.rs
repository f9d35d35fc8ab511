//! `keyhouse key` and its subcommands: keys.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::cli::client::{Client, query, segment};
use crate::cli::exit::{Failure, print_message, print_once};
use crate::cli::listing::{all, fields_of, print_known, print_rows};
use crate::cli::terminal::text;
use crate::http::views::KeyView;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a key
    #[command(
        after_help = "Prints the secret, and nothing else, to stdout. The secret is shown only once.\n\n\
                            Example: keyhouse key create --name bot --permission diagrams:read"
    )]
    Create(Create),
    /// List keys
    List(List),
    /// Show a key
    Show {
        /// Id of the key
        id: String,
    },
    /// Rename a key
    Rename {
        /// Id of the key
        id: String,
        /// New name
        name: String,
    },
    /// Replace the secret of a key
    #[command(
        after_help = "Prints the secret, and nothing else, to stdout. The secret is shown only once."
    )]
    Rotate {
        /// Id of the key
        id: String,
        /// How long the old secret stays valid, such as 24h; at most 30d [default: none]
        #[arg(long, value_name = "SPAN")]
        overlap: Option<String>,
    },
    /// Revoke a key
    #[command(after_help = "The key is invalid at once. This can't be undone.")]
    Revoke {
        /// Id of the key
        id: String,
        /// Reason for the audit log
        #[arg(long, value_name = "R")]
        reason: Option<String>,
        /// Also revoke the keys that this key created, and the keys that those created
        #[arg(long)]
        descendants: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// Name of the key [default: a random readable name]
    #[arg(long, value_name = "N")]
    name: Option<String>,
    /// Permission to grant, such as diagrams:read; repeatable [default: none]
    #[arg(long = "permission", value_name = "P")]
    permissions: Vec<String>,
    /// Description of the key
    #[arg(long, value_name = "D")]
    description: Option<String>,
    /// Environment, the second part of the secret [default: live]
    #[arg(long, value_name = "E")]
    environment: Option<String>,
    /// Time until the key expires, such as 90d [default: never]
    #[arg(long, value_name = "SPAN")]
    expires_in: Option<String>,
    /// Network that may use the key; repeatable [default: all]
    #[arg(id = "ip_rules", long = "allow", value_name = "CIDR")]
    allow: Vec<String>,
    /// Organization of the key [default: the first]
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
}

#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "terminals show the help without Markdown")]
pub(super) struct List {
    /// Only keys with this text in their name, description, hint, id or permissions, in the name or
    /// email address of their owner, or in the IP address of their last call
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only keys with this status: active, disabled, not_yet_valid, expired, revoked or all
    #[arg(long, value_name = "S")]
    status: Option<String>,
    /// Only keys that were never used
    #[arg(id = "used", long = "unused")]
    unused: bool,
    /// Only keys that expire within this time, such as 7d
    #[arg(long, value_name = "SPAN")]
    expires_within: Option<String>,
    /// Sort by created_at, name, last_used or expires_at; a leading - sorts in descending order
    /// [default: -created_at]
    #[arg(long, value_name = "ORDER", allow_hyphen_values = true)]
    sort: Option<String>,
}

pub(super) fn run(command: Command, client: &Client, json: bool) -> Result<(), Failure> {
    match command {
        Command::Create(create) => run_create(create, client, json),
        Command::List(list) => run_list(&list, client, json),
        Command::Show { id } => {
            let key = client.get(path(&id, ""))?;
            show(&key, json)
        },
        Command::Rename { id, name } => {
            let body = json!({ "name": name });
            let key = client.patch(path(&id, ""), body)?;
            show(&key, json)
        },
        Command::Rotate { id, overlap } => {
            let body = overlap.map_or_else(|| json!({}), |overlap| json!({ "overlap": overlap }));
            let target = path(&id, "/rotate");
            let made = client.post(target, body)?;
            show_secret(&made, "rotated", json)
        },
        Command::Revoke { id, reason, descendants } => {
            let mut body = Map::new();
            body.extend(reason.map(|reason| ("reason".to_owned(), reason.into())));
            if descendants {
                body.insert("descendants".to_owned(), true.into());
            }
            run_revoke(&id, &Value::Object(body), client, json)
        },
    }
}

/// Revokes a key. Descendants are revoked a batch at a time, until none is left.
fn run_revoke(id: &str, body: &Value, client: &Client, json: bool) -> Result<(), Failure> {
    let mut revoked = 0;
    loop {
        let key = client.post(path(id, "/revoke"), body.clone())?;
        let Some(outcome) = key.get("descendants") else { return show(&key, json) };
        let number = |name: &str| outcome.get(name).and_then(Value::as_u64).unwrap_or_default();
        revoked += number("revoked");
        if outcome.get("more") != Some(&Value::Bool(true)) {
            let keys = |count: u64| if count == 1 { "key" } else { "keys" };
            print_message(&format!("revoked {revoked} {} that it created", keys(revoked)));
            let left = number("left");
            if left > 0 {
                print_message(&format!(
                    "could not revoke {left} {} that it created: permission required",
                    keys(left)
                ));
            }
            return show(&key, json);
        }
    }
}

fn path(id: &str, below: &str) -> String {
    format!("/v1/keys/{}{below}", segment(id))
}

fn run_create(create: Create, client: &Client, json: bool) -> Result<(), Failure> {
    let mut body = Map::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value.into());
        }
    };
    add("name", create.name);
    add("description", create.description);
    add("environment", create.environment);
    add("expires_in", create.expires_in);
    body.insert("kind".to_owned(), "service".into());
    body.insert("permissions".to_owned(), create.permissions.into());
    if !create.allow.is_empty() {
        body.insert("ip_rules".to_owned(), json!({ "allow": create.allow }));
    }
    let organization = create.organization.as_deref();
    let target = format!("/v1/keys{}", query(&[("organization", organization)]));
    let made = client.post(target, Value::Object(body))?;
    show_secret(&made, "created", json)
}

/// Prints a new secret to stdout and the key's id and name to stderr.
fn show_secret(made: &Value, verb: &str, json: bool) -> Result<(), Failure> {
    if json {
        return print_once(&made.to_string());
    }
    let key = made.get("key").unwrap_or(&Value::Null);
    print_message(&format!(
        "{verb} {} {:?}; the secret is shown only once",
        text(key, "id"),
        text(key, "name")
    ));
    print_once(&text(made, "secret"))
}

fn run_list(list: &List, client: &Client, json: bool) -> Result<(), Failure> {
    let parameters = [
        ("search", list.search.as_deref()),
        ("status", list.status.as_deref()),
        ("used", list.unused.then_some("never")),
        ("expires_within", list.expires_within.as_deref()),
        ("sort", list.sort.as_deref()),
    ];
    let keys = all(client, "/v1/keys", &parameters)?;
    let row = |key: &Value| {
        let last = key.get("last_used").unwrap_or(&Value::Null);
        let at = Some(text(last, "at")).filter(|at| !at.is_empty());
        let [id, name, status, hint] = ["id", "name", "status", "hint"].map(|it| text(key, it));
        vec![id, name, status, hint, at.unwrap_or_else(|| "never".to_owned()), text(last, "ip")]
    };
    let columns = ["id", "name", "status", "hint", "last used", "from"];
    print_rows(
        keys,
        &columns,
        row,
        "no keys; create one with keyhouse key create --name NAME",
        json,
    )
}

fn show(key: &Value, json: bool) -> Result<(), Failure> {
    print_known(key, &ORDER, json)
}

const ORDER: [&str; 18] = fields_of::<KeyView, 18>([
    "id",
    "name",
    "description",
    "kind",
    "owner",
    "status",
    "environment",
    "hint",
    "permissions",
    "ip_rules",
    "rate_limits",
    "not_before",
    "expires_at",
    "created_at",
    "last_used",
    "revoked_at",
    "revoked_reason",
    "version",
]);
