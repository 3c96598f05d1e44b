//! Rows and halts for the tests of this floor.

use rust_decimal::Decimal;

use super::ProviderHalt;
use crate::domain::{
    AccountId, Country, Currency, Goods, Halt, Order, PhoneNumber, ProviderKind, Reason, RowNumber,
};
use crate::lifecycle::{StoredRow, TopUp};

/// A good row: 20000 VND of airtime through `vietnam`, operator `VTL`.
pub(in crate::report) fn airtime_row(row: u64) -> StoredRow {
    StoredRow {
        row: RowNumber(row),
        line: row + 1,
        cells: vec!["0912345601".to_owned(), "a, b".to_owned()],
        order: Some(Order {
            row: RowNumber(row),
            provider: "vietnam".to_owned(),
            account: AccountId::new(ProviderKind::ConnectTopup, "demo"),
            phone: PhoneNumber::new(Country::VN, "84", "912345601").unwrap(),
            goods: Goods::Airtime,
            amount: Some(Decimal::new(2_000_000, 2)),
            currency: Some(Currency::VND),
            operator: Some("VTL".to_owned()),
            operator_hint: None,
            reference: None,
        }),
        notes: Vec::new(),
        state: TopUp::ready(),
    }
}

/// A good row: product 23 through `china`, at most 50.
pub(in crate::report) fn data_row(row: u64) -> StoredRow {
    let mut stored = airtime_row(row);
    if let Some(order) = &mut stored.order {
        order.provider = "china".to_owned();
        order.account = AccountId::new(ProviderKind::Tutom, "key");
        order.phone = PhoneNumber::new(Country::CN, "86", "13012345678").unwrap();
        order.goods = Goods::DataProduct("23".to_owned());
        order.amount = Some(Decimal::new(50, 0));
        order.currency = None;
        order.operator = None;
    }
    stored
}

/// A halt of a provider, or of one operator of it.
pub(in crate::report) fn halt(provider: &str, operator: Option<&str>, reason: Reason) -> ProviderHalt {
    ProviderHalt {
        provider: provider.to_owned(),
        halt: Halt {
            operator: operator.map(str::to_owned),
            reason,
            code: "-3".to_owned(),
            message: format!("halted: {reason}"),
        },
    }
}
