//! Rules about the proxies: what became of probes through the public URL and through gates.

use std::time::Duration;

use crate::cli::doctor::facts::{ArrivedFacts, GateFacts, HostFacts, ProbeAnswer, PublicFacts};
use crate::cli::doctor::rule::{FaultRule, Severity};
use crate::config::Listen;

/// The address that a probe claims to come from: one of TEST-NET-3, which no client has (RFC 5737).
pub(super) const FORGED_ADDRESS: &str = "203.0.113.199";
/// The realm of every challenge of Keyhouse.
const REALM: &str = "realm=\"keyhouse\"";
const PROBLEM: &str = "application/problem+json";
const NO_STORE: &str = "no-store";
/// The largest difference between the clocks of the proxy and of this host.
const CLOCK_DIFFERENCE_MAX: Duration = Duration::from_secs(30);

pub(super) const RULES: &[FaultRule] = &[
    FaultRule {
        code: "public_url_unreachable",
        severity: Severity::Error,
        meaning: "the public URL does not answer, or its certificate is not valid",
        remedy: "Start the proxy, and correct its certificate, the DNS record or `public_url`.",
        find: |facts| {
            of_public(facts, |it| Some(format!("{}: {}", it.url, it.answer.as_ref().err()?)))
        },
    },
    FaultRule {
        code: "public_url_elsewhere",
        severity: Severity::Error,
        meaning: "requests to the public URL do not arrive at this server",
        remedy: "Let the proxy forward every path of this name to the listen address, without \
                 authentication of its own.",
        find: elsewhere,
    },
    FaultRule {
        code: "proxy_not_trusted",
        severity: Severity::Error,
        meaning: "the proxy is not trusted, so Keyhouse takes its address for that of every client",
        remedy: "Add the proxy's address to `trusted_proxies`.",
        find: |facts| {
            arrived(
                facts,
                |it| !it.is_trusted,
                |it| match it.peer {
                    Some(peer) => format!("the proxy's address is {peer}"),
                    None => "the proxy uses a Unix socket".to_owned(),
                },
            )
        },
    },
    FaultRule {
        code: "proxy_host_changed",
        severity: Severity::Error,
        meaning: "the proxy replaces the Host header, so browsers cannot sign in",
        remedy: "Forward Host unchanged (nginx: `proxy_set_header Host $http_host`, Apache: \
                 `ProxyPreserveHost On`).",
        find: host_changed,
    },
    FaultRule {
        code: "forwarded_for_missing",
        severity: Severity::Error,
        meaning: "the proxy sends no X-Forwarded-For, so the addresses of clients are unknown",
        remedy: "Set the header (nginx: `proxy_set_header X-Forwarded-For $remote_addr`, HAProxy: \
                 `option forwardfor`, Envoy: `use_remote_address: true`).",
        find: |facts| {
            let is_missing = |it: &ArrivedFacts| it.is_trusted && it.forwarded_for.is_empty();
            arrived(facts, is_missing, |_| "X-Forwarded-For did not arrive".to_owned())
        },
    },
    FaultRule {
        code: "forwarded_for_forged",
        severity: Severity::Error,
        meaning: "the proxy forwards the X-Forwarded-For that a client sends, so clients can forge \
                  their address",
        remedy: "Let the proxy replace the header, or append the address of its client.",
        find: |facts| {
            let is_forged = |it: &ArrivedFacts| {
                let is_taken = it.client.is_some_and(|it| it.to_string() == FORGED_ADDRESS);
                is_taken && !is_direct(facts)
            };
            arrived(facts, is_forged, |it| {
                format!("X-Forwarded-For arrived as {}", it.forwarded_for.join(", "))
            })
        },
    },
    FaultRule {
        code: "unauthorized_changed",
        severity: Severity::Error,
        meaning: "the proxy changes the 401 responses of this server",
        remedy: "Let the proxy forward the status, `WWW-Authenticate` and the body, without error \
                 pages of its own.",
        find: unauthorized_changed,
    },
    FaultRule {
        code: "responses_cached",
        severity: Severity::Error,
        meaning: "a cache may store responses with the data of users",
        remedy: "Let the proxy forward `Cache-Control: no-store`, and turn off its cache for this \
                 name.",
        find: cached,
    },
    FaultRule {
        code: "page_policy_missing",
        severity: Severity::Error,
        meaning: "the page arrives without its Content-Security-Policy",
        remedy: "Let the proxy forward the headers of the page, and set no policy of its own.",
        find: |facts| {
            let is_bare = |it: &PublicFacts| it.page_has_policy == Some(false);
            of_public(facts, |it| is_bare(it).then(|| format!("{}/", it.url)))
        },
    },
    FaultRule {
        code: "clocks_differ",
        severity: Severity::Warning,
        meaning: "the clocks of this host and of the proxy differ, so one of them is wrong",
        remedy: "Synchronise the clocks with NTP. Keys, sessions and codes depend on the time.",
        find: clocks_differ,
    },
    FaultRule {
        code: "http_not_redirected",
        severity: Severity::Warning,
        meaning: "plain HTTP requests are not redirected to HTTPS",
        remedy: "Let the proxy answer every request on port 80 with 308 to the https URL.",
        find: not_redirected,
    },
    FaultRule {
        code: "gate_unreachable",
        severity: Severity::Error,
        meaning: "the URL behind a gate does not answer",
        remedy: "Start the proxy, or correct `--gate-url`.",
        find: |facts| {
            let unreachable =
                |gate: &GateFacts| Some(format!("{}: {}", gate.url, gate.answer.as_ref().err()?));
            facts.gates.iter().filter_map(unreachable).collect()
        },
    },
    FaultRule {
        code: "gate_open",
        severity: Severity::Error,
        meaning: "a request without a key passes to the application behind a gate",
        remedy: "Add the check to the proxy's route. If the URL is a public route of the gate or a \
                 redirect, give `--gate-url` another URL.",
        find: |facts| gates(facts, |answer| answer.status < 400, described),
    },
    FaultRule {
        code: "gate_broken",
        severity: Severity::Error,
        meaning: "a request without a key to a gate gets an error other than 401",
        remedy: "Compare the proxy's configuration with its example. The code and the detail of \
                 the error describe what is wrong with the check.",
        find: |facts| {
            gates(facts, |answer| answer.status >= 400 && answer.status != 401, described)
        },
    },
    FaultRule {
        code: "gate_challenge_missing",
        severity: Severity::Warning,
        meaning: "a gate's 401 arrives without the challenge of Keyhouse",
        remedy: "Let the proxy forward `WWW-Authenticate` of the check, or give `--gate-url` a URL \
                 that a gate protects.",
        find: |facts| {
            let is_bare = |answer: &ProbeAnswer| answer.status == 401 && !is_challenged(answer);
            gates(facts, is_bare, |answer| format!("WWW-Authenticate is {:?}", answer.challenges))
        },
    },
    FaultRule {
        code: "identity_headers_passed",
        severity: Severity::Error,
        meaning: "the proxy does not remove the identity headers that a client sends",
        remedy: "Remove the `X-Keyhouse-*` headers of clients before the check, as the proxy's \
                 example does.",
        find: identity_headers,
    },
];

fn of_public(facts: &HostFacts, find: impl Fn(&PublicFacts) -> Option<String>) -> Vec<String> {
    facts.public.iter().filter_map(find).collect()
}

/// A finding if the probe arrived and is as `is_wrong` describes.
fn arrived(
    facts: &HostFacts,
    is_wrong: impl Fn(&ArrivedFacts) -> bool,
    place: impl Fn(&ArrivedFacts) -> String,
) -> Vec<String> {
    of_public(facts, |public| public.arrived.as_ref().filter(|it| is_wrong(it)).map(&place))
}

/// The answer to the probe, if the probe arrived.
fn answered(facts: &HostFacts) -> Option<&ProbeAnswer> {
    let public = facts.public.as_ref().filter(|public| public.arrived.is_some())?;
    public.answer.as_ref().ok()
}

/// Whether the public URL is the listen address itself, so that no proxy is in between.
fn is_direct(facts: &HostFacts) -> bool {
    match (&facts.settings.public_url, &facts.settings.listen) {
        (Some(url), Listen::Tcp(address)) => {
            let port = format!(":{}", address.port());
            !url.is_https() && url.is_loopback() && url.origin().ends_with(&port)
        },
        (Some(_), Listen::Unix(_)) | (None, _) => false,
    }
}

fn elsewhere(facts: &HostFacts) -> Vec<String> {
    of_public(facts, |public| {
        let status = public.answer.as_ref().ok()?.status;
        let is_elsewhere = public.is_watched && public.arrived.is_none();
        is_elsewhere.then(|| format!("{} answered a probe with {status}", public.url))
    })
}

fn host_changed(facts: &HostFacts) -> Vec<String> {
    let Some(url) = &facts.settings.public_url else { return Vec::new() };
    let place =
        |it: &ArrivedFacts| format!("Host arrived as {:?} instead of that of {url}", it.host);
    arrived(facts, |it| !url.is_named_by(&it.host), place)
}

fn unauthorized_changed(facts: &HostFacts) -> Vec<String> {
    let Some(answer) = answered(facts) else { return Vec::new() };
    let mut faults = Vec::new();
    if answer.status != 401 {
        faults.push(format!("the status arrived as {}", answer.status));
    }
    if !is_challenged(answer) {
        faults.push(format!("WWW-Authenticate arrived as {:?}", answer.challenges));
    }
    if !answer.content_type.starts_with(PROBLEM) || answer.code.is_empty() {
        faults.push(format!("the body arrived as {:?}", answer.content_type));
    }
    faults
}

/// Whether the answer has the challenge of Keyhouse.
fn is_challenged(answer: &ProbeAnswer) -> bool {
    answer.challenges.to_lowercase().contains(REALM)
}

fn cached(facts: &HostFacts) -> Vec<String> {
    let Some(answer) = answered(facts) else { return Vec::new() };
    let mut faults = Vec::new();
    if !answer.cache_control.contains(NO_STORE) {
        faults.push(format!("Cache-Control arrived as {:?}", answer.cache_control));
    }
    if answer.has_age {
        faults.push("a cache added Age".to_owned());
    }
    faults
}

fn clocks_differ(facts: &HostFacts) -> Vec<String> {
    let Some(date) = answered(facts).and_then(|answer| answer.date) else { return Vec::new() };
    let difference = facts.now.since(date).max(date.since(facts.now));
    let place = || format!("the response is of {date}, the clock shows {}", facts.now);
    (difference > CLOCK_DIFFERENCE_MAX).then(place).into_iter().collect()
}

fn not_redirected(facts: &HostFacts) -> Vec<String> {
    of_public(facts, |PublicFacts { url, plain, .. }| {
        let ProbeAnswer { status, location, .. } = plain.as_ref()?;
        let is_redirect = (300..400).contains(status) && location.starts_with("https://");
        let place = || format!("{} answered with {status}", url.replacen("https", "http", 1));
        (!is_redirect).then(place)
    })
}

fn gates(
    facts: &HostFacts,
    is_wrong: impl Fn(&ProbeAnswer) -> bool,
    place: impl Fn(&ProbeAnswer) -> String,
) -> Vec<String> {
    let mut found = Vec::new();
    for gate in &facts.gates {
        if let Ok(answer) = &gate.answer
            && is_wrong(answer)
        {
            found.push(format!("{}: {}", gate.url, place(answer)));
        }
    }
    found
}

/// The status of an answer, with the code and the explanation of a problem.
fn described(answer: &ProbeAnswer) -> String {
    let ProbeAnswer { status, code, detail, .. } = answer;
    let text = format!("the status is {status} {code} {detail}");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn identity_headers(facts: &HostFacts) -> Vec<String> {
    let passing = facts.gates.iter().filter(|gate| !gate.identity_headers.is_empty());
    passing.map(|gate| format!("{}: {}", gate.url, gate.identity_headers.join(", "))).collect()
}
