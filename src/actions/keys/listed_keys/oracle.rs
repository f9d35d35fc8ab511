//! A second implementation of lists of keys: it reads every record, and is written from the documentation.

use std::cmp::Reverse;
use std::net::IpAddr;

use crate::actions::keys::listed_keys::fixture::{Fixture, Reader};
use crate::actions::keys::{KeyKind, OwnerWanted, Query, Sort, TeamWanted, Wanted};
use crate::model::id::{KeyId, TeamId, UserId};
use crate::model::moment::Moment;
use crate::model::text::search_form;
use crate::records::access::UserRecord;
use crate::records::key::{KeyRecord, Status};
use crate::records::place::StoreKey;

impl Fixture {
    /// The records of all keys.
    fn stored(&self) -> Vec<KeyRecord> {
        let prefix = StoreKey::keys_of(self.instance.owner().organization_id());
        self.instance.actions.read_all(&prefix).unwrap()
    }

    fn email_of(&self, user: UserId) -> (String, String) {
        let place = StoreKey::User(user);
        let user = self.instance.actions.read::<UserRecord>(&place).unwrap().unwrap().record;
        (user.name, user.email)
    }

    fn last_use(&self, record: &KeyRecord) -> Option<(Moment, Option<IpAddr>)> {
        let grant = self.instance.actions.index().grant(&record.secrets[0].digest).unwrap();
        grant.live.last_use().map(|last| (last.at, last.ip))
    }

    /// All keys that a query lists, each with whether the reader sees the whole key.
    pub(super) fn expected(&self, reader: &Reader, query: &Query) -> Vec<(KeyId, bool)> {
        let now = self.instance.clock_now().wall;
        let mut listed: Vec<(KeyRecord, bool)> = Vec::new();
        for record in self.stored() {
            let status = record.status(now);
            let is_wanted = match query.status {
                Wanted::All => true,
                Wanted::Current => status != Status::Revoked,
                Wanted::Only(only) => status == only,
            };
            let kind = if record.owner.is_none() { KeyKind::Service } else { KeyKind::Personal };
            if !is_wanted || query.kind.is_some_and(|wanted| wanted != kind) {
                continue;
            }
            let teams: Vec<TeamId> = record.teams.iter().map(|share| share.team).collect();
            let teams: Vec<TeamId> = teams.into_iter().filter(|it| *it != self.removed).collect();
            let is_own = record.owner.is_some() && record.owner == reader.user;
            let whole =
                reader.sees_keys || is_own || teams.iter().any(|it| reader.teams.contains(it));
            let is_secret = |team: &TeamId| [self.secret, self.others].contains(team);
            let concealed = !whole && !teams.is_empty() && teams.iter().all(is_secret);
            let filtered = query.search.is_some()
                || query.owner.is_some()
                || query.team.is_some()
                || query.environment.is_some()
                || query.unused
                || query.unused_since.is_some()
                || query.endless
                || query.old_secret_used
                || query.expires_before.is_some();
            let is_listed =
                if filtered { whole && self.fits(reader, query, &record) } else { !concealed };
            if is_listed {
                listed.push((record, whole));
            }
        }
        self.sort(&mut listed, query.sort);
        listed.into_iter().map(|(record, whole)| (record.id, whole)).collect()
    }

    fn fits(&self, reader: &Reader, query: &Query, record: &KeyRecord) -> bool {
        let now = self.instance.clock_now().wall;
        let owner = query.owner.is_none_or(|owner| match owner {
            OwnerWanted::Me => record.owner.is_some() && record.owner == reader.user,
            OwnerWanted::User(user) => record.owner == Some(user),
        });
        let is_shared =
            |team| team != self.removed && record.teams.iter().any(|share| share.team == team);
        let team = query.team.is_none_or(|wanted| match wanted {
            TeamWanted::Mine => reader.teams.iter().any(|team| is_shared(*team)),
            TeamWanted::Team(team) => {
                let is_known = team == self.visible
                    || reader.teams.contains(&team)
                    || (reader.sees_keys && reader.emails.is_none());
                is_known && is_shared(team)
            },
        });
        let ends = query
            .expires_before
            .is_none_or(|until| record.expires_at.is_some_and(|end| end >= now && end < until));
        let unused = !query.unused || self.last_use(record).is_none();
        let unused = unused
            && query.unused_since.is_none_or(|since| {
                let last = self.last_use(record).map(|(at, _)| at);
                record.created_at < since && last.is_none_or(|at| at < since)
            });
        let ends = ends && (!query.endless || record.expires_at.is_none());
        let rotated = !query.old_secret_used || self.is_old_secret_used(record, now);
        let found = query.search.as_ref().is_none_or(|text| self.is_found(reader, text, record));
        let environment =
            query.environment.as_ref().is_none_or(|wanted| *wanted == record.environment);
        owner && team && environment && ends && unused && rotated && found
    }

    fn is_old_secret_used(&self, record: &KeyRecord, now: Moment) -> bool {
        let [new, old] = &*record.secrets else { return false };
        let grant = self.instance.actions.index().grant(&old.digest).unwrap();
        let is_used = grant.last_use().is_some_and(|last| last.at > new.created_at);
        record.status(now) == Status::Active && old.ends_at.unwrap() > now && is_used
    }

    fn is_found(&self, reader: &Reader, text: &str, record: &KeyRecord) -> bool {
        let needle = search_form(text);
        let mut texts =
            vec![record.name.clone(), record.description.clone(), record.id.to_string()];
        texts.extend(record.secrets.iter().map(|secret| secret.hint.clone()));
        let permissions = record.permissions.as_ref();
        texts.extend(permissions.into_iter().flat_map(|it| it.as_set().texts().map(str::to_owned)));
        if let Some(owner) = record.owner {
            let (name, email) = self.email_of(owner);
            texts.push(name);
            if reader.emails.as_ref().is_none_or(|seen| seen.contains(&owner)) {
                texts.push(email);
            }
        }
        let address = self.last_use(record).and_then(|(_, ip)| ip);
        let in_address = address.is_some_and(|address| match text.parse::<IpAddr>() {
            Ok(whole) => whole.to_canonical() == address,
            Err(_) => text.contains(['.', ':']) && address.to_string().contains(&needle),
        });
        in_address || texts.iter().any(|text| search_form(text).contains(&needle))
    }

    fn sort(&self, listed: &mut [(KeyRecord, bool)], sort: Sort) {
        let order = sort.to_string();
        let (field, descending) = order.strip_prefix('-').map_or((&*order, false), |it| (it, true));
        if order == "-created_at" {
            return listed.sort_by_key(|(record, _)| Reverse(record.id));
        }
        let moment = |at: Moment| format!("{:020}", at.milliseconds());
        let value = |record: &KeyRecord| match field {
            "name" => Some(record.name.to_lowercase()),
            "created_at" => Some(moment(record.created_at)),
            "expires_at" => record.expires_at.map(moment),
            _ => self.last_use(record).map(|(at, _)| moment(at)),
        };
        listed.sort_by(|(one, whole), (other, other_whole)| {
            let hidden = other_whole.cmp(whole);
            let (first, second) =
                (value(one).filter(|_| *whole), value(other).filter(|_| *other_whole));
            let by_value = match (first, second) {
                (Some(first), Some(second)) if descending => second.cmp(&first),
                (Some(first), Some(second)) => first.cmp(&second),
                (first, second) => first.is_none().cmp(&second.is_none()),
            };
            hidden.then(by_value).then(other.id.cmp(&one.id))
        });
    }
}
