//! A backup comes back as it was written, and in no other form.

use std::io::{self, Read};
use std::sync::Arc;

use age::secrecy::ExposeSecret as _;
use keyhouse_storage::{
    At, Batch, FaultyStore, InjectedFault, MemoryStore, Range, Store, StoreOperation,
};
use proptest::prelude::*;

use super::*;
use crate::model::id::InstanceId;
use crate::model::moment::Moment;
use crate::records::identity::ensure_instance_id;
use crate::records::prepare::tests::prepared;
use crate::records::upgrade::STORE_FORMAT;

type Rows = Vec<BackupRow>;

/// A store of an instance, with these rows besides its own.
fn store_with(rows: &[(&[u8], &[u8])]) -> Arc<FaultyStore<MemoryStore>> {
    let store = FaultyStore::new(MemoryStore::new());
    prepared(&store).unwrap();
    ensure_instance_id(&store, InstanceId::from_bytes([7; 16])).unwrap();
    for (key, value) in rows {
        store.commit(Batch::new().put(*key, *value)).unwrap();
    }
    Arc::new(store)
}

fn small() -> Arc<FaultyStore<MemoryStore>> {
    store_with(&[(b"key/a", b"one"), (b"key/b", b""), (b"user/c", b"three")])
}

fn rows_of(store: &dyn Store) -> Rows {
    let rows = store.rows(&Range::prefix(b""), At::Latest);
    rows.map(|row| row.unwrap()).map(|row| (row.key, row.value)).collect()
}

fn begin(store: Arc<dyn Store>, recipients: &Recipients) -> Result<BackupStream, BackupError> {
    BackupStream::begin(store, Moment::from_milliseconds(1_800_000_000_000), recipients)
}

fn file_of(store: Arc<dyn Store>, recipients: &Recipients) -> Vec<u8> {
    let mut file = Vec::new();
    begin(store, recipients).unwrap().read_to_end(&mut file).unwrap();
    file
}

fn read(
    file: &[u8],
    identities: Option<&Identities>,
) -> Result<(BackupSummary, Rows), BackupError> {
    let mut reader = BackupReader::open(file, identities)?;
    let mut rows = Vec::new();
    while let Some(more) = reader.next_rows()? {
        rows.extend(more);
    }
    Ok((reader.finish()?, rows))
}

/// The backup is refused, with an error of the file and not of the system.
fn assert_refused(name: &str, file: &[u8], identities: Option<&Identities>) {
    let error = read(file, identities).expect_err(name);
    let is_of_the_system = matches!(error, BackupError::Input(_) | BackupError::Encode(_));
    assert!(!is_of_the_system, "{name}: {error}");
}

/// A new identity of age, as its file and as its recipient.
fn identity() -> (Identities, Recipients) {
    let identity = age::x25519::Identity::generate();
    let text = format!("# created\n{}\n", identity.to_string().expose_secret());
    let recipient = identity.to_public().to_string();
    (Identities::read(text.as_bytes()).unwrap(), Recipients::parse([&*recipient]).unwrap())
}

#[test]
fn a_backup_has_every_row_of_its_revision_and_a_description() {
    let store = small();
    let mut stream = begin(Arc::clone(&store) as Arc<dyn Store>, &Recipients::default()).unwrap();
    let (expected, revision) = (rows_of(&*store), stream.header().revision);
    let mut file = vec![0; 40];
    stream.read_exact(&mut file).unwrap();
    store.commit(Batch::new().put("key/a", "changed").delete("key/b").put("z", "")).unwrap();
    stream.read_to_end(&mut file).unwrap();
    let (summary, rows) = read(&file, None).unwrap();
    assert_eq!(rows, expected);
    let header = &summary.header;
    assert_eq!((header.revision, header.store_format), (revision, STORE_FORMAT));
    assert_eq!(header.instance, Some(InstanceId::from_bytes([7; 16])));
    assert_eq!(header.created_at.to_string(), "2027-01-15T08:00:00.000Z");
    let kinds: Vec<_> = summary.kinds.iter().map(|(kind, rows)| (&**kind, *rows)).collect();
    assert_eq!(kinds, [("format", 1), ("instance", 1), ("key", 2), ("user", 1)]);
    assert!(summary.rows == 5 && !summary.encrypted);
}

#[test]
fn every_flipped_byte_is_refused() {
    let (identities, recipients) = identity();
    for (name, recipients) in [("plain", Recipients::default()), ("encrypted", recipients)] {
        let file = file_of(small(), &recipients);
        assert!(read(&file, Some(&identities)).is_ok(), "{name}");
        for at in 0..file.len() {
            for mask in [0x01, 0x80, 0xff] {
                let mut flipped = file.clone();
                flipped[at] ^= mask;
                assert_refused(&format!("{name}: byte {at} ^ {mask}"), &flipped, Some(&identities));
            }
        }
    }
}

#[test]
fn a_file_that_is_cut_or_continued_is_refused() {
    let (identities, recipients) = identity();
    for (name, recipients) in [("plain", Recipients::default()), ("encrypted", recipients)] {
        let file = file_of(small(), &recipients);
        for length in 0..file.len() {
            let cut = &file[..length];
            assert_refused(&format!("{name}: {length} bytes"), cut, Some(&identities));
        }
        for more in [&b"\0"[..], b"\n", &file] {
            let continued = [&file, more].concat();
            assert_refused(&format!("{name}: {} more", more.len()), &continued, Some(&identities));
        }
    }
}

/// age divides a file into parts of 64 KiB. A last part that is full is followed by nothing.
#[test]
fn an_encrypted_file_whose_last_part_is_full_is_cut_or_continued_nowhere() {
    let (identities, recipients) = identity();
    let mut content = first_part(&small());
    content.resize(64 * 1024, 0);
    let mut envelope = encryption::Envelope::new(&recipients).unwrap();
    envelope.add(&content).unwrap();
    envelope.end().unwrap();
    let file = envelope.take();
    let mut whole = Vec::new();
    encryption::decrypted(&file[..], &identities).unwrap().read_to_end(&mut whole).unwrap();
    assert_eq!(whole.len(), content.len());
    for wrong in [&file[..file.len() - 1], &[&file[..], b"\0"].concat()] {
        let mut decrypted = encryption::decrypted(wrong, &identities).unwrap();
        let outcome = decrypted.read_to_end(&mut Vec::new());
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}

fn first_part(store: &Arc<FaultyStore<MemoryStore>>) -> Vec<u8> {
    let mut part = vec![0; 100];
    let store = Arc::clone(store) as Arc<dyn Store>;
    begin(store, &Recipients::default()).unwrap().read_exact(&mut part).unwrap();
    part
}

/// Returns the first line of a file, and its frames.
fn frames(file: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let end = file.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let (line, mut rest) = file.split_at(end);
    let mut frames = Vec::new();
    while let Some((length, _)) = rest.split_first_chunk() {
        let length = u32::from_be_bytes(*length) as usize + frame::HEAD_BYTES + frame::HASH_BYTES;
        let (frame, after) = rest.split_at(length);
        frames.push(frame.to_vec());
        rest = after;
    }
    (line.to_vec(), frames)
}

#[test]
fn frames_that_are_dropped_doubled_or_moved_are_refused() {
    let large = vec![b'x'; frame::FRAME_BYTES_FULL / 2];
    let rows: Vec<_> = (0..6).map(|it| (format!("key/{it}").into_bytes(), &large)).collect();
    let rows: Vec<_> = rows.iter().map(|(key, value)| (&**key, &***value)).collect();
    let file = file_of(store_with(&rows), &Recipients::default());
    let (line, whole) = frames(&file);
    assert!(whole.len() >= 5, "{} frames", whole.len());
    let join = |frames: &[Vec<u8>]| [&line, &frames.concat()[..]].concat();
    assert!(read(&join(&whole), None).is_ok());
    for at in 0..whole.len() {
        let mut dropped = whole.clone();
        dropped.remove(at);
        assert_refused(&format!("without frame {at}"), &join(&dropped), None);
        let mut doubled = whole.clone();
        doubled.insert(at, whole[at].clone());
        assert_refused(&format!("frame {at} twice"), &join(&doubled), None);
        for other in at + 1..whole.len() {
            let mut moved = whole.clone();
            moved.swap(at, other);
            assert_refused(&format!("frames {at} and {other} swapped"), &join(&moved), None);
        }
    }
    // A frame of another backup with the same number has a valid hash of its own.
    let other = file_of(store_with(&rows[1..]), &Recipients::default());
    let mut mixed = whole;
    mixed[1] = frames(&other).1[1].clone();
    assert_refused("a frame of another backup", &join(&mixed), None);
}

/// The bytes of a valid frame, as another program could make them.
fn forged(hashes: &mut frame::FrameHashes, kind: frame::FrameKind, content: &[u8]) -> Vec<u8> {
    let head = frame::head(kind, content).unwrap();
    let hash = hashes.take(&head, content);
    [&head, content, hash.as_bytes()].concat()
}

#[test]
fn a_file_cannot_make_its_reader_allocate_more_than_a_frame() {
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 19).unwrap();
    assert!(bomb.len() < 64 * 1024);
    let (line, whole) = frames(&file_of(small(), &Recipients::default()));
    let mut hashes = frame::FrameHashes::default();
    hashes.take_line(&line);
    let header = &whole[0][frame::HEAD_BYTES..whole[0].len() - frame::HASH_BYTES];
    let header = forged(&mut hashes, frame::FrameKind::Header, header);
    let rows = forged(&mut hashes, frame::FrameKind::Rows, &bomb);
    let refused = read(&[&line, &header[..], &rows].concat(), None).unwrap_err().to_string();
    assert!(refused.contains("rows do not decompress in frame 1"), "{refused}");
    let long = [&line[..], &header, &u32::MAX.to_be_bytes(), &[frame::FrameKind::Rows.byte()]];
    let refused = read(&long.concat(), None).unwrap_err().to_string();
    assert!(refused.contains("the length or the kind is invalid in frame 1"), "{refused}");
}

#[test]
fn other_files_and_missing_identities_have_clear_errors() {
    let (identities, recipients) = identity();
    let (others, _) = identity();
    let encrypted = file_of(small(), &recipients);
    for (name, file, identities, expected) in [
        ("empty", &b""[..], None, "the file is not a keyhouse backup"),
        ("text", b"hello\nworld\n", None, "the file is not a keyhouse backup"),
        ("long line", &[b'x'; 10_000], None, "the file is not a keyhouse backup"),
        ("format 0", b"keyhouse-backup 0\n", None, "the file is not a keyhouse backup"),
        ("format +1", b"keyhouse-backup +1\n", None, "the file is not a keyhouse backup"),
        ("later format", b"keyhouse-backup 2\n", None, "the backup has format 2, this version"),
        ("no identity", &encrypted, None, "the backup is encrypted: name the file"),
        (
            "other identity",
            &encrypted,
            Some(&others),
            "the backup is encrypted to other recipients",
        ),
    ] {
        let error = read(file, identities).expect_err(name).to_string();
        assert!(error.starts_with(expected), "{name}: {error}");
    }
    let nested = {
        let mut envelope = encryption::Envelope::new(&recipients).unwrap();
        envelope.add(&encrypted).unwrap();
        envelope.end().unwrap();
        envelope.take()
    };
    assert_refused("encrypted twice", &nested, Some(&identities));
}

#[test]
fn recipients_and_identities_are_validated_without_printing_them() {
    let (_, recipients) = identity();
    let [text] = &recipients.texts()[..] else { panic!() };
    let many = vec![&**text; RECIPIENTS_MAX + 1];
    assert!(Recipients::parse(many[1..].iter().copied()).is_ok());
    assert_eq!(Recipients::parse(many).unwrap_err(), InvalidRecipient::TooMany);
    for wrong in ["", "age1", "ssh-ed25519 AAAA", &format!("{text} ")] {
        let refused = Recipients::parse([wrong]).unwrap_err();
        assert_eq!(refused, InvalidRecipient::NotARecipient, "{wrong}");
    }
    let secret = "AGE-SECRET-KEY-1WRONG";
    for (file, expected) in [
        (format!("# a\n\n{secret}\n"), "line 3 of the identity file is not an identity"),
        ("# nothing\n".to_owned(), "the identity file contains no identity"),
        ("#".repeat(70_000), "the identity file is larger than 65536 bytes"),
    ] {
        let error = Identities::read(file.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(expected) && !error.contains(secret), "{error}");
    }
}

#[test]
fn a_dropped_revision_and_a_failed_store_end_the_backup_without_an_end() {
    let store = store_with(&[]);
    for row in 0..3 * frame::FRAME_ROWS_MAX / 1_000 {
        let batch =
            (0..1_000).fold(Batch::new(), |batch, it| batch.put(format!("key/{row}/{it}"), ""));
        store.commit(batch).unwrap();
    }
    let begin_again = || begin(Arc::clone(&store) as Arc<dyn Store>, &Recipients::default());
    for (fault, expected) in [
        (InjectedFault::Compacted, "the store no longer holds revision "),
        (InjectedFault::Unavailable, "could not read the store"),
    ] {
        let mut stream = begin_again().unwrap();
        let mut file = vec![0; 2_000];
        stream.read_exact(&mut file).unwrap();
        store.inject(StoreOperation::Scan, 1, fault);
        let error = stream.read_to_end(&mut file).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
        assert!(stream.read(&mut [0; 10]).is_err(), "it fails also later");
        assert_refused(expected, &file, None);
    }
    store.inject(StoreOperation::Get, 1, InjectedFault::Compacted);
    let error = begin_again().unwrap_err();
    assert!(matches!(error, BackupError::RevisionGone { .. }), "{error}");
    store.inject(StoreOperation::Get, 1, InjectedFault::Unavailable);
    let error = begin_again().unwrap_err();
    assert_eq!(error.to_string(), "could not read the identity of the store");
    let empty: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let error = begin(empty, &Recipients::default()).unwrap_err();
    assert!(matches!(error, BackupError::NothingToBackUp), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn any_rows_come_back(rows in proptest::collection::btree_map(
        proptest::collection::vec(any::<u8>(), 1..512),
        proptest::collection::vec(any::<u8>(), 0..3_000),
        0..300,
    )) {
        let rows: Vec<_> = rows.iter().map(|(key, value)| (&**key, &**value)).collect();
        let store = store_with(&rows);
        let (identities, recipients) = identity();
        for recipients in [Recipients::default(), recipients] {
            let file = file_of(Arc::clone(&store) as Arc<dyn Store>, &recipients);
            let (_, found) = read(&file, Some(&identities)).unwrap();
            prop_assert_eq!(found, rows_of(&*store));
        }
    }
}
