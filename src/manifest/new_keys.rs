//! The validation of new keys by the instance, before the first change.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::manifest::compare::ApplyPlan;
use crate::manifest::names::ObjectName;

/// Maximum size of the keys of one request in bytes, unless it has one key: half of the limit for a
/// request.
const BYTES_A_STEP_MAX: usize = 512 * 1024;

impl ApplyPlan {
    /// Lets the instance validate the new keys, with `try_import` for the keys of one organization: its
    /// id and the keys. Organizations that do not exist yet are left out. Returns what is wrong, by key.
    pub(crate) fn faults_of_keys<E>(
        &self,
        keys_max: usize,
        try_import: impl Fn(&str, &[&Value]) -> Result<Value, E>,
    ) -> Result<Vec<(ObjectName, String)>, E> {
        let mut imports: BTreeMap<&str, Vec<(&ObjectName, &Value)>> = BTreeMap::new();
        for change in &self.changes {
            let Some(request) = change.requests.first() else { continue };
            let Some(key) = request.imported_key() else { continue };
            let Some(organization) = self.known.organization_of(request) else { continue };
            imports.entry(organization).or_default().push((&change.name, key));
        }
        let mut faults = Vec::new();
        for (organization, keys) in imports {
            let mut keys = keys.as_slice();
            while let Some((step, rest)) = keys.split_at_checked(step_len(keys, keys_max)) {
                keys = rest;
                let bodies: Vec<&Value> = step.iter().map(|(_, key)| *key).collect();
                let answer = try_import(organization, &bodies)?;
                for fault in answer.get("errors").and_then(Value::as_array).into_iter().flatten() {
                    faults.extend(fault_of_key(fault, step));
                }
            }
        }
        Ok(faults)
    }
}

/// The number of keys of the next request.
fn step_len(keys: &[(&ObjectName, &Value)], keys_max: usize) -> usize {
    let mut bytes = 0;
    let fits = |(_, key): &&(&ObjectName, &Value)| {
        bytes += key.to_string().len();
        bytes <= BYTES_A_STEP_MAX
    };
    keys.iter().take(keys_max).take_while(fits).count().max(1)
}

/// The key and the detail of a fault. Faults that another change of the same apply may end are left
/// out.
fn fault_of_key(fault: &Value, step: &[(&ObjectName, &Value)]) -> Option<(ObjectName, String)> {
    let code = fault["code"].as_str()?;
    if !matches!(code, "digest_taken" | "out_of_range") {
        return None;
    }
    let mut segments = fault["pointer"].as_str()?.strip_prefix("/keys/")?.split('/');
    let (name, _) = step.get(segments.next()?.parse::<usize>().ok()?)?;
    let detail = fault["detail"].as_str()?;
    let detail = if code == "digest_taken" {
        "another key of the instance has or had this digest: a revoked key cannot return".to_owned()
    } else {
        format!("{} {detail}", segments.collect::<Vec<_>>().join("/"))
    };
    Some(((*name).clone(), detail))
}
