//! The hash chain over events: each hash covers the one before it, so that no event can change, vanish or be
//! slipped in unseen.

use sha2::{Digest, Sha256};

use crate::domain::BatchName;

/// A link's hash.
pub(super) type Hash = [u8; 32];

/// Everything of one event that the chain covers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link<'a> {
    pub(super) seq: i64,
    pub(super) batch: i64,
    pub(super) row: Option<i64>,
    /// The event of the same row before.
    pub(super) prev: Option<i64>,
    pub(super) at: i64,
    pub(super) body: &'a str,
}

impl Link<'_> {
    /// SHA-256 over the previous hash and this event.
    pub(super) fn hash(&self, previous: &[u8]) -> Hash {
        let mut hash = Sha256::new();
        hash.update(previous);
        // Rows and events count from 1: zero is "of the whole batch".
        let [row, prev] = [self.row, self.prev].map(Option::unwrap_or_default);
        for number in [self.seq, self.batch, row, prev, self.at] {
            hash.update(number.to_be_bytes());
        }
        hash.update(self.body.as_bytes());
        hash.finalize().into()
    }
}

/// Digest over all admitted rows of a batch, in their order.
pub(super) struct AdmissionDigest(Sha256);

impl AdmissionDigest {
    /// Begins with what identifies the batch: its ids are derived from the name.
    pub(super) fn of_batch(
        name: &BatchName,
        file_sha256: &[u8; 32],
        header: &[String],
        sandbox: bool,
    ) -> Self {
        let mut digest = Self(Sha256::new());
        digest.text(name.as_str());
        digest.0.update(file_sha256);
        digest.0.update([u8::from(sandbox)]);
        digest.0.update(length(header.len()));
        for cell in header {
            digest.text(cell);
        }
        digest
    }

    /// Adds one row, as its columns are stored.
    pub(super) fn add(&mut self, row: i64, line: i64, texts: [&str; 4]) {
        self.0.update(row.to_be_bytes());
        self.0.update(line.to_be_bytes());
        for text in texts {
            self.text(text);
        }
    }

    /// The length in front keeps ("ab","c") and ("a","bc") apart.
    fn text(&mut self, text: &str) {
        self.0.update(length(text.len()));
        self.0.update(text.as_bytes());
    }

    pub(super) fn finish(self) -> String {
        hex::encode(self.0.finalize())
    }
}

fn length(len: usize) -> [u8; 8] {
    u64::try_from(len).unwrap_or(u64::MAX).to_be_bytes()
}
