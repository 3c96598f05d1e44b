//! The words a user sees for what became of a row (`contract.md` 4).

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every value, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Reads the stable word.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words! {
    /// `topup_status`.
    Status {
        /// The provider completed the order.
        Succeeded = "succeeded",
        /// Submitted, and proved not to have been charged.
        Failed = "failed",
        /// Never submitted: the row is wrong.
        Invalid = "invalid",
        /// The provider is working on it.
        Pending = "pending",
        /// Money may have moved.
        Unknown = "unknown",
        /// Valid; never submitted, or proved not to have been taken.
        NotSent = "not_sent",
    }
}

words! {
    /// `topup_next`: what to do with the row.
    Next {
        /// Nothing.
        None = "none",
        /// Safe to send again as it stands.
        Retry = "retry",
        /// Edit the row, then retry.
        Fix = "fix",
        /// A look-up can still settle it.
        Wait = "wait",
        /// Ask the provider, then `resolve`.
        Ask = "ask",
    }
}

words! {
    /// `topup_reason`: why a row has its status.
    Reason {
        /// The phone cell is no number that can be topped up.
        BadPhone = "bad_phone",
        /// The amount cell is no exact amount.
        BadAmount = "bad_amount",
        /// The same order stands earlier in the file.
        DuplicateRow = "duplicate_row",
        /// The same order was sent lately from another batch.
        RecentRepeat = "recent_repeat",
        /// A cap of the configuration is exceeded.
        OverCap = "over_cap",
        /// No provider serves the row.
        NoProvider = "no_provider",
        /// The provider does not sell this amount.
        UnsupportedAmount = "unsupported_amount",
        /// The provider does not sell this product.
        UnsupportedProduct = "unsupported_product",
        /// The provider does not serve this operator.
        UnsupportedOperator = "unsupported_operator",
        /// Our balance at the provider is too low.
        InsufficientBalance = "insufficient_balance",
        /// The provider's own balance upstream is too low.
        ProviderBalance = "provider_balance",
        /// Our account is locked.
        AccountLocked = "account_locked",
        /// The service is not activated for our account.
        NotActivated = "not_activated",
        /// Key, user name or signature is wrong.
        BadCredentials = "bad_credentials",
        /// Our address is not on the provider's list.
        IpNotAllowed = "ip_not_allowed",
        /// The provider refuses us as a partner.
        PartnerRefused = "partner_refused",
        /// The service or channel is paused.
        ServicePaused = "service_paused",
        /// A limit of our account is reached.
        LimitReached = "limit_reached",
        /// The account's currency does not fit.
        Currency = "currency",
        /// The callback URL must be set in the provider's portal.
        CallbackUrl = "callback_url",
        /// The provider wants us to slow down.
        Throttled = "throttled",
        /// Another order for the number is open, or was too lately.
        NumberBusy = "number_busy",
        /// The line is ragged, broken or too long.
        BadRow = "bad_row",
        /// The provider reported that the order failed.
        ProviderFailed = "provider_failed",
        /// The provider does not know the order: proved unspent.
        NotReceived = "not_received",
        /// No usable answer came.
        NoAnswer = "no_answer",
        /// Answer after answer was unclear.
        UnclearAnswers = "unclear_answers",
        /// The provider itself is not sure.
        Questionable = "questionable",
        /// Two pieces of evidence contradict each other.
        Conflict = "conflict",
        /// The provider cannot be reached.
        Unreachable = "unreachable",
        /// The run was stopped.
        Interrupted = "interrupted",
        /// A person decided.
        Resolved = "resolved",
        /// The batch was cancelled.
        Cancelled = "cancelled",
    }
}

impl Status {
    /// Whether nothing can change any more for a finished batch: `succeeded`, `failed` or `invalid`.
    pub fn is_finished(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Invalid => true,
            Self::Pending | Self::Unknown | Self::NotSent => false,
        }
    }

    /// Whether money may be under way: `pending` or `unknown`.
    pub fn is_open(self) -> bool {
        match self {
            Self::Pending | Self::Unknown => true,
            Self::Succeeded | Self::Failed | Self::Invalid | Self::NotSent => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Some(*status));
        }
        for next in Next::ALL {
            assert_eq!(Next::parse(next.as_str()), Some(*next));
        }
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(*reason));
            assert_eq!(serde_json::to_string(reason).unwrap(), format!("\"{reason}\""));
        }
    }
}
