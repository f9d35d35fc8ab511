//! `keyhouse upgrade`, and the upgrade at a start: stores of earlier formats.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use keyhouse::backends;
use keyhouse::config::StorageUrl;
use keyhouse_storage::{Batch, Store as _};
use serde_json::json;

use crate::cli::{assert_failed, json_of, stdout_of};
use crate::me::totp::code_of;
use crate::seal_key::assert_no_seed;
use crate::server::{Home, Server, bytes_of};

/// A store that a server of format 3 wrote, with a key and an owner who has a second factor.
const FORMAT_3: &str = "tests/formats/3.redb.gz";
const FORMAT_3_KEY: &str = "kh_live_YkzMQyaDZXKpO6B7xnogjFCkQ54nn1RbhvHlUwjegTm2tfXJj";
const FORMAT_3_SEED: &str = "P6Y72FBFMMKDIB5N7PXHCGQQYYLQG4PV";
const FORMAT_3_PASSWORD: &str = "correct horse battery staple";
/// The format of this program.
const FORMAT: u32 = 4;

fn store_file(home: &Home) -> PathBuf {
    home.data().join("keyhouse.redb")
}

/// A data directory with the store of format 3.
fn home_of_format_3() -> Arc<Home> {
    let home = Home::new();
    let mut store = Vec::new();
    flate2::read::GzDecoder::new(&*bytes_of(FORMAT_3.as_ref())).read_to_end(&mut store).unwrap();
    let seed = FORMAT_3_SEED.as_bytes();
    assert!(store.windows(seed.len()).any(|part| part == seed), "the fixture has a plain seed");
    fs::create_dir_all(home.data()).unwrap();
    fs::set_permissions(home.data(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(store_file(&home), &store).unwrap();
    fs::set_permissions(store_file(&home), fs::Permissions::from_mode(0o600)).unwrap();
    home
}

/// The names of the backups in the data directory.
fn backups(home: &Home) -> Vec<String> {
    let entries = fs::read_dir(home.data()).unwrap();
    let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(".khb")).collect()
}

fn assert_works(home: &Arc<Home>) {
    let server = Server::start_in(home, &["--accept-clock"]);
    let bearer = format!("Bearer {FORMAT_3_KEY}");
    let headers = [("Authorization", bearer.as_str())];
    assert_eq!(server.ask("GET", "/v1/whoami", &headers, "").status, 200);
    let code = code_of(FORMAT_3_SEED, 0);
    let body = json!({"email": "ada@example.com", "password": FORMAT_3_PASSWORD, "code": code});
    let signed_in = server.ask_json("POST", "/v1/session", &[], &body);
    assert_eq!(signed_in.status, 201, "{signed_in:?}");
    server.stop();
}

/// Unused pages of an upgraded store may still have the seed as plain text. A store that is restored
/// from a later backup has no such pages.
fn assert_no_seed_after_restore(home: &Home) {
    assert_eq!(home.run_cli(&["backup", "after.khb"], "").code, Some(0));
    let restored = home.run_cli(&["restore", "after.khb", "--replace"], "");
    assert_eq!(restored.code, Some(0), "{restored:?}");
    assert_no_seed(home, FORMAT_3_SEED);
}

#[test]
fn a_start_upgrades_a_store_of_format_3() {
    let home = home_of_format_3();
    assert_works(&home);
    stdout_of(&home.run_cli(&["check"], ""));
    assert_no_seed_after_restore(&home);
}

#[test]
fn a_compaction_removes_plain_seeds_from_unused_pages() {
    let home = home_of_format_3();
    let refused = home.run_cli(&["check"], "");
    assert_failed(&refused, 5, &["the store has format 3", "keyhouse upgrade"]);
    stdout_of(&home.run_cli(&["upgrade"], ""));
    stdout_of(&home.run_cli(&["check"], ""));
    stdout_of(&home.run_cli(&["compact"], ""));
    assert_no_seed(&home, FORMAT_3_SEED);
    stdout_of(&home.run_cli(&["check"], ""));
    assert_works(&home);
    let backup = home.data().join("before-format-4.khb");
    stdout_of(&home.run_cli(&["check", "--file", backup.to_str().unwrap()], ""));
}

#[test]
fn an_upgrade_is_previewed_and_backed_up_and_can_be_taken_back() {
    let home = home_of_format_3();
    let preview = home.run_cli(&["upgrade", "--dry-run"], "");
    assert_eq!(
        (preview.code, preview.stdout.as_str()),
        (Some(0), "format 3 -> 4\n  4: the seeds of second factors are encrypted (1 records)\n"),
    );
    let preview = json_of(&home.run_cli(&["upgrade", "--dry-run", "--json"], ""));
    assert_eq!((&preview["from"], &preview["to"]), (&json!(3), &json!(FORMAT)));
    // A start that fails after the backup and before the upgrade leaves one backup, however often.
    for _ in 0..2 {
        let failed = home.run_cli(&["serve", "--seal-key-file", "missing.key"], "");
        assert_eq!(failed.code, Some(1), "{failed:?}");
        assert_eq!(backups(&home), ["before-format-4.khb"]);
    }
    let upgraded = json_of(&home.run_cli(&["upgrade", "--json"], ""));
    assert_eq!(backups(&home), ["before-format-4.khb"]);
    let backup = upgraded["backup"].as_str().unwrap();
    let listed = json_of(&home.run_cli(&["restore", backup, "--list", "--json"], ""));
    assert_eq!(listed["store_format"], 3);
    let again = home.run_cli(&["upgrade"], "");
    let nothing = "the store has format 4: nothing to upgrade\n";
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), nothing));
    let restored = home.run_cli(&["restore", backup, "--replace"], "");
    assert_eq!(restored.code, Some(0), "{restored:?}");
    assert_works(&home);
}

#[test]
fn a_store_of_a_later_format_is_refused() {
    let home = home_of_format_3();
    let store = backends::open(&StorageUrl::Redb(home.data())).unwrap();
    let later = format!("\u{1}{{\"f\":{}}}", FORMAT + 1);
    store.commit(Batch::new().put("format", later)).unwrap();
    store.close().unwrap();
    for args in [&["serve"][..], &["upgrade"], &["upgrade", "--dry-run"], &["key", "list"]] {
        let refused = home.run_cli(args, "");
        assert_eq!(refused.code, Some(1), "{args:?}: {refused:?}");
        let text = "the store has format 5, this program supports 4: use the version that wrote it";
        assert!(refused.stderr.contains(text), "{args:?}: {refused:?}");
    }
}
