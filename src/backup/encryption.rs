//! Recipients and identities of encrypted backups, as the `age` program writes them.

use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use age::stream::StreamWriter;
use age::{DecryptError, Decryptor, Encryptor};
use zeroize::Zeroizing;

use crate::backup::BackupError;

/// Maximum number of recipients of one backup.
pub const RECIPIENTS_MAX: usize = 16;
/// Maximum size of a file with identities.
const IDENTITIES_BYTES_MAX: u64 = 64 * 1_024;

/// The recipients that can decrypt a backup. Without recipients it is not encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipients(Vec<age::x25519::Recipient>);

/// The text is not a list of recipients.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecipient {
    #[error(
        "must be a recipient of age, such as age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
    )]
    NotARecipient,
    #[error("at most {RECIPIENTS_MAX} recipients are allowed")]
    TooMany,
}

impl Recipients {
    /// Parses recipients `age1..`, each the public half of an identity.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidRecipient> {
        let mut recipients = Vec::new();
        for text in texts {
            if recipients.len() == RECIPIENTS_MAX {
                return Err(InvalidRecipient::TooMany);
            }
            let parsed = age::x25519::Recipient::from_str(text);
            recipients.push(parsed.map_err(|_text| InvalidRecipient::NotARecipient)?);
        }
        Ok(Self(recipients))
    }

    /// Parses recipients that are separated by commas.
    pub fn parse_list(texts: &str) -> Result<Self, InvalidRecipient> {
        Self::parse(texts.split(',').map(str::trim))
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The texts `age1..`, for the audit log.
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

/// The identities that decrypt a backup. `Debug` does not print them.
#[derive(Clone)]
pub struct Identities(Vec<age::x25519::Identity>);

/// Why a file with identities cannot be used. The error names the line, never its text.
#[derive(Debug, thiserror::Error)]
pub enum InvalidIdentities {
    #[error("could not read the identity file")]
    Input(#[from] io::Error),
    #[error("the identity file is larger than {IDENTITIES_BYTES_MAX} bytes")]
    TooLarge,
    #[error("line {0} of the identity file is not an identity of age (AGE-SECRET-KEY-1..)")]
    Line(usize),
    #[error("the identity file contains no identity")]
    Empty,
}

impl Identities {
    /// Reads the content of an identity file, as `age-keygen` writes it.
    pub fn read(input: impl Read) -> Result<Self, InvalidIdentities> {
        let mut bytes = Zeroizing::new(Vec::new());
        input.take(IDENTITIES_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > IDENTITIES_BYTES_MAX) {
            return Err(InvalidIdentities::TooLarge);
        }
        let mut identities = Vec::new();
        for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let identity = str::from_utf8(line).ok().and_then(|line| line.parse().ok());
            identities.push(identity.ok_or(InvalidIdentities::Line(number + 1))?);
        }
        if identities.is_empty() { Err(InvalidIdentities::Empty) } else { Ok(Self(identities)) }
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identities(..)")
    }
}

/// The bytes that a stream has written and that its reader has not taken yet.
#[derive(Clone, Debug, Default)]
struct EnvelopeBytes(Arc<Mutex<Vec<u8>>>);

impl EnvelopeBytes {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for EnvelopeBytes {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Turns the bytes of a backup into those of its file.
pub(super) struct Envelope {
    written: EnvelopeBytes,
    /// `None` if the file is not encrypted, or is complete.
    cipher: Option<StreamWriter<EnvelopeBytes>>,
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope").finish_non_exhaustive()
    }
}

impl Envelope {
    pub(super) fn new(recipients: &Recipients) -> io::Result<Self> {
        let written = EnvelopeBytes::default();
        if recipients.is_empty() {
            return Ok(Self { written, cipher: None });
        }
        let recipients = recipients.0.iter().map(|it| it as &dyn age::Recipient);
        let encryptor = Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        let cipher = Some(encryptor.wrap_output(written.clone())?);
        Ok(Self { written, cipher })
    }

    pub(super) fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.cipher {
            Some(cipher) => cipher.write_all(bytes),
            None => self.written.write_all(bytes),
        }
    }

    /// Encrypts the last bytes. Nothing can be added afterwards.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.cipher.take().map_or(Ok(()), |cipher| cipher.finish().map(drop))
    }

    /// The bytes of the file that were not taken yet. The last bytes follow after [`Self::end`].
    pub(super) fn take(&self) -> Vec<u8> {
        self.written.take()
    }
}

/// Decrypts a file that begins with the first line of age's format.
pub(super) fn decrypted<'a>(
    input: impl Read + 'a,
    identities: &Identities,
) -> Result<impl Read + 'a, BackupError> {
    let decryptor = Decryptor::new_buffered(BufReader::new(input)).map_err(refusal)?;
    decryptor.decrypt(identities.0.iter().map(|it| it as &dyn age::Identity)).map_err(refusal)
}

fn refusal(error: DecryptError) -> BackupError {
    match error {
        DecryptError::NoMatchingKeys | DecryptError::KeyDecryptionFailed => {
            BackupError::NoMatchingIdentity
        },
        DecryptError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            BackupError::Input(error)
        },
        DecryptError::DecryptionFailed
        | DecryptError::ExcessiveWork { .. }
        | DecryptError::InvalidHeader
        | DecryptError::InvalidMac
        | DecryptError::Io(_)
        | DecryptError::UnknownFormat => BackupError::EncryptionHeader,
    }
}
