//! A plain client of etcd, for what other programs and operators do.

use etcd_client::{
    AlarmAction, AlarmMember, AlarmOptions, AlarmType, Client, CompactionOptions, KeyValue,
};
use tokio::runtime::{Builder, Runtime};

pub(crate) struct Raw {
    runtime: Runtime,
    client: Client,
}

impl Raw {
    pub(crate) fn new(endpoint: &str) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let connect = Client::connect([endpoint.to_owned()], None);
        let client = runtime.block_on(connect).unwrap();
        Self { runtime, client }
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Writes a key, and returns its etcd revision.
    pub(crate) fn put(&self, key: &str, value: &[u8]) -> i64 {
        let mut client = self.client();
        let answer = self.run(async move { client.put(key, value, None).await }).unwrap();
        answer.header().unwrap().revision()
    }

    pub(crate) fn get(&self, key: &str) -> Option<KeyValue> {
        let mut client = self.client();
        let mut answer = self.run(async move { client.get(key, None).await }).unwrap();
        answer.take_kvs().into_iter().next()
    }

    pub(crate) fn compact(&self, revision: i64) {
        let mut client = self.client();
        let options = CompactionOptions::new().with_physical();
        self.run(async move { client.compact(revision, Some(options)).await }).unwrap();
    }

    pub(crate) fn defragment(&self) {
        let mut client = self.client();
        self.run(async move { client.defragment().await }).unwrap();
    }

    /// The members with an alarm.
    pub(crate) fn alarms(&self) -> Vec<u64> {
        let mut client = self.client();
        let list = async move { client.alarm(AlarmAction::Get, AlarmType::None, None).await };
        self.run(list).unwrap().alarms().iter().map(AlarmMember::member_id).collect()
    }

    /// Ends an alarm of a member. Member 0 is no member.
    pub(crate) fn disarm(&self, member: u64) {
        let mut client = self.client();
        let mut options = AlarmOptions::new();
        options.with_member(member);
        let disarm = async move {
            client.alarm(AlarmAction::Deactivate, AlarmType::Nospace, Some(options)).await
        };
        self.run(disarm).unwrap();
    }
}
