//! `keyhouse gate`: manages and tests gates.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::cli::arguments::whole_number;
use crate::cli::client::{Client, segment};
use crate::cli::exit::{Exit, Failure, print, print_message};
use crate::cli::listing::{all, fields_of, print_all, print_one};
use crate::cli::verify::key_from_stdin;
use crate::http::views::GateView;
use crate::model::gate::DEFAULT_GATE;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a gate
    #[command(after_help = EXAMPLE)]
    Create(Policy),
    /// List gates
    #[command(
        after_help = "The gate default always exists, accepts any valid key and is not listed."
    )]
    List,
    /// Show a gate
    Show {
        /// Name of the gate
        name: String,
    },
    /// Change a gate
    #[command(after_help = "Only the given options change.")]
    Set(Policy),
    /// Delete a gate
    #[command(
        after_help = "After the deletion, all requests from proxies that use the gate are denied."
    )]
    Delete {
        /// Name of the gate
        name: String,
    },
    /// Dry-run a request against a gate and explain the result
    #[command(after_help = "Example: keyhouse gate test GET https://api.example.com/orders/7 \
                            --gate orders --key - < secret.txt\n\n\
                            Exit code 0 if the request would be allowed, 4 if not. The call is not counted.")]
    Test(Test),
}

const EXAMPLE: &str = "\
A gate without routes denies every request.

Routes: [METHOD,..] [HOST]PATH [public | denied | REQUIREMENT] [cost=N] [allow=KIND,..]
  The most specific route decides.
  PATH matches segment by segment: {name} or * is one segment, a last ** is any number.
  KIND allows paths that are otherwise rejected: encoded_slash, double_slash, semicolon, utf8,
  trailing_dot or compatibility_form.

Example: keyhouse gate create orders --route '/health public' \\
           --route 'GET api.example.com/orders/** orders:read' \\
           --route 'api.example.com/orders/** orders:write AND (shop:a OR shop:b)'";

#[derive(Debug, Args)]
pub(super) struct Policy {
    /// Name of the gate in a proxy's check URL: a-z, 0-9 and -
    name: String,
    /// Route, such as 'GET /orders/** orders:read'; repeatable; replaces all routes
    #[arg(long = "route", value_name = "R")]
    routes: Vec<String>,
    /// Where a request may carry the key: authorization (Bearer and Basic), authorization:SCHEME, a
    /// header's name, cookie:NAME or websocket-protocol:PREFIX; repeatable [default: authorization,
    /// x-api-key, mc-api-key]
    #[arg(long = "credential", value_name = "C")]
    credentials: Vec<String>,
    /// Organization whose keys are accepted, by id, or all; repeatable [default: all]
    #[arg(long = "accept-organization", value_name = "ID")]
    organizations: Vec<String>,
    /// Environment whose keys are accepted, or all; repeatable [default: all]
    #[arg(long = "accept-environment", value_name = "E")]
    environments: Vec<String>,
    /// Units that a call takes from rate limits and quota [default: 1]
    #[arg(long, value_name = "N", value_parser = whole_number::<u32>)]
    cost: Option<u32>,
    /// CORS preflights: check them like other requests, or allow them without a key if a route
    /// matches the announced request [default: check]
    #[arg(long, value_name = "P", value_parser = ["check", "allow"])]
    preflight: Option<String>,
    /// Description
    #[arg(long, value_name = "D")]
    description: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Test {
    /// Method, such as GET
    method: String,
    /// URL or path of the request
    url: String,
    /// Gate to test
    #[arg(long, value_name = "NAME", default_value = "default")]
    gate: String,
    /// Read the key from stdin [default: no key]
    #[arg(long, value_name = "-", value_parser = ["-"])]
    key: Option<String>,
    /// IP address of the client
    #[arg(long, value_name = "A")]
    ip: Option<String>,
    /// Method that a CORS preflight announces; use with OPTIONS
    #[arg(long, value_name = "METHOD")]
    preflight_for: Option<String>,
}

const COLUMNS: [&str; 4] = fields_of::<GateView, 4>(["name", "description", "cost", "version"]);
const FIELDS: [&str; 10] = fields_of::<GateView, 10>([
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
]);

pub(super) fn run(command: &Command, client: &Client, json: bool) -> Result<(), Failure> {
    let path = |name: &str| format!("/v1/gates/{}", segment(name));
    match command {
        Command::Create(policy) => {
            let body = policy.body(&[("name", policy.name.as_str().into())])?;
            let target = "/v1/gates".to_owned();
            print_gate(&client.post(target, body)?, json)
        },
        Command::List => {
            let gates = all(client, "/v1/gates", &[])?;
            print_all(gates, &COLUMNS, "no gates; create one with keyhouse gate create NAME", json)
        },
        Command::Show { name } => {
            let shown = client.get(path(name));
            print_gate(&shown.map_err(|failure| of_gate(name, failure))?, json)
        },
        Command::Set(policy) => {
            let (target, body) = (path(&policy.name), policy.body(&[])?);
            let changed = client.patch(target, body);
            print_gate(&changed.map_err(|failure| of_gate(&policy.name, failure))?, json)
        },
        Command::Delete { name } => {
            client.delete(path(name)).map_err(|failure| of_gate(name, failure))?;
            print_message(&format!("deleted {name}"));
            Ok(())
        },
        Command::Test(test) => test.run(client, json),
    }
}

/// The failure of a command about a gate.
fn of_gate(name: &str, failure: Failure) -> Failure {
    if name == DEFAULT_GATE {
        let advice = "the gate default always exists, accepts any valid key and has no settings";
        return failure.advise(Exit::NotFound, advice);
    }
    failure
}

impl Policy {
    /// The body of the request: the given options and the fields of `more`.
    fn body(&self, more: &[(&str, Value)]) -> Result<Value, Failure> {
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
        Ok(Value::Object(body))
    }
}

/// Parses a route. The API validates methods, hosts, paths and requirements.
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
        let message = format!(
            "--route {text:?} has no path; write a route such as 'GET /orders/** orders:read'"
        );
        return Err(Failure::new(Exit::Usage, message));
    };
    let (host, path) = place.split_at(at);
    let (mut needs, mut cost, mut allow) = (needs.trim(), Value::Null, Value::Null);
    loop {
        let (before, last) = needs.rsplit_once(char::is_whitespace).unwrap_or(("", needs));
        if let Some(units) = last.strip_prefix("cost=") {
            cost = units.parse::<u32>().map(Value::from).map_err(|_source| {
                Failure::new(Exit::Usage, format!("--route {text:?}: cost= must be a whole number"))
            })?;
        } else if let Some(kinds) = last.strip_prefix("allow=") {
            allow = kinds.split(',').collect();
        } else {
            break;
        }
        needs = before.trim_end();
    }
    if needs.contains("cost=") || needs.contains("allow=") {
        let message = format!("--route {text:?}: cost= and allow= must be at the end of the route");
        return Err(Failure::new(Exit::Usage, message));
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

/// Prints a gate: its fields, then its routes.
fn print_gate(gate: &Value, json: bool) -> Result<(), Failure> {
    print_one(gate, &FIELDS, json)?;
    let routes = gate.get("routes").and_then(Value::as_array).filter(|_routes| !json);
    for route in routes.into_iter().flatten() {
        print(&format!("{:<15} {}", "route", written(route)))?;
    }
    Ok(())
}

/// A route in the form that [`route`] parses.
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
        let result = client.post(target, body)?;
        let allowed = result.get("allowed").and_then(Value::as_bool).unwrap_or(false);
        if json {
            print(&result.to_string())?;
        } else {
            print_result(&result)?;
        }
        if allowed { Ok(()) } else { Err(Failure::new(Exit::Denied, "")) }
    }
}

fn print_result(result: &Value) -> Result<(), Failure> {
    let text = |of: &Value, name: &str| {
        of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let status = result.get("status").and_then(Value::as_u64).unwrap_or_default();
    print(format!("{status} {} {}", text(result, "code"), text(result, "detail")).trim_end())?;
    match result.get("route").filter(|route| !route.is_null()) {
        Some(route) => print(&format!("{:<8} {}", "route", written(route)))?,
        None => print(&format!("{:<8} {}", "route", "-"))?,
    }
    let rules = result.pointer("/explain/rules").and_then(Value::as_array);
    let reached = rules.into_iter().flatten().filter(|rule| text(rule, "outcome") != "not_reached");
    for rule in reached {
        let line =
            [text(rule, "outcome"), text(rule, "source"), text(rule, "code"), text(rule, "detail")];
        print(format!("{:<8} {:<12} {} {}", line[0], line[1], line[2], line[3]).trim_end())?;
    }
    Ok(())
}
