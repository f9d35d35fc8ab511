//! The server refuses to start if the clock was set back far, because expired objects would become
//! valid again.

use keyhouse::model::id::Id;
use keyhouse::model::moment::Moment;
use keyhouse::records::encode;
use keyhouse::records::event::EventRecord;
use keyhouse::records::place::StoreKey;
use keyhouse_storage::{Batch, Store};
use keyhouse_storage_redb::{RedbSettings, RedbStore};

use crate::deadlines::seconds_since_1970;
use crate::server::{Launch, Server};
use crate::test_server::TestServer;

/// Adds an event whose time is after the clock by the given time.
fn leave_event(instance: &TestServer, seconds_ahead: u64) {
    let store = RedbStore::open(&RedbSettings::new(instance.home().data())).unwrap();
    let seconds = i64::try_from(seconds_since_1970() + seconds_ahead).unwrap();
    let at = Moment::from_milliseconds(seconds * 1_000);
    let id = Id::new(at, &mut rand::rng());
    let event = EventRecord {
        id,
        at,
        actor: None,
        address: None,
        organization: None,
        action: "key.revoke".into(),
        target: "key".to_owned(),
        before: serde_json::Map::new(),
        after: serde_json::Map::new(),
    };
    let place = StoreKey::Event(id);
    store.commit(Batch::new().put(place.to_bytes(), encode(&place, &event).unwrap())).unwrap();
    store.close().unwrap();
}

#[test]
fn a_clock_an_hour_behind_the_newest_event_is_refused_unless_accepted() {
    let mut instance = TestServer::start();
    instance.stop();
    leave_event(&instance, 30 * 60);
    instance.restart();
    instance.stop();
    leave_event(&instance, 2 * 60 * 60);
    let launch = |args| Server::launch(&Launch { home: instance.home(), wrapper: &[], args });
    let refused = launch(&[]).unwrap_err();
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("--accept-clock"), "{refused:?}");
    let accepted = launch(&["--accept-clock"]).unwrap();
    assert!(accepted.log().tail().contains("accepted"), "{}", accepted.log().tail());
}
