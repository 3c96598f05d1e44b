//! Exit codes (`contract.md` 2): what they mean, and which one wins when several apply.

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// 0: every row succeeded; for commands without rows: done.
    Success,
    /// 1: internal or I/O error (ledger, disk).
    Internal,
    /// 2: refused before anything was sent.
    Refused,
    /// 3: finished; some rows `failed` or `invalid`.
    SomeFailed,
    /// 4: some rows still `pending` or `unknown`.
    SomeOpen,
    /// 5: valid rows are left `not_sent`.
    SomeNotSent,
    /// 6: another process is submitting from this ledger.
    Locked,
    /// 130: interrupted; everything known is recorded, results are written.
    Interrupted,
}

/// Which one wins when several apply, strongest first.
const PRECEDENCE: [Exit; 8] = [
    Exit::Locked,
    Exit::Refused,
    Exit::Internal,
    Exit::Interrupted,
    Exit::SomeNotSent,
    Exit::SomeOpen,
    Exit::SomeFailed,
    Exit::Success,
];

impl Exit {
    /// The number the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Internal => 1,
            Self::Refused => 2,
            Self::SomeFailed => 3,
            Self::SomeOpen => 4,
            Self::SomeNotSent => 5,
            Self::Locked => 6,
            Self::Interrupted => 130,
        }
    }

    /// The one that wins of those that apply; success when none does.
    pub fn strongest(applying: &[Self]) -> Self {
        PRECEDENCE.into_iter().find(|exit| applying.contains(exit)).unwrap_or(Self::Success)
    }

    /// The stronger of the two.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::strongest(&[self, other])
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_the_contract() {
        let codes = PRECEDENCE.map(Exit::code);
        assert_eq!(codes, [6, 2, 1, 130, 5, 4, 3, 0]);
    }

    #[test]
    fn the_stronger_exit_wins_in_either_order() {
        for (rank, strong) in PRECEDENCE.iter().enumerate() {
            for weak in &PRECEDENCE[rank..] {
                assert_eq!(strong.and(*weak), *strong);
                assert_eq!(weak.and(*strong), *strong);
            }
        }
        assert_eq!(Exit::strongest(&[]), Exit::Success);
        assert_eq!(
            Exit::strongest(&[Exit::SomeFailed, Exit::SomeOpen, Exit::Interrupted]),
            Exit::Interrupted
        );
    }
}
