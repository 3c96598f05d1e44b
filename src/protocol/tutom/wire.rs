//! Tutom's fields, as it spells them (`tutom-data-refill.txt`). The table calls codes and states integers, the
//! samples write strings; both are read.

use crate::domain::{DataProduct, Money};
use crate::protocol::answer::Scrub;
use crate::protocol::json::Object;
use crate::protocol::request::Field;

/// Fields of List.
pub(super) fn list(app_key: &str) -> Vec<Field> {
    vec![("appkey", app_key.to_owned())]
}

/// Fields of ListByPhone.
pub(super) fn list_by_phone(app_key: &str, mdn: &str) -> Vec<Field> {
    vec![("appkey", app_key.to_owned()), ("mdn", mdn.to_owned())]
}

/// Fields of OrderCreate.
pub(super) fn order_create(
    app_key: &str,
    orderid: &str,
    sign: String,
    mdn: &str,
    productid: &str,
) -> Vec<Field> {
    vec![
        ("appkey", app_key.to_owned()),
        ("orderid", orderid.to_owned()),
        ("sign", sign),
        ("mdn", mdn.to_owned()),
        ("productid", productid.to_owned()),
    ]
}

/// Fields of OrderQuery.
pub(super) fn order_query(app_key: &str, orderid: &str) -> Vec<Field> {
    vec![("appkey", app_key.to_owned()), ("orderid", orderid.to_owned())]
}

/// The answer to OrderCreate and OrderQuery.
pub(super) struct OrderAnswer {
    pub(super) response_code: Option<String>,
    pub(super) response_text: String,
    pub(super) id: Option<String>,
    pub(super) state: Option<String>,
    pub(super) cost: Option<Money>,
    /// Not documented; where it comes it must be ours.
    pub(super) orderid: Option<String>,
}

impl OrderAnswer {
    pub(super) fn read(object: &Object<'_>) -> Self {
        let price = object.word("price").zip(object.word("currency"));
        Self {
            response_code: object.text("response_code"),
            response_text: object.text("response_text").unwrap_or_default(),
            id: object.word("id"),
            state: object.text("state"),
            cost: price.and_then(|(price, currency)| Money::parse(&price, &currency).ok()),
            orderid: object.word("orderid"),
        }
    }
}

/// The products of List and ListByPhone; entries without id, size or price cannot be bought safely and are left
/// out. `None`: there is no list.
pub(super) fn products(object: &Object<'_>, scrub: &Scrub) -> Option<Vec<DataProduct>> {
    let product = |entry: &Object<'_>| {
        Some(DataProduct {
            id: entry.word("productid").filter(|id| super::judge_product_id(id).is_ok())?,
            operator: scrub.words(&entry.word("operator")?),
            label: scrub.words(&entry.word("data")?),
            megabytes: entry.word("data_value")?.parse().ok()?,
            price: Money::parse(&entry.word("price")?, &entry.word("currency")?).ok()?,
        })
    };
    Some(object.objects("productlist")?.iter().filter_map(product).collect())
}
