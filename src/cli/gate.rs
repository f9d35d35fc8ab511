//! `keyhouse gate`: make, list, show, set, delete and try gates.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::cli::client::{Ask, Client, segment};
use crate::cli::exit::{Exit, Failure, print, say};
use crate::cli::listing::{all, print_all, print_one};
use crate::cli::verify::key_from_stdin;

/// What to do with gates.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a gate; without a route nothing passes it
    #[command(after_help = EXAMPLE)]
    Create(Policy),
    /// List gates; default, which takes any valid key, is always there too
    List,
    /// Show a gate
    Show {
        /// The gate's name
        name: String,
    },
    /// Set what a gate says; what is not named stays
    Set(Policy),
    /// Delete a gate: from then on nothing passes where proxies ask by its name
    Delete {
        /// The gate's name
        name: String,
    },
    /// See what a request would come to, and why; counts nothing
    #[command(after_help = "Example: keyhouse gate test GET https://api.example.com/orders/7 \
                            --gate orders --key - < secret.txt\n\n\
                            Exit code 0 when it would pass, 4 when it would not.")]
    Test(Test),
}

const EXAMPLE: &str = "\
A route is [METHOD,..] [HOST]PATH [public | denied | REQUIREMENT] [cost=N] [allow=KIND,..]; the most specific decides.
KIND is what its paths may hold and others may not: encoded_slash, double_slash, semicolon, utf8, trailing_dot, compatibility_form.
A PATH is segments, {name} or * for one, a last ** for none or more.

Example: keyhouse gate create orders --route '/health public' \\
           --route 'GET api.example.com/orders/** orders:read' \\
           --route 'api.example.com/orders/** orders:write AND (shop:a OR shop:b)'";

/// What a gate says.
#[derive(Debug, Args)]
pub(super) struct Policy {
    /// Its name: a-z, 0-9 and -; proxies ask by it
    name: String,
    /// A rule, such as 'GET /orders/** orders:read'; repeatable, and all together replace what was
    #[arg(long = "route", value_name = "R")]
    routes: Vec<String>,
    /// Where the key may stand: authorization (Bearer and Basic), authorization:SCHEME, a header,
    /// cookie:NAME, websocket-protocol:PREFIX; repeatable [default: authorization, x-api-key, mc-api-key]
    #[arg(long = "credential", value_name = "C")]
    credentials: Vec<String>,
    /// Organization whose keys it takes, by its id, or all; repeatable [default: all]
    #[arg(long = "accept-organization", value_name = "ID")]
    organizations: Vec<String>,
    /// Environment whose keys it takes, or all; repeatable [default: all]
    #[arg(long = "accept-environment", value_name = "E")]
    environments: Vec<String>,
    /// Units that a call draws from limits and quota [default: 1]
    #[arg(long, value_name = "N")]
    cost: Option<u32>,
    /// CORS preflights: check (like any other request) or allow (without a key, where the request
    /// that they announce could pass) [default: check]
    #[arg(long, value_name = "P", value_parser = ["check", "allow"])]
    preflight: Option<String>,
    /// What it is for
    #[arg(long, value_name = "D")]
    description: Option<String>,
}

/// A request to be tried.
#[derive(Debug, Args)]
pub(super) struct Test {
    /// The method, such as GET
    method: String,
    /// The URL that the client asks for, or its path alone
    url: String,
    /// The gate
    #[arg(long, value_name = "NAME", default_value = "default")]
    gate: String,
    /// Where the key comes from: only -, stdin [default: no key]
    #[arg(long, value_name = "-", value_parser = ["-"])]
    key: Option<String>,
    /// The client's address
    #[arg(long, value_name = "A")]
    ip: Option<String>,
    /// The method that a CORS preflight announces; with the method OPTIONS
    #[arg(long, value_name = "METHOD")]
    preflight_for: Option<String>,
}

const FIELDS: [&str; 10] = [
    "id",
    "name",
    "description",
    "credentials",
    "organizations",
    "environments",
    "cost",
    "preflight",
    "created_at",
    "version",
];

/// Runs a command.
pub(super) fn run(command: &Command, client: &Client, json: bool) -> Result<(), Failure> {
    let path = |name: &str| format!("/v1/gates/{}", segment(name));
    match command {
        Command::Create(policy) => {
            let body = policy.body(&[("name", policy.name.as_str().into())])?;
            let target = "/v1/gates".to_owned();
            shown(&client.ask(&Ask { method: "POST", target, body })?, json)
        },
        Command::List => {
            let gates = all(client, "/v1/gates", None)?;
            print_all(gates, &["name", "description", "cost", "version"], "none but default", json)
        },
        Command::Show { name } => {
            shown(&client.ask(&Ask { method: "GET", target: path(name), body: None })?, json)
        },
        Command::Set(policy) => {
            let (target, body) = (path(&policy.name), policy.body(&[])?);
            shown(&client.ask(&Ask { method: "PATCH", target, body })?, json)
        },
        Command::Delete { name } => {
            client.ask(&Ask { method: "DELETE", target: path(name), body: None })?;
            say(&format!("deleted {name}"));
            Ok(())
        },
        Command::Test(test) => test.run(client, json),
    }
}

impl Policy {
    /// The body of the request: what was named, and these fields.
    fn body(&self, more: &[(&str, Value)]) -> Result<Option<Value>, Failure> {
        let mut body: Map<String, Value> =
            more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let mut put = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
        if !self.routes.is_empty() {
            let routes = self.routes.iter().map(|text| route(text));
            put("routes", routes.collect::<Result<Vec<_>, _>>()?.into());
        }
        if !self.credentials.is_empty() {
            put("credentials", self.credentials.clone().into());
        }
        for (name, named) in
            [("organizations", &self.organizations), ("environments", &self.environments)]
        {
            match named.as_slice() {
                [] => {},
                [all] if all == "all" => put(name, Value::Null),
                some => put(name, some.into()),
            }
        }
        if let Some(cost) = self.cost {
            put("cost", cost.into());
        }
        if let Some(preflight) = &self.preflight {
            put("preflight", preflight.as_str().into());
        }
        if let Some(description) = &self.description {
            put("description", description.as_str().into());
        }
        Ok(Some(Value::Object(body)))
    }
}

/// A route as it is written. What methods, hosts, paths and requirements may be, the API says.
fn route(text: &str) -> Result<Value, Failure> {
    let mut rest = text.trim();
    let mut methods = Value::Null;
    if let Some((first, more)) = rest.split_once(char::is_whitespace)
        && !first.contains('/')
    {
        methods = first.split(',').collect();
        rest = more.trim_start();
    }
    let (place, needs) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let Some(at) = place.find('/') else {
        let said =
            format!("{text:?} names no path; a route is such as 'GET /orders/** orders:read'");
        return Err(Failure::new(Exit::Usage, said));
    };
    let (host, path) = place.split_at(at);
    let (mut needs, mut cost, mut allow) = (needs.trim(), Value::Null, Value::Null);
    loop {
        let (before, last) = needs.rsplit_once(char::is_whitespace).unwrap_or(("", needs));
        if let Some(units) = last.strip_prefix("cost=") {
            cost = units.parse::<u32>().map(Value::from).map_err(|_source| {
                Failure::new(Exit::Usage, format!("{text:?}: cost= must be a whole number"))
            })?;
        } else if let Some(kinds) = last.strip_prefix("allow=") {
            allow = kinds.split(',').collect();
        } else {
            break;
        }
        needs = before.trim_end();
    }
    if needs.contains("cost=") || needs.contains("allow=") {
        let said = format!("{text:?}: cost= and allow= must end a route");
        return Err(Failure::new(Exit::Usage, said));
    }
    let (access, permissions) = match needs {
        "public" | "denied" => (needs, Value::Null),
        "" => ("key", Value::Null),
        requirement => ("key", requirement.into()),
    };
    let host = if host.is_empty() { Value::Null } else { host.into() };
    Ok(json!({
        "methods": methods, "host": host, "path": path, "access": access, "permissions": permissions,
        "cost": cost, "allow": allow,
    }))
}

/// A gate: its fields, then its routes as they are written.
fn shown(gate: &Value, json: bool) -> Result<(), Failure> {
    print_one(gate, &FIELDS, json)?;
    let routes = gate.get("routes").and_then(Value::as_array).filter(|_routes| !json);
    for route in routes.into_iter().flatten() {
        print(&format!("{:<15} {}", "route", written(route)))?;
    }
    Ok(())
}

/// A route as one writes it.
fn written(route: &Value) -> String {
    let text = |name: &str| route.get(name).and_then(Value::as_str).unwrap_or_default();
    let methods = route.get("methods").and_then(Value::as_array);
    let methods: Vec<_> = methods.into_iter().flatten().filter_map(Value::as_str).collect();
    let needs = if text("access") == "key" { text("permissions") } else { text("access") };
    let place = format!("{}{}", text("host"), text("path"));
    let cost = route.get("cost").and_then(Value::as_u64).map(|units| format!("cost={units}"));
    let kinds = route.get("allow").and_then(Value::as_array);
    let kinds: Vec<_> = kinds.into_iter().flatten().filter_map(Value::as_str).collect();
    let allow = if kinds.is_empty() { String::new() } else { format!("allow={}", kinds.join(",")) };
    let parts = [methods.join(","), place, needs.to_owned(), cost.unwrap_or_default(), allow];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

impl Test {
    fn run(&self, client: &Client, json: bool) -> Result<(), Failure> {
        let mut body = json!({
            "method": self.method, "url": self.url, "ip": self.ip, "preflight_for": self.preflight_for,
        });
        if self.key.is_some() {
            let key = key_from_stdin()?;
            if let Value::Object(fields) = &mut body {
                fields.insert("key".to_owned(), key.as_str().into());
            }
        }
        let target = format!("/v1/gates/{}/test", segment(&self.gate));
        let told = client.ask(&Ask { method: "POST", target, body: Some(body) })?;
        let allowed = told.get("allowed").and_then(Value::as_bool).unwrap_or(false);
        if json {
            print(&told.to_string())?;
        } else {
            told_in_lines(&told)?;
        }
        if allowed { Ok(()) } else { Err(Failure::new(Exit::Denied, "")) }
    }
}

fn told_in_lines(told: &Value) -> Result<(), Failure> {
    let text = |of: &Value, name: &str| {
        of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let status = told.get("status").and_then(Value::as_u64).unwrap_or_default();
    print(format!("{status} {} {}", text(told, "code"), text(told, "detail")).trim_end())?;
    match told.get("route").filter(|route| !route.is_null()) {
        Some(route) => print(&format!("{:<8} {}", "route", written(route)))?,
        None => print(&format!("{:<8} {}", "route", "-"))?,
    }
    let rules = told.pointer("/explain/rules").and_then(Value::as_array);
    let reached = rules.into_iter().flatten().filter(|rule| text(rule, "outcome") != "not_reached");
    for rule in reached {
        let line =
            [text(rule, "outcome"), text(rule, "source"), text(rule, "code"), text(rule, "detail")];
        print(format!("{:<8} {:<12} {} {}", line[0], line[1], line[2], line[3]).trim_end())?;
    }
    Ok(())
}
