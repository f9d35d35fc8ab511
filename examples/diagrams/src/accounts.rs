//! `/aws/account` and `/azure/account`: linked accounts of clouds.
//!
//! What is in an account is shown by snapshots.

use serde_json::{Value, json};
use uuid::{Builder, Uuid};

use crate::access::{Access, AccessChange};
use crate::answer::{Answer, Request};
use crate::application::Application;
use crate::body;
use crate::caller::Caller;
use crate::refusal::{Faults, Refusal};
use crate::store::id_in;
use crate::store::records::{Account, Cloud, CloudPlace, RowKey, shown_time};

/// The most accounts of an organization, of all clouds together.
pub(crate) const ACCOUNTS_MAX: usize = 100;
const NAME_CHARS_MAX: usize = 255;
const ARN_CHARS_MAX: usize = 2048;
const REGION_BYTES_MAX: usize = 32;
const SECRET_CHARS_MAX: usize = 256;
/// Shorter secrets are refused: their hint would tell too much of them.
const SECRET_CHARS_MIN: usize = 12;
/// The first characters of a secret, which responses show so that people recognize it.
const HINT_CHARS: usize = 3;
/// The calls that a scan of an account makes.
const ACTIONS: [&str; 12] = [
    "ec2:DescribeInstances",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "lambda:ListFunctions",
    "rds:DescribeDBInstances",
    "s3:GetBucketLocation",
    "s3:ListAllMyBuckets",
    "tag:GetResources",
];

/// The members of a body with an account.
struct AccountBody {
    name: String,
    place: CloudPlace,
    secret: Option<String>,
    access: AccessChange,
}

impl Application {
    pub(crate) fn list_accounts(&self, cloud: Cloud, caller: &Caller) -> Result<Answer, Refusal> {
        let accounts = self.store.accounts(caller.organization())?;
        let rows: Vec<Value> = accounts
            .iter()
            .filter(|account| account.cloud() == cloud && account.access.lets_read(caller))
            .map(|account| view(account, caller))
            .collect();
        Ok(Answer::json(200, &json!({"accounts": rows})))
    }

    pub(crate) fn create_account(
        &self,
        request: &Request,
        cloud: Cloud,
        caller: &Caller,
    ) -> Result<Answer, Refusal> {
        let external_id = self.external_id(caller);
        let wanted = AccountBody::of(request, cloud, caller, None, external_id)?;
        let (id, now_ms) = ((self.sources.id)(), (self.sources.now_ms)());
        let mut access = Access::of_creator(caller);
        access.change(wanted.access, caller)?;
        let account = Account {
            id: id.to_string(),
            name: wanted.name,
            access,
            created_at_ms: now_ms,
            updated_at_ms: now_ms,
            place: wanted.place,
        };
        self.store.change(|store| {
            if store.count_accounts(caller.organization())? >= ACCOUNTS_MAX {
                return Err(Refusal::Full { what: "accounts", maximum: ACCOUNTS_MAX });
            }
            let key = RowKey::of(caller.organization(), &id);
            Ok(store.put_account(&key, &account, wanted.secret.as_deref())?)
        })?;
        Ok(Answer::json(201, &view(&account, caller)))
    }

    pub(crate) fn update_account(
        &self,
        request: &Request,
        (cloud, id): (Cloud, &Uuid),
        caller: &Caller,
    ) -> Result<Answer, Refusal> {
        let key = RowKey::of(caller.organization(), id);
        let of_cloud = |account: Option<Account>| {
            account.filter(|account| account.cloud() == cloud).ok_or(Refusal::NotFound)
        };
        let before = of_cloud(self.store.account(&key)?)?;
        before.access.require_write(caller)?;
        let external_id = self.external_id(caller);
        let wanted = AccountBody::of(request, cloud, caller, Some(&before.place), external_id)?;
        let now_ms = (self.sources.now_ms)();
        let account = self.store.change(|store| {
            let mut account = of_cloud(store.account(&key)?)?;
            account.access.require_write(caller)?;
            account.access.change(wanted.access, caller)?;
            account.name = wanted.name;
            account.place = wanted.place;
            // The time names a version of the account: results of scans are kept by it.
            account.updated_at_ms = now_ms.max(account.updated_at_ms.saturating_add(1));
            store.put_account(&key, &account, wanted.secret.as_deref())?;
            Ok(account)
        })?;
        // A client fails if this response has no JSON body.
        Ok(Answer::json(200, &view(&account, caller)))
    }

    pub(crate) fn delete_account(
        &self,
        (cloud, id): (Cloud, &Uuid),
        caller: &Caller,
    ) -> Result<Answer, Refusal> {
        let key = RowKey::of(caller.organization(), id);
        self.store.change(|store| {
            let account = store.account(&key)?.filter(|account| account.cloud() == cloud);
            account.ok_or(Refusal::NotFound)?.access.require_write(caller)?;
            Ok(store.remove_account(&key)?)
        })?;
        Ok(Answer::empty(204))
    }

    /// What a person needs to create the role that this service assumes.
    pub(crate) fn iam_parameters(&self, caller: &Caller) -> Answer {
        let (account, external_id) = (&self.settings.aws_account, self.external_id(caller));
        let console = "https://console.aws.amazon.com/iam/home#/roles/create";
        let url = format!(
            "{console}?trustedEntityType=AWS_ACCOUNT&accountId={account}&externalId={external_id}"
        );
        let body = json!({
            "accountId": account,
            "externalId": external_id.to_string(),
            "awsConsoleUrl": url,
        });
        Answer::json(200, &body)
    }

    /// The external id of a caller, which keeps other callers from using its role (the confused deputy).
    fn external_id(&self, caller: &Caller) -> Uuid {
        let mut hasher = blake3::Hasher::new_keyed(self.store.instance_key());
        for part in ["external id", caller.organization(), caller.identity()] {
            hasher.update(part.as_bytes());
            hasher.update(&[0]);
        }
        let mut bytes = [0; 16];
        hasher.finalize_xof().fill(&mut bytes);
        Builder::from_custom_bytes(bytes).into_uuid()
    }
}

/// The policy of the role that a scan needs.
pub(crate) fn minimal_policy() -> Answer {
    let statement = json!({"Effect": "Allow", "Action": ACTIONS, "Resource": "*"});
    Answer::json(200, &json!({"Version": "2012-10-17", "Statement": [statement]}))
}

impl AccountBody {
    fn of(
        request: &Request,
        cloud: Cloud,
        caller: &Caller,
        before: Option<&CloudPlace>,
        external_id: Uuid,
    ) -> Result<Self, Refusal> {
        let body = body::object(request)?;
        let mut faults = Faults::default();
        let name = body::text(&body, "name", NAME_CHARS_MAX, &mut faults).unwrap_or_default();
        let access = AccessChange::of(&body, caller, &mut faults);
        let (place, secret) = match cloud {
            Cloud::Aws => (aws(&body, before, external_id, &mut faults), None),
            Cloud::Azure => azure(&body, before, &mut faults),
        };
        faults.none_or(Self { name, place, secret, access })
    }
}

fn aws(
    body: &Value,
    before: Option<&CloudPlace>,
    external_id: Uuid,
    faults: &mut Faults,
) -> CloudPlace {
    let role_arn = body::text(body, "roleArn", ARN_CHARS_MAX, faults).unwrap_or_default();
    if !role_arn.is_empty() && !is_role(&role_arn) {
        faults.add("/roleArn", "must be arn:aws:iam::<12 digits>:role/<name>");
    }
    // The region in which the role is checked.
    if body.get("region").is_some_and(|region| !region.as_str().is_some_and(is_region)) {
        faults.add("/region", "must be a region, such as us-east-1");
    }
    // The role trusts the external id that its creator was shown.
    let external_id = match before {
        Some(CloudPlace::Aws { external_id, .. }) => external_id.clone(),
        Some(CloudPlace::Azure { .. }) | None => external_id.to_string(),
    };
    CloudPlace::Aws { role_arn, external_id }
}

fn azure(
    body: &Value,
    before: Option<&CloudPlace>,
    faults: &mut Faults,
) -> (CloudPlace, Option<String>) {
    let mut id = |name: &str| {
        let text = body.get(name).and_then(Value::as_str).unwrap_or_default();
        if id_in(text).is_none() {
            faults.add(format!("/{name}"), "must be a UUID");
        }
        text.to_ascii_lowercase()
    };
    let (application, directory, subscription) =
        (id("applicationId"), id("directoryId"), id("subscriptionId"));
    let is_kept = before.is_some() && body.get("clientSecret").is_none_or(Value::is_null);
    let secret =
        if is_kept { None } else { body::text(body, "clientSecret", SECRET_CHARS_MAX, faults) };
    if secret.as_ref().is_some_and(|secret| secret.chars().count() < SECRET_CHARS_MIN) {
        let least = format!("must have at least {SECRET_CHARS_MIN} characters");
        faults.add("/clientSecret", least);
    }
    let hint = match (&secret, before) {
        (Some(secret), _) => secret.chars().take(HINT_CHARS).collect(),
        (None, Some(CloudPlace::Azure { hint, .. })) => hint.clone(),
        (None, Some(CloudPlace::Aws { .. }) | None) => String::new(),
    };
    (CloudPlace::Azure { application, directory, subscription, hint }, secret)
}

fn is_role(arn: &str) -> bool {
    let Some((start, name)) = arn.split_once(":role/") else { return false };
    let parts: Vec<&str> = start.split(':').collect();
    let [scheme, partition, service, region, account] = parts.as_slice() else { return false };
    let is_account = account.len() == 12 && account.bytes().all(|it| it.is_ascii_digit());
    let is_name = !name.is_empty() && name.bytes().all(|it| it.is_ascii_graphic());
    *scheme == "arn"
        && partition.starts_with("aws")
        && *service == "iam"
        && region.is_empty()
        && is_account
        && is_name
}

/// The name of a region of AWS, such as us-east-1.
pub(crate) fn is_region(text: &str) -> bool {
    let is_fine = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(is_fine);
    text.len() <= REGION_BYTES_MAX && text.split('-').all(is_part)
}

/// The name of a region of Azure, such as eastus.
pub(crate) fn is_azure_region(text: &str) -> bool {
    is_region(text) && !text.contains('-')
}

/// An account as it is shown: never with its secret.
fn view(account: &Account, caller: &Caller) -> Value {
    let mut shown = json!({
        "id": account.id,
        "name": account.name,
        "source": account.cloud().name(),
        "readAccess": account.access.read,
        "writeAccess": account.access.write,
        "createdAt": shown_time(account.created_at_ms),
        "updatedAt": shown_time(account.updated_at_ms),
        "CreatorId": account.access.creator,
        "CustomerId": caller.organization(),
    });
    let members = match &account.place {
        CloudPlace::Aws { role_arn, external_id } => {
            json!({"roleArn": role_arn, "externalId": external_id})
        },
        CloudPlace::Azure { application, directory, subscription, hint } => json!({
            "applicationId": application,
            "directoryId": directory,
            "subscriptionId": subscription,
            "hint": hint,
        }),
    };
    if let (Some(shown), Value::Object(members)) = (shown.as_object_mut(), members) {
        shown.extend(members);
    }
    shown
}
