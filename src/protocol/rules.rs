//! What can be judged about an order before it is sent, from the providers' documents and catalogues alone: no
//! account, no key, no network.

use rust_decimal::Decimal;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::domain::{
    AirtimeProduct, Country, Currency, DataProduct, Denomination, Goods, Order, ProviderKind, Reason, Refusal,
};

use super::{connect_topup, tutom};

/// How many ids or amounts a message lists.
const LISTED_MAX: usize = 12;

/// The provider's spelling of an operator as people write it; `None` when the provider has no such operator.
/// Case, spaces, punctuation and accents do not matter (`connect-topup.txt` gateways; Paynicorn
/// `operatorCode`; Tutom `operator`).
pub fn operator_code(kind: ProviderKind, country: Country, named: &str) -> Option<String> {
    match kind {
        ProviderKind::ConnectTopup if country == Country::VN => gateway(&fold(named)).map(str::to_owned),
        ProviderKind::Tutom if country == Country::CN => chinese(&fold(named)).map(str::to_owned),
        ProviderKind::Paynicorn => paynicorn_code(country, named),
        ProviderKind::ConnectTopup | ProviderKind::Tutom => None,
    }
}

/// Letters and digits alone, small, without accents.
fn fold(named: &str) -> String {
    let plain =
        named.nfkd().filter(|c| !is_combining_mark(*c)).map(|c| if c == 'đ' || c == 'Đ' { 'd' } else { c });
    plain.filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn gateway(folded: &str) -> Option<&'static str> {
    match folded {
        "mobifone" | "mobi" | "vms" => Some("VMS"),
        "viettel" | "viettelmobile" | "vtl" => Some("VTL"),
        "vinaphone" | "vina" | "vnp" => Some("VNP"),
        "vietnamobile" | "vnmobile" | "vnb" => Some("VNB"),
        "beeline" | "gmobile" | "gtelmobile" | "gtel" => Some("GTEL"),
        _ => None,
    }
}

fn chinese(folded: &str) -> Option<&'static str> {
    match folded {
        "chinamobile" | "mobile" | "cmcc" | "中国移动" | "移动" | "中國移動" | "移動" => {
            Some("China Mobile")
        }
        "chinaunicom" | "unicom" | "中国联通" | "联通" | "中國聯通" | "聯通" => {
            Some("China Unicom")
        }
        "chinatelecom" | "telecom" | "中国电信" | "电信" | "中國電信" | "電信" => {
            Some("China Telecom")
        }
        _ => None,
    }
}

/// `NG_MTN` as it stands, or `<country>_<NAME>`; the Nigerian names that Paynicorn spells otherwise are known.
fn paynicorn_code(country: Country, named: &str) -> Option<String> {
    let coded = named.trim().to_ascii_uppercase();
    if let Some((prefix, name)) = coded.split_once('_')
        && prefix.len() == 2
    {
        let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        return (plain && prefix == country.code()).then_some(coded);
    }
    let folded = fold(named);
    let name = match (country.code(), folded.as_str()) {
        ("NG", "mtn" | "mtnnigeria") => "MTN".to_owned(),
        ("NG", "airtel" | "airtelnigeria") => "AIRTEL".to_owned(),
        ("NG", "glo" | "globacom" | "glomobile" | "glonigeria") => "GLOMOBILE".to_owned(),
        ("NG", "9mobile" | "etisalat" | "9mobilenigeria") => "9MOBILE".to_owned(),
        (_, other) if other.is_ascii() && !other.is_empty() => other.to_ascii_uppercase(),
        _ => return None,
    };
    Some(format!("{}_{name}", country.code()))
}

/// What is surely wrong with an order, without asking anyone.
///
/// # Errors
/// [`Refusal`] that says what would be allowed.
pub fn judge_offline(order: &Order) -> Result<(), Refusal> {
    match order.account.kind {
        ProviderKind::ConnectTopup => {
            airtime_only(order, "CONNECT TOPUP")?;
            connect_topup::judge_phone(&order.phone)?;
            connect_topup::judge_amount(order.amount)?;
            let gateways = connect_topup::GATEWAYS;
            match order.operator.as_deref() {
                Some(named) if !gateways.contains(&named) => Err(refusal(
                    Reason::UnsupportedOperator,
                    format!("CONNECT TOPUP serves {} only, not {named}.", gateways.join(", ")),
                )),
                Some(_) | None => Ok(()),
            }
        }
        ProviderKind::Paynicorn => {
            airtime_only(order, "Paynicorn")?;
            // A currency nobody named yet: no currency has more than three places.
            let places = order.currency.map_or(3, Currency::places);
            let amount = positive(order.amount, "Paynicorn needs the amount of airtime")?;
            if amount.normalize().scale() > places {
                let message =
                    format!("Paynicorn takes amounts with at most {places} decimal places, not {amount}.");
                return Err(refusal(Reason::UnsupportedAmount, message));
            }
            Ok(())
        }
        ProviderKind::Tutom => {
            tutom::mdn(&order.phone)?;
            if let Some(ceiling) = order.amount {
                positive(Some(ceiling), "The highest price a row may cost is wanted")?;
            }
            match &order.goods {
                Goods::DataProduct(id) => tutom::judge_product_id(id),
                Goods::DataSize { megabytes } if *megabytes > 0 => Ok(()),
                Goods::DataSize { .. } | Goods::Airtime => tutom::judge_product_id(""),
            }
        }
    }
}

fn airtime_only(order: &Order, provider: &str) -> Result<(), Refusal> {
    match &order.goods {
        Goods::Airtime => Ok(()),
        Goods::DataProduct(_) | Goods::DataSize { .. } => Err(refusal(
            Reason::UnsupportedProduct,
            format!(
                "{provider} sells airtime only, not {}: leave the product empty.",
                order.goods.canonical()
            ),
        )),
    }
}

fn positive(amount: Option<Decimal>, wanted: &str) -> Result<Decimal, Refusal> {
    amount
        .filter(|amount| *amount > Decimal::ZERO)
        .ok_or_else(|| refusal(Reason::UnsupportedAmount, format!("{wanted}: a number above zero.")))
}

/// Whether a catalogue (Paynicorn queryGoods) sells this amount: a topup names no product, so any fitting one
/// allows it. Returns the currency it is sold in. Without an operator any of the country's counts.
///
/// # Errors
/// `unsupported_operator` when nothing is sold for the operator, `unsupported_amount` naming what would be
/// allowed.
pub fn judge_airtime(
    products: &[AirtimeProduct],
    country: Country,
    operator: Option<&str>,
    amount: Decimal,
) -> Result<Currency, Refusal> {
    let sold: Vec<&AirtimeProduct> = products.iter().filter(|product| product.country == country).collect();
    let of_operator: Vec<&AirtimeProduct> = sold
        .iter()
        .copied()
        .filter(|product| operator.is_none_or(|named| product.operator.eq_ignore_ascii_case(named)))
        .collect();
    if of_operator.is_empty() {
        let mut names: Vec<&str> = sold.iter().map(|product| product.operator.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let sells = if names.is_empty() { "nothing".to_owned() } else { listed(&names) };
        let named = operator.unwrap_or("any operator");
        let message = format!("Nothing is sold for {named} in {country}; sold there: {sells}.");
        return Err(refusal(Reason::UnsupportedOperator, message));
    }
    let fits = |product: &&&AirtimeProduct| match product.denomination {
        Denomination::Fixed(fixed) => fixed == amount,
        Denomination::Range { min, max } => min <= amount && amount <= max,
    };
    if let Some(product) = of_operator.iter().find(fits) {
        return Ok(product.currency);
    }
    let mut allowed: Vec<(Decimal, String)> = of_operator.iter().map(|product| offer(product)).collect();
    allowed.sort_unstable();
    allowed.dedup();
    let allowed: Vec<String> = allowed.into_iter().map(|(_, words)| words).collect();
    let named = operator.map_or_else(|| country.to_string(), str::to_owned);
    let message = format!("{named} sells {}, not {}.", listed(&allowed), amount.normalize());
    Err(refusal(Reason::UnsupportedAmount, message))
}

/// Where an offer sorts, and how it is written.
fn offer(product: &AirtimeProduct) -> (Decimal, String) {
    let currency = product.currency;
    match product.denomination {
        Denomination::Fixed(amount) => (amount, format!("{} {currency}", amount.normalize())),
        Denomination::Range { min, max } => {
            (min, format!("{} to {} {currency}", min.normalize(), max.normalize()))
        }
    }
}

/// The one product of a number's list (Tutom ListByPhone) that an order means: by productid, or by a size that
/// only one product has. `ceiling` is the highest price the row may cost.
///
/// # Errors
/// `unsupported_product` (none, or several, with their ids), `unsupported_operator` when the row names another
/// operator, `unsupported_amount` when the price is above the ceiling.
pub fn choose_product(
    products: &[DataProduct],
    goods: &Goods,
    ceiling: Option<Decimal>,
    operator: Option<&str>,
) -> Result<DataProduct, Refusal> {
    let mut meant: Vec<&DataProduct> = match goods {
        Goods::Airtime => Vec::new(),
        Goods::DataProduct(id) => products.iter().filter(|product| product.id == *id).collect(),
        Goods::DataSize { megabytes } => {
            products.iter().filter(|product| product.megabytes == *megabytes).collect()
        }
    };
    let wanted = goods.canonical();
    if meant.is_empty() {
        let sold: Vec<String> =
            products.iter().map(|product| format!("{} ({})", product.id, product.label)).collect();
        let sells = if sold.is_empty() { "nothing".to_owned() } else { listed(&sold) };
        let message = format!("{wanted} is not sold for this number; sold: {sells}.");
        return Err(refusal(Reason::UnsupportedProduct, message));
    }
    if let Some(named) = operator {
        let others: Vec<&str> = meant.iter().map(|product| product.operator.as_str()).collect();
        let message = format!("{wanted} is sold for this number by {}, not by {named}.", listed(&others));
        meant.retain(|product| same_operator(&product.operator, named));
        if meant.is_empty() {
            return Err(refusal(Reason::UnsupportedOperator, message));
        }
    }
    let (Some(product), 1) = (meant.first().copied(), meant.len()) else {
        let ids: Vec<&str> = meant.iter().map(|product| product.id.as_str()).collect();
        let message = format!("{wanted} names several products ({}): write the productid.", listed(&ids));
        return Err(refusal(Reason::UnsupportedProduct, message));
    };
    if ceiling.is_some_and(|ceiling| product.price.amount > ceiling) {
        let ceiling = ceiling.map(|ceiling| ceiling.normalize().to_string()).unwrap_or_default();
        let message = format!("{wanted} costs {}, more than the row's {ceiling}.", product.price);
        return Err(refusal(Reason::UnsupportedAmount, message));
    }
    Ok(product.clone())
}

fn same_operator(theirs: &str, named: &str) -> bool {
    let (theirs, named) = (fold(theirs), fold(named));
    theirs == named || chinese(&theirs).is_some_and(|code| Some(code) == chinese(&named))
}

fn refusal(reason: Reason, message: String) -> Refusal {
    Refusal { reason, message }
}

/// A few of them, and how many more there are.
fn listed<T: AsRef<str>>(words: &[T]) -> String {
    let shown: Vec<&str> = words.iter().take(LISTED_MAX).map(AsRef::as_ref).collect();
    let more = words.len().saturating_sub(shown.len());
    let shown = shown.join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

#[cfg(test)]
mod tests;
