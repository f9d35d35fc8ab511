//! What members report about themselves, and the known faults of their versions.

use etcd_client::{Txn, TxnOp};
use keyhouse_storage::{Cause, ReadError};

use crate::fault::EtcdFault;
use crate::head::BatchHead;
use crate::lane::first_row;
use crate::members::Purpose;
use crate::state::StoreState;

/// The versions from which known faults of watches, leases and nested transactions are fixed.
const FIXED: [(u32, u32, u32); 3] = [(3, 4, 42), (3, 5, 28), (3, 6, 9)];

/// Asks every member, and reads format and head.
pub(crate) async fn check(shared: &StoreState) -> Result<(), ReadError> {
    let mut answered = 0;
    let mut last = None;
    for number in 0..shared.members.count() {
        match status(shared, number).await {
            Ok((_, errors)) if errors.is_empty() => answered += 1,
            Ok((_, errors)) => {
                let name = shared.members.name(number);
                let text = format!("etcd member {name} reports: {}", errors.join(", "));
                return Err(ReadError::Unavailable(Cause::new(text)));
            },
            Err(fault) => last = Some(fault.cause()),
        }
    }
    if answered == 0 {
        return Err(ReadError::Unavailable(last.unwrap_or_else(|| Cause::new("no member"))));
    }
    let keys = [shared.layout.meta(), shared.layout.head()];
    let gets = keys.map(|key| TxnOp::get(key, None));
    let answer = shared.ask(Txn::new().and_then(gets)).await?;
    let mut rows = answer.op_responses().into_iter().map(first_row);
    let damaged = |text: &str| ReadError::Unavailable(Cause::new(text));
    rows.next().flatten().ok_or_else(|| damaged("etcd has no key of the store's format"))?;
    match rows.next().flatten() {
        None => Ok(()),
        Some(head) => {
            BatchHead::decode(head.value()).map(drop).map_err(|it| damaged(&it.to_string()))
        },
    }
}

/// The version of a member, and the errors that it reports, such as alarms.
async fn status(shared: &StoreState, number: usize) -> Result<(String, Vec<String>), EtcdFault> {
    let status = shared.members.ask(number, Purpose::Call, |mut client| async move {
        let status = client.status().await?;
        Ok((status.version().to_owned(), status.errors().to_vec()))
    });
    status.await
}

/// A remark for each member whose version has known faults, and for each that does not answer.
pub(crate) async fn remarks(shared: &StoreState) -> Vec<String> {
    let mut remarks = Vec::new();
    for number in 0..shared.members.count() {
        let name = shared.members.name(number);
        match status(shared, number).await {
            Ok((version, _)) if !is_fixed(&version) => remarks.push(format!(
                "etcd member {name} has version {version}: watches, leases and nested transactions \
                 have known faults before 3.4.42, 3.5.28 and 3.6.9"
            )),
            Ok(_) => {},
            Err(fault) => remarks.push(format!("etcd member {name}: {}", fault.cause())),
        }
    }
    remarks
}

/// Whether a version has no known fault. A version that cannot be read counts as one with faults.
fn is_fixed(version: &str) -> bool {
    let plain = version.split(['-', '+']).next().unwrap_or_default();
    let mut parts = plain.split('.').map(|part| part.parse::<u32>().ok());
    let (Some(Some(major)), Some(Some(minor)), Some(Some(patch))) =
        (parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let line = FIXED.iter().find(|(fixed, of, _)| (*fixed, *of) == (major, minor));
    match line {
        Some((_, _, fixed)) => patch >= *fixed,
        None => (major, minor) > (3, 6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_with_known_faults_are_named() {
        for (version, expected) in [
            ("3.4.23", false),
            ("3.4.42", true),
            ("3.5.27", false),
            ("3.5.28", true),
            ("3.6.9", true),
            ("3.6.8-rc.1", false),
            ("3.7.0", true),
            ("4.0.0", true),
            ("3.3.27", false),
            ("", false),
        ] {
            assert_eq!(is_fixed(version), expected, "{version}");
        }
    }
}
