//! Each rule finds its fault in otherwise clean facts, and nothing else does.

use std::collections::BTreeSet;
use std::time::Duration;

use super::examination::{GROUPS, findings};
use super::facts::{
    ArrivedFacts, BackupFacts, DiskFacts, FileFacts, FileRole, GateFacts, HostFacts, ProbeAnswer,
    ProcessFacts, PublicFacts, ServerFacts,
};
use super::proxy::FORGED_ADDRESS;
use super::server::VERSION;
use crate::config::{ProcessEnvironment, Settings, UnknownVariable, Written};
use crate::model::moment::Moment;

const URL: &str = "https://keys.example.com";
const DAY: Duration = Duration::from_hours(24);

fn settings(more: &[(&'static str, &str)]) -> Settings {
    let written = [("data", "/var/lib/none"), ("public_url", URL)];
    let written = written.iter().chain(more).map(|(key, text)| (*key, (*text).to_owned()));
    Settings::new(Written::of_flags(written), None, &ProcessEnvironment::default()).unwrap()
}

fn file(role: FileRole, path: &str, mode: u32) -> FileFacts {
    FileFacts { role, path: path.into(), mode, owner: 998 }
}

fn now() -> Moment {
    "2027-01-31T12:00:00Z".parse().unwrap()
}

fn unauthorized() -> ProbeAnswer {
    ProbeAnswer {
        status: 401,
        challenges: "Bearer realm=\"keyhouse\"".to_owned(),
        content_type: "application/problem+json".to_owned(),
        cache_control: "no-store".to_owned(),
        date: Some(now()),
        code: "NO_CREDENTIAL".to_owned(),
        ..ProbeAnswer::default()
    }
}

fn clean() -> HostFacts {
    let arrived = ArrivedFacts {
        host: "keys.example.com".to_owned(),
        peer: Some([127, 0, 0, 1].into()),
        is_trusted: true,
        client: Some([192, 0, 2, 7].into()),
        forwarded_for: vec![FORGED_ADDRESS.to_owned(), "192.0.2.7".to_owned()],
        identity_headers: Vec::new(),
    };
    let plain = ProbeAnswer { status: 308, location: format!("{URL}/"), ..ProbeAnswer::default() };
    let disk = DiskFacts { directory: "/var/lib/none".into(), free_bytes: 1 << 30, store_bytes: 1 };
    HostFacts {
        now: now(),
        settings: settings(&[]),
        unknown_variables: Vec::new(),
        files: vec![
            file(FileRole::DataDirectory, "/var/lib/none", 0o700),
            file(FileRole::Store, "/var/lib/none/keyhouse.redb", 0o600),
            file(FileRole::SealKey, "/var/lib/none/seal.key", 0o600),
            file(FileRole::Configuration, "/etc/keyhouse.toml", 0o644),
            file(FileRole::BackupDirectory, "/mnt/backup", 0o700),
        ],
        disks: vec![disk],
        backups: Some(BackupFacts {
            directory: "/mnt/backup".into(),
            every: DAY,
            newest: Some(now().before(DAY)),
            is_encrypted: false,
            is_beside_store: false,
        }),
        unresolved: Vec::new(),
        is_down: false,
        server: Some(ServerFacts {
            not_ready: None,
            version: VERSION.to_owned(),
            public_url: URL.to_owned(),
            is_set_up: true,
            open_operators: Vec::new(),
            newest_event: Some(now()),
            backup_failures: 0,
        }),
        process: Some(ProcessFacts { user: 998, open_files: Some(20_000), core_bytes: Some(0) }),
        public: Some(PublicFacts {
            url: URL.to_owned(),
            answer: Ok(unauthorized()),
            is_watched: true,
            arrived: Some(arrived),
            page_has_policy: Some(true),
            plain: Some(plain),
        }),
        gates: vec![GateFacts {
            url: "https://api.example.com/".to_owned(),
            answer: Ok(unauthorized()),
            identity_headers: Vec::new(),
        }],
        not_checked: Vec::new(),
    }
}

fn codes(facts: &HostFacts) -> Vec<&'static str> {
    findings(facts).iter().map(|finding| finding.rule.code).collect()
}

type Plant = fn(&mut HostFacts);

/// A fault of each rule.
const FAULTS: &[(&str, Plant)] = &[
    ("data_directory_open", |facts| facts.files[0].mode = 0o750),
    ("store_file_open", |facts| facts.files[1].mode = 0o602),
    ("seal_key_open", |facts| facts.files[2].mode = 0o640),
    ("configuration_writable", |facts| facts.files[3].mode = 0o664),
    ("file_of_another_user", |facts| facts.files[1].owner = 0),
    ("password_file_left", |facts| {
        facts.files.push(file(FileRole::Password, "/etc/password", 0o600));
    }),
    ("disk_full", |facts| facts.disks[0].free_bytes = 256 * 1024 * 1024 - 1),
    ("disk_full", |facts| facts.disks[0].store_bytes = (1 << 30) + 1),
    ("plain_http", |facts| {
        facts.settings = settings(&[("allow_plain_http", "true"), ("listen", "0.0.0.0:80")]);
    }),
    ("listen_public", |facts| {
        let proxy = ("trusted_proxies", "10.0.0.7");
        facts.settings = settings(&[("listen", "0.0.0.0:80"), proxy]);
    }),
    ("check_listen_public", |facts| {
        let proxy = ("trusted_proxies", "10.0.0.7");
        facts.settings = settings(&[("check_listen", "198.51.100.7:80"), proxy]);
    }),
    ("metrics_public", |facts| facts.settings = settings(&[("metrics_listen", "[::]:9117")])),
    ("trusted_proxies_wide", |facts| {
        facts.settings = settings(&[("trusted_proxies", "10.0.0.7,0.0.0.0/0")]);
    }),
    ("trusted_proxies_wide", |facts| {
        facts.settings = settings(&[("trusted_proxies", "2000::/3")]);
    }),
    ("trusted_proxy_unknown", |facts| facts.unresolved.push("proxy".to_owned())),
    ("storage_in_memory", |facts| facts.settings = settings(&[("storage", "memory:")])),
    ("change_rate_off", |facts| facts.settings = settings(&[("limits.key_changes", "off")])),
    ("clock_accepted", |facts| facts.settings = settings(&[("accept_clock", "true")])),
    ("log_verbose", |facts| facts.settings = settings(&[("log", "keyhouse=debug")])),
    ("variable_unknown", |facts| {
        let name = "KEYHOUSE_LISEN".to_owned();
        facts.unknown_variables.push(UnknownVariable { name, meant: None });
    }),
    ("backup_unscheduled", |facts| facts.backups = None),
    ("backup_old", |facts| {
        let newest = now().before(2 * DAY + Duration::from_secs(1));
        facts.backups.as_mut().unwrap().newest = Some(newest);
    }),
    ("backup_failed", |facts| {
        facts.backups.as_mut().unwrap().newest = None;
        facts.server.as_mut().unwrap().backup_failures = 1;
    }),
    ("backup_beside_store", |facts| facts.backups.as_mut().unwrap().is_beside_store = true),
    ("backup_directory_open", |facts| facts.files[4].mode = 0o755),
    ("seal_key_with_backups", |facts| facts.files[2].path = "/mnt/backup/seal.key".into()),
    ("server_down", |facts| {
        facts.is_down = true;
        (facts.server, facts.process) = (None, None);
    }),
    ("server_not_ready", |facts| {
        facts.server.as_mut().unwrap().not_ready = Some("the index is loading".to_owned());
    }),
    ("server_version", |facts| facts.server.as_mut().unwrap().version = "0.0.0".to_owned()),
    ("settings_differ", |facts| {
        facts.server.as_mut().unwrap().public_url = "https://other.example.com".to_owned();
    }),
    ("not_set_up", |facts| facts.server.as_mut().unwrap().is_set_up = false),
    ("operator_without_second_factor", |facts| {
        facts.server.as_mut().unwrap().open_operators.push("ada@example.com".to_owned());
    }),
    ("clock_behind", |facts| {
        let newest = now().after(Duration::from_secs(31));
        facts.server.as_mut().unwrap().newest_event = Some(newest);
    }),
    ("open_files_few", |facts| facts.process.as_mut().unwrap().open_files = Some(1_024)),
    ("core_dumps", |facts| facts.process.as_mut().unwrap().core_bytes = None),
    ("public_url_unreachable", |facts| {
        let public = facts.public.as_mut().unwrap();
        public.answer = Err("the certificate has expired".to_owned());
        (public.arrived, public.page_has_policy) = (None, None);
    }),
    ("public_url_elsewhere", |facts| facts.public.as_mut().unwrap().arrived = None),
    ("proxy_not_trusted", |facts| {
        let arrived = arrived_of(facts);
        arrived.is_trusted = false;
        arrived.forwarded_for.clear();
    }),
    ("proxy_host_changed", |facts| arrived_of(facts).host = "keyhouse".to_owned()),
    ("forwarded_for_missing", |facts| arrived_of(facts).forwarded_for.clear()),
    ("forwarded_for_forged", |facts| {
        arrived_of(facts).client = FORGED_ADDRESS.parse().ok();
        arrived_of(facts).forwarded_for = vec![FORGED_ADDRESS.to_owned()];
    }),
    // The first proxy forwards the header, and a second one appends the address of the first.
    ("forwarded_for_forged", |facts| {
        arrived_of(facts).client = FORGED_ADDRESS.parse().ok();
    }),
    ("unauthorized_changed", |facts| answer_of(facts).status = 403),
    ("unauthorized_changed", |facts| answer_of(facts).challenges.clear()),
    ("unauthorized_changed", |facts| answer_of(facts).content_type = "text/html".to_owned()),
    ("responses_cached", |facts| answer_of(facts).cache_control = "max-age=60".to_owned()),
    ("responses_cached", |facts| answer_of(facts).has_age = true),
    ("page_policy_missing", |facts| {
        facts.public.as_mut().unwrap().page_has_policy = Some(false);
    }),
    ("clocks_differ", |facts| {
        answer_of(facts).date = Some(now().after(Duration::from_secs(31)));
    }),
    ("clocks_differ", |facts| {
        answer_of(facts).date = Some(now().before(Duration::from_secs(31)));
    }),
    ("http_not_redirected", |facts| {
        facts.public.as_mut().unwrap().plain.as_mut().unwrap().status = 200;
    }),
    ("http_not_redirected", |facts| {
        let plain = facts.public.as_mut().unwrap().plain.as_mut().unwrap();
        plain.location = "http://keys.example.com/".to_owned();
    }),
    ("gate_unreachable", |facts| facts.gates[0].answer = Err("refused".to_owned())),
    ("gate_open", |facts| gate_of(facts).status = 200),
    ("gate_broken", |facts| gate_of(facts).status = 500),
    ("gate_challenge_missing", |facts| gate_of(facts).challenges = "Basic realm=\"x\"".to_owned()),
    ("identity_headers_passed", |facts| {
        facts.gates[0].identity_headers.push("x-keyhouse-user".to_owned());
    }),
];

fn arrived_of(facts: &mut HostFacts) -> &mut ArrivedFacts {
    facts.public.as_mut().unwrap().arrived.as_mut().unwrap()
}

fn answer_of(facts: &mut HostFacts) -> &mut ProbeAnswer {
    facts.public.as_mut().unwrap().answer.as_mut().unwrap()
}

fn gate_of(facts: &mut HostFacts) -> &mut ProbeAnswer {
    facts.gates[0].answer.as_mut().unwrap()
}

#[test]
fn each_rule_finds_its_fault_and_no_other() {
    assert_eq!(codes(&clean()), [""; 0]);
    for (number, (code, plant)) in FAULTS.iter().enumerate() {
        let mut facts = clean();
        plant(&mut facts);
        assert_eq!(codes(&facts), [*code], "fault {number}");
    }
    let planted: BTreeSet<&str> = FAULTS.iter().map(|(code, _)| *code).collect();
    let rules: Vec<&str> =
        GROUPS.iter().flat_map(|group| group.rules).map(|rule| rule.code).collect();
    assert_eq!(planted.len(), rules.len(), "a rule without a fault, or a code of two rules");
    assert_eq!(planted, rules.into_iter().collect());
}

/// What a host legitimately has is no finding.
#[test]
fn similar_facts_are_no_findings() {
    let allowed: &[(&str, Plant)] = &[
        ("a credential of systemd", |facts| {
            let path = "/run/credentials/keyhouse.service/seal.key";
            facts.files[2] = file(FileRole::SealKey, path, 0o440);
        }),
        ("an encrypted backup", |facts| {
            facts.files[4].mode = 0o755;
            facts.backups.as_mut().unwrap().is_encrypted = true;
        }),
        ("private addresses", |facts| {
            facts.settings = settings(&[
                ("listen", "10.0.0.7:80"),
                ("check_listen", "[fd00::7]:81"),
                ("metrics_listen", "192.168.1.7:82"),
                ("trusted_proxies", "10.0.0.0/8,fc00::/7"),
            ]);
        }),
        ("a proxy that replaces X-Forwarded-For", |facts| {
            arrived_of(facts).forwarded_for = vec!["192.0.2.7".to_owned()];
        }),
        ("no answer on port 80", |facts| facts.public.as_mut().unwrap().plain = None),
        ("a clock that was corrected by seconds", |facts| {
            let newest = now().after(Duration::from_secs(30));
            facts.server.as_mut().unwrap().newest_event = Some(newest);
        }),
        ("no proxy", |facts| {
            let url = "http://localhost:7117";
            let written = [("data", "/var/lib/none"), ("public_url", url)];
            let written = Written::of_flags(written.map(|(key, text)| (key, text.to_owned())));
            let environment = ProcessEnvironment::default();
            facts.settings = Settings::new(written, None, &environment).unwrap();
            facts.server.as_mut().unwrap().public_url = url.to_owned();
            url.clone_into(&mut facts.public.as_mut().unwrap().url);
            arrived_of(facts).host = "localhost:7117".to_owned();
            arrived_of(facts).client = FORGED_ADDRESS.parse().ok();
            arrived_of(facts).forwarded_for = vec![FORGED_ADDRESS.to_owned()];
            facts.public.as_mut().unwrap().plain = None;
        }),
    ];
    for (claim, plant) in allowed {
        let mut facts = clean();
        plant(&mut facts);
        assert_eq!(codes(&facts), [""; 0], "{claim}");
    }
}
