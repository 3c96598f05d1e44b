//! One row that was judged good: who gets what, through whom.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{AccountId, Currency, PhoneNumber, RowNumber};

/// What is bought for the number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goods {
    /// Airtime worth the order's amount.
    Airtime,
    /// Mobile data by the provider's product id (`23`).
    DataProduct(String),
    /// Mobile data by size in the provider's unit (`data_value`, 1 GB = 1024): must name exactly one product
    /// of the number.
    DataSize {
        /// Megabytes, 1024 of them a GB.
        megabytes: u64,
    },
}

impl Goods {
    /// The `product` cell in one form: `airtime`, the productid, or a size such as `6GB` or `500M`.
    pub fn canonical(&self) -> String {
        match self {
            Self::Airtime => "airtime".to_owned(),
            Self::DataProduct(id) => id.clone(),
            Self::DataSize { megabytes } if megabytes % 1024 == 0 => format!("{}GB", megabytes / 1024),
            Self::DataSize { megabytes } => format!("{megabytes}M"),
        }
    }
}

/// A valid row: everything that is known before its provider is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Row of the file.
    pub row: RowNumber,
    /// Name of the provider entry in the configuration.
    pub provider: String,
    /// The account it is bound to.
    pub account: AccountId,
    /// Who gets it.
    pub phone: PhoneNumber,
    /// What.
    pub goods: Goods,
    /// Major units. Airtime: the face value, always there. Data: the highest price the row may cost.
    pub amount: Option<Decimal>,
    /// Currency the amount is in. Data rows: unknown until the catalogue named it.
    pub currency: Option<Currency>,
    /// The operator the row named, as the provider spells it (`VTL`, `NG_MTN`, `China Unicom`).
    pub operator: Option<String>,
    /// The operator the number's prefix hints at, spelled likewise; a hint, never more.
    pub operator_hint: Option<String>,
    /// The user's own row key.
    pub reference: Option<String>,
}
