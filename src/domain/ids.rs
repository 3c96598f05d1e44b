//! Names and numbers that identify things: batch, row, attempt, transaction id, provider's reference.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::AccountId;

/// Why a text is no identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not 20 to 32 characters of `0-9 A-Z`.
    #[error("a transaction id is 20 to 32 characters of 0-9 A-Z")]
    TransactionId,
    /// Empty, longer than 64 characters, or with control characters.
    #[error("a provider's reference is 1 to 64 printable characters")]
    ProviderRef,
    /// Not `<stem>-<8 hex>`.
    #[error("a batch name ends in a dash and 8 hexadecimal digits")]
    BatchName,
}

/// Row of the input file, counted from 1 (the header is no row, nor is a line of empty cells).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RowNumber(pub u64);

impl std::fmt::Display for RowNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Attempt number: one transaction id each; counts from 1. Zero: none was ever made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attempt(pub u32);

impl Attempt {
    /// The attempt after this one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Name of a batch: `<stem or NAME>-<first 8 hex of the SHA-256 of the file's bytes>` (`contract.md` 1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BatchName(String);

impl BatchName {
    /// The batch of a file with this stem and digest.
    pub fn of_file(stem: &str, sha256: &[u8; 32]) -> Self {
        let mut hexed = hex::encode(sha256);
        hexed.truncate(8);
        Self(format!("{stem}-{hexed}"))
    }

    /// Reads a whole name.
    ///
    /// # Errors
    /// [`IdError::BatchName`] when it does not end in a dash and 8 hex digits.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let (stem, digest) = text.rsplit_once('-').ok_or(IdError::BatchName)?;
        let hexed = digest.len() == 8 && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if stem.is_empty() || !hexed { Err(IdError::BatchName) } else { Ok(Self(text.to_owned())) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the digest: file stem or `--batch NAME`.
    pub fn stem(&self) -> &str {
        self.0.rsplit_once('-').map_or(self.0.as_str(), |(stem, _)| stem)
    }
}

impl std::fmt::Display for BatchName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Our id of one attempt, as sent to the provider: 20 to 32 characters of `0-9 A-Z`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransactionId(String);

impl TransactionId {
    /// Reads an id from a results file or the ledger.
    ///
    /// # Errors
    /// [`IdError::TransactionId`] when length or alphabet is wrong.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let alphabet = text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
        if (20..=32).contains(&text.len()) && alphabet {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::TransactionId)
        }
    }

    /// Derives the id of an attempt from account, batch, row and attempt number and nothing else, so that a
    /// lost ledger yields the same ids again (`contract.md` 6). 24 characters carry 120 bits of a SHA-256.
    pub fn derive(account: &AccountId, batch: &BatchName, row: RowNumber, attempt: Attempt) -> Self {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let mut hash = Sha256::new();
        for part in [account.kind.as_str(), account.tag(), batch.as_str()] {
            // The length in front keeps ("ab","c") and ("a","bc") apart.
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.update(row.0.to_be_bytes());
        hash.update(attempt.0.to_be_bytes());
        let digest = hash.finalize();
        let (mut bits, mut held) = (0u32, 0u32);
        let mut text = String::with_capacity(24);
        for byte in digest.iter().take(15) {
            bits = (bits << 8) | u32::from(*byte);
            held += 8;
            while held >= 5 {
                held -= 5;
                let index = usize::try_from((bits >> held) & 31).unwrap_or(0);
                text.push(ALPHABET.get(index).copied().map_or('0', char::from));
            }
            bits &= (1 << held) - 1;
        }
        Self(text)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for TransactionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The provider's own id of an order, kept exactly as text (ids above 2^53 included).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProviderRef(String);

impl ProviderRef {
    /// Reads a reference as the provider wrote it.
    ///
    /// # Errors
    /// [`IdError::ProviderRef`] when it is empty, longer than 64 characters, or holds control characters.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let text = text.trim();
        let printable = !text.chars().any(char::is_control);
        if !text.is_empty() && text.chars().count() <= 64 && printable {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::ProviderRef)
        }
    }

    /// The reference as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ProviderKind;

    #[test]
    fn an_id_depends_on_account_batch_row_and_attempt_alone() {
        let account = AccountId::new(ProviderKind::Tutom, "KEY");
        let batch = BatchName::parse("payroll-0a1b2c3d").unwrap();
        let id = TransactionId::derive(&account, &batch, RowNumber(7), Attempt(1));
        assert_eq!(id, TransactionId::derive(&account, &batch, RowNumber(7), Attempt(1)));
        assert_eq!(id.as_str().len(), 24);
        assert!(TransactionId::parse(id.as_str()).is_ok());
        assert_ne!(id, TransactionId::derive(&account, &batch, RowNumber(7), Attempt(2)));
        assert_ne!(id, TransactionId::derive(&account, &batch, RowNumber(8), Attempt(1)));
        let other = AccountId::new(ProviderKind::Paynicorn, "KEY");
        assert_ne!(id, TransactionId::derive(&other, &batch, RowNumber(7), Attempt(1)));
    }

    #[test]
    fn the_derivation_never_changes_or_a_lost_ledger_would_yield_other_ids() {
        let account = AccountId::new(ProviderKind::ConnectTopup, "demo");
        let batch = BatchName::parse("payroll-0a1b2c3d").unwrap();
        let id = TransactionId::derive(&account, &batch, RowNumber(1), Attempt(1));
        assert_eq!(id.as_str(), PINNED_ID);
    }

    const PINNED_ID: &str = "HCVHXB3DA4JKNK9BXMQ0DR05";

    #[test]
    fn batch_names_keep_dashes_in_the_stem() {
        let name = BatchName::parse("pay-roll-0a1b2c3d").unwrap();
        assert_eq!(name.stem(), "pay-roll");
        assert_eq!(BatchName::parse("payroll"), Err(IdError::BatchName));
    }
}
