//! Calls of a key, counted one by one, on an instance whose clock stands still until a test moves it.

use std::sync::Arc;
use std::thread::scope;
use std::time::Duration;

use keyhouse::clock::ManualClock;
use keyhouse::records::access::PlanRecord;
use keyhouse::records::encode;
use keyhouse::records::place::StoreKey;
use keyhouse_storage::{Batch, Store as _};
use serde_json::{Value, json};

use crate::test_instance::TestInstance;

/// The response to a check.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) limits: String,
}

/// Starts a new instance whose clock shows `now`.
pub(crate) fn instance_at(now: &str) -> (TestInstance, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(now.parse().unwrap()));
    (TestInstance::at(Arc::clone(&clock) as Arc<_>), clock)
}

impl TestInstance {
    /// Sets the number of calls that the plan `pro` allows.
    pub(crate) fn plan(&self, in_ten_seconds: Option<u32>, in_a_month: Option<u64>) {
        let mut plan = PlanRecord::unlimited("pro", &["api_access", "teams"]);
        (plan.requests_per_10s, plan.requests_per_month) = (in_ten_seconds, in_a_month);
        let place = StoreKey::Plan("pro".into());
        let batch = Batch::new().put(place.to_bytes(), encode(&place, &plan).unwrap());
        let revision = self.store.commit(batch).unwrap();
        assert!(self.index().wait_for(revision, Duration::from_secs(20)));
    }

    /// Calls with a secret, through a proxy.
    pub(crate) fn call(&self, secret: &str) -> Said {
        let response = self.forward_auth(secret);
        let text = |name: &str| response.lines().get(name).unwrap_or_default().to_owned();
        let (code, limits) = (text("X-Keyhouse-Code"), text("RateLimit"));
        Said { status: response.status(), code, limits }
    }

    /// Returns how many calls pass. All other calls must return `refusal`.
    pub(crate) fn pass(&self, secret: &str, calls: usize, refusal: &str) -> usize {
        let passes = |said: &Said| {
            let fits = said.status == 200 || (said.status == 429 && said.code == refusal);
            assert!(fits, "{refusal} expected: {said:?}");
            said.status == 200
        };
        (0..calls).map(|_| self.call(secret)).filter(passes).count()
    }

    /// Calls from several threads at once and returns how many calls pass.
    pub(crate) fn pass_together(&self, threads: usize, secret: &str, refusal: &str) -> usize {
        scope(|scope| {
            let callers: Vec<_> =
                (0..threads).map(|_| scope.spawn(|| self.pass(secret, 60, refusal))).collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).sum()
        })
    }

    /// Returns the response of `/v1/verify` about a key, without counting a call.
    pub(crate) fn verify(&self, secret: &str) -> Value {
        let body = json!({"requests": [{"key": secret, "cost": 0}]});
        let (status, reported) = self.manage("POST", "/v1/verify/batch", &body);
        assert_eq!(status, 200, "{reported}");
        reported["results"][0].clone()
    }
}
