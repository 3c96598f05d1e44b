//! Floor 0: the nouns of a top-up, with one `parse` each. No I/O, nothing of the other floors.

mod cell;
mod hash;
mod http;
mod ids;
mod money;
mod order;
mod outcome;
mod phone;
mod provider;
mod secret;
mod text;
mod time;
mod verdict;

pub use cell::{neutralise, restore};
pub(crate) use hash::HashMap;
pub use http::{Delivery, HttpRequest, Method, NetFault, Reply};
pub use ids::{Attempt, BatchName, IdError, ProviderRef, RowNumber, TransactionId};
pub use money::{Currency, Money, MoneyError, grouped};
pub use order::{Goods, Order};
pub use outcome::{Next, Reason, Status};
pub use phone::{Country, PhoneError, PhoneNumber, mask_digits, mask_numbers};
pub use provider::{AccountId, ProviderKind};
pub use secret::Secret;
pub use time::{Boot, Now, Rfc3339, Tick, WallTime};
pub use verdict::{
    AirtimeProduct, Answer, Catalogue, DataProduct, Denomination, Halt, LookupMeaning, LookupVerdict,
    Refusal, SubmitMeaning, SubmitVerdict, ThrottleScope, Told, Unclear,
};
