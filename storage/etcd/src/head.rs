//! The head: what a batch wrote, as the last write of the batch itself.
//!
//! The version of its key counts batches by one, so a feed detects a batch that a watch omitted. Its
//! counts show whether a watch delivered a batch whole. etcd has no event for the deletion of an absent
//! key, so the head names the keys of all deletions, with their positions.

use keyhouse_storage::Write;

/// Identifies a batch or a fence for all time: the lease of the node that wrote it, and a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchId {
    pub(crate) node: i64,
    pub(crate) number: u64,
}

impl BatchId {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut bytes = self.node.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes
    }
}

/// The content of a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BatchHead {
    puts: u32,
    /// Position in the batch and key.
    deletes: Vec<(u16, Vec<u8>)>,
}

/// A head that this version can't read, or that does not match the events of its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the head of a batch is damaged")]
pub(crate) struct DamagedHead;

/// The version of the encoding.
const VERSION: u8 = 1;

impl BatchHead {
    pub(crate) fn of(writes: &[Write]) -> Self {
        let mut head = Self { puts: 0, deletes: Vec::new() };
        for (position, write) in (0..).zip(writes) {
            match write {
                Write::Put { .. } => head.puts += 1,
                Write::Delete { key } => head.deletes.push((position, key.clone())),
            }
        }
        head
    }

    pub(crate) fn encode(&self, id: BatchId) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&id.encode());
        bytes.extend_from_slice(&self.puts.to_be_bytes());
        for (position, key) in &self.deletes {
            bytes.extend_from_slice(&position.to_be_bytes());
            // The contract bounds keys at 512 bytes.
            bytes.extend_from_slice(&u16::try_from(key.len()).unwrap_or(u16::MAX).to_be_bytes());
            bytes.extend_from_slice(key);
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DamagedHead> {
        let (version, rest) = take::<1>(bytes)?;
        if version != [VERSION] {
            return Err(DamagedHead);
        }
        let (_, rest) = take::<16>(rest)?;
        let (puts, mut rest) = take::<4>(rest)?;
        let mut deletes = Vec::new();
        while !rest.is_empty() {
            let (position, after) = take::<2>(rest)?;
            let (length, after) = take::<2>(after)?;
            let length = u16::from_be_bytes(length).into();
            let (key, after) = after.split_at_checked(length).ok_or(DamagedHead)?;
            deletes.push((u16::from_be_bytes(position), key.to_vec()));
            rest = after;
        }
        Ok(Self { puts: u32::from_be_bytes(puts), deletes })
    }

    /// All writes of the batch in their order, from the puts of its events.
    pub(crate) fn writes(self, puts: Vec<(Vec<u8>, Vec<u8>)>) -> Result<Vec<Write>, DamagedHead> {
        if usize::try_from(self.puts) != Ok(puts.len()) {
            return Err(DamagedHead);
        }
        let total = puts.len() + self.deletes.len();
        let mut puts = puts.into_iter();
        let mut deletes = self.deletes.into_iter().peekable();
        let mut writes = Vec::with_capacity(total);
        for position in 0..total {
            let delete = deletes.next_if(|(at, _)| usize::from(*at) == position);
            let write = if let Some((_, key)) = delete {
                Write::Delete { key }
            } else {
                let (key, value) = puts.next().ok_or(DamagedHead)?;
                Write::Put { key, value }
            };
            writes.push(write);
        }
        Ok(writes)
    }

    /// Whether the batch deletes this key.
    pub(crate) fn deletes(&self, key: &[u8]) -> bool {
        self.deletes.iter().any(|(_, deleted)| deleted == key)
    }
}

fn take<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), DamagedHead> {
    let (taken, rest) = bytes.split_first_chunk().ok_or(DamagedHead)?;
    Ok((*taken, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: BatchId = BatchId { node: -7, number: 9 };

    fn put(key: &str) -> Write {
        Write::Put { key: key.into(), value: b"v".to_vec() }
    }

    fn delete(key: &str) -> Write {
        Write::Delete { key: key.into() }
    }

    #[test]
    fn writes_come_back_in_their_order() {
        for writes in [
            vec![put("a")],
            vec![delete("a")],
            vec![delete("b"), put("a"), delete("c"), delete("d"), put("e")],
        ] {
            let head = BatchHead::decode(&BatchHead::of(&writes).encode(ID)).unwrap();
            let puts = writes.iter().filter_map(|write| match write {
                Write::Put { key, value } => Some((key.clone(), value.clone())),
                Write::Delete { .. } => None,
            });
            assert_eq!(head.writes(puts.collect()), Ok(writes));
        }
    }

    #[test]
    fn incomplete_batch_or_head_is_damaged() {
        let writes = [put("a"), delete("b"), put("c")];
        let bytes = BatchHead::of(&writes).encode(ID);
        let head = BatchHead::decode(&bytes).unwrap();
        assert!(head.deletes(b"b") && !head.deletes(b"a"));
        assert_eq!(head.writes(vec![(b"a".to_vec(), Vec::new())]), Err(DamagedHead));
        for length in (0..21).chain(22..bytes.len()) {
            assert_eq!(BatchHead::decode(&bytes[..length]), Err(DamagedHead), "{length}");
        }
    }
}
