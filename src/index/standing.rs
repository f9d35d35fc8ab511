//! A user's status: the facts that a check reads, in one byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::model::role::BuiltinRole;

/// The facts about a user that a check reads: one byte, so that one atomic write replaces them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserStatus {
    pub role: RoleKind,
    /// Whether the user is an operator.
    pub operator: bool,
    /// Whether the user is disabled, or has no record.
    pub disabled: bool,
}

/// The kind of a role, which fits into a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleKind {
    /// One of the four built-in roles, whose permissions are constants.
    Builtin(BuiltinRole),
    /// A custom role: its permissions are in the user's facts.
    Custom,
}

/// The number of statuses that share one allocation.
const STANDINGS_A_CHUNK: u16 = 4_096;

/// Adjacent statuses. The statuses of 50,000 users fit into a core's own cache, while each handle
/// to a user's facts would cost a cache miss: a fifth of a check, measured with 1 M keys of 50,000
/// users.
#[derive(Debug)]
pub(super) struct StatusChunk([AtomicU8; STANDINGS_A_CHUNK as usize]);

/// The slot of a user's status, which all keys of the user share.
#[derive(Clone, Debug)]
pub struct UserStatusSlot {
    chunk: Arc<StatusChunk>,
    at: u16,
}

impl UserStatusSlot {
    pub fn load(&self) -> UserStatus {
        self.chunk.load(self.at)
    }

    /// The chunk of the slot and the slot's number in it.
    pub(super) fn parts(&self) -> (Arc<StatusChunk>, u16) {
        (Arc::clone(&self.chunk), self.at)
    }

    pub(super) fn store(&self, standing: UserStatus) {
        if let Some(byte) = self.chunk.0.get(usize::from(self.at)) {
            byte.store(standing.to_bits(), Ordering::Release);
        }
    }
}

/// Allocates slots. The slot of a removed user is not reused in this process: it stays disabled and
/// costs one byte.
#[derive(Debug)]
pub struct UserStatuses {
    chunk: Arc<StatusChunk>,
    used: u16,
}

impl Default for UserStatuses {
    fn default() -> Self {
        Self { chunk: Arc::new(StatusChunk::new()), used: 0 }
    }
}

impl StatusChunk {
    pub(super) fn load(&self, at: u16) -> UserStatus {
        let byte = self.0.get(usize::from(at));
        UserStatus::from_bits(byte.map_or(DISABLED, |byte| byte.load(Ordering::Acquire)))
    }

    fn new() -> Self {
        Self([const { AtomicU8::new(DISABLED) }; STANDINGS_A_CHUNK as usize])
    }
}

impl UserStatuses {
    pub fn take(&mut self) -> UserStatusSlot {
        if self.used == STANDINGS_A_CHUNK {
            *self = Self::default();
        }
        let at = self.used;
        self.used += 1;
        UserStatusSlot { chunk: Arc::clone(&self.chunk), at }
    }
}

const OPERATOR: u8 = 1 << 6;
const DISABLED: u8 = 1 << 7;

impl UserStatus {
    fn to_bits(self) -> u8 {
        let role = match self.role {
            RoleKind::Builtin(BuiltinRole::Owner) => 1,
            RoleKind::Builtin(BuiltinRole::Administrator) => 2,
            RoleKind::Builtin(BuiltinRole::User) => 3,
            RoleKind::Builtin(BuiltinRole::Guest) => 0,
            RoleKind::Custom => 4,
        };
        role | if self.operator { OPERATOR } else { 0 } | if self.disabled { DISABLED } else { 0 }
    }

    fn from_bits(bits: u8) -> Self {
        let role = match bits & !(OPERATOR | DISABLED) {
            1 => RoleKind::Builtin(BuiltinRole::Owner),
            2 => RoleKind::Builtin(BuiltinRole::Administrator),
            3 => RoleKind::Builtin(BuiltinRole::User),
            4 => RoleKind::Custom,
            _ => RoleKind::Builtin(BuiltinRole::Guest),
        };
        Self { role, operator: bits & OPERATOR != 0, disabled: bits & DISABLED != 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_comes_back_from_its_bits() {
        let builtin = ["owner", "administrator", "user", "guest"];
        let builtin = builtin.map(|role| RoleKind::Builtin(role.parse().unwrap()));
        for role in builtin.into_iter().chain([RoleKind::Custom]) {
            for (operator, disabled) in [(false, false), (true, false), (false, true), (true, true)]
            {
                let standing = UserStatus { role, operator, disabled };
                assert_eq!(UserStatus::from_bits(standing.to_bits()), standing);
            }
        }
    }

    #[test]
    fn slots_are_everybodys_own() {
        let mut standings = UserStatuses::default();
        let slots: Vec<_> = (0..STANDINGS_A_CHUNK + 2).map(|_| standings.take()).collect();
        let role = RoleKind::Builtin(BuiltinRole::Owner);
        let owner = UserStatus { role, operator: false, disabled: false };
        slots[5].store(owner);
        let standing: Vec<_> = slots.iter().filter(|slot| !slot.load().disabled).collect();
        assert_eq!(standing.len(), 1);
        assert_eq!(slots[5].load(), owner);
    }
}
