//! Why a command ended early, with the exit code that says so.

use super::exit::Exit;
use crate::intake::FileFault;
use crate::ledger::{AdmitError, LedgerError, LockError, ResultsFileError};
use crate::net::NetError;
use crate::run::RunError;
use crate::settings::SettingsError;

/// An end before the work was done: the code, and what to tell.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Stop {
    /// Exit code.
    pub exit: Exit,
    /// For a person: what, why, and what to do.
    pub message: String,
}

impl Stop {
    /// Exit 2.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { exit: Exit::Refused, message: message.into() }
    }

    /// Exit 1.
    pub fn internal(message: impl Into<String>) -> Self {
        Self { exit: Exit::Internal, message: message.into() }
    }
}

impl From<SettingsError> for Stop {
    fn from(error: SettingsError) -> Self {
        Self::refused(error.to_string())
    }
}

impl From<FileFault> for Stop {
    fn from(error: FileFault) -> Self {
        Self::refused(error.to_string())
    }
}

impl From<NetError> for Stop {
    fn from(error: NetError) -> Self {
        Self::refused(error.to_string())
    }
}

impl From<LedgerError> for Stop {
    fn from(error: LedgerError) -> Self {
        Self::internal(error.to_string())
    }
}

impl From<RunError> for Stop {
    fn from(error: RunError) -> Self {
        Self::internal(error.to_string())
    }
}

impl From<ResultsFileError> for Stop {
    fn from(error: ResultsFileError) -> Self {
        Self::internal(error.to_string())
    }
}

impl From<AdmitError<Self>> for Stop {
    fn from(error: AdmitError<Self>) -> Self {
        match error {
            AdmitError::Ledger(error) => error.into(),
            AdmitError::Rows(stop) => stop,
        }
    }
}

impl From<LockError> for Stop {
    fn from(error: LockError) -> Self {
        let exit = match error {
            LockError::Held { .. } => Exit::Locked,
            LockError::Io { .. } => Exit::Internal,
        };
        Self { exit, message: error.to_string() }
    }
}
