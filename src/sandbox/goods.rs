//! What the sandbox sells: Tutom's data products and Paynicorn's airtime goods.

use super::clock;
use super::clock::Micros;
use std::time::Duration;

/// A Tutom data product; the price is in ten-thousandths of a dollar.
#[derive(Debug)]
pub struct Product {
    pub id: &'static str,
    pub kind: &'static str,
    pub operator: &'static str,
    pub data: &'static str,
    pub megabytes: &'static str,
    pub price: i64,
}

const fn product(
    id: &'static str,
    kind: &'static str,
    operator: &'static str,
    size: (&'static str, &'static str),
    price: i64,
) -> Product {
    Product { id, kind, operator, data: size.0, megabytes: size.1, price }
}

const M500: (&str, &str) = ("500M", "500");
const G1: (&str, &str) = ("1GB", "1024");
const G2: (&str, &str) = ("2GB", "2048");
const G5: (&str, &str) = ("5GB", "5120");
const G6: (&str, &str) = ("6GB", "6144");
const G10: (&str, &str) = ("10GB", "10240");
const G11: (&str, &str) = ("11GB", "11264");

/// The catalogue: 23 and 24 are the document's. China Telecom sells 2GB twice (one month, or an
/// international card), so that a size alone names no product there.
pub const PRODUCTS: &[Product] = &[
    product("8", "1", "China Unicom", M500, 52_500),
    product("11", "1", "China Unicom", G1, 83_000),
    product("23", "2", "China Unicom", G6, 460_000),
    product("24", "2", "China Unicom", G11, 780_000),
    product("31", "1", "China Mobile", M500, 54_000),
    product("32", "1", "China Mobile", G1, 86_500),
    product("33", "1", "China Mobile", G2, 149_900),
    product("34", "1", "China Mobile", G5, 312_500),
    product("35", "1", "China Mobile", G10, 575_000),
    product("41", "1", "China Telecom", G1, 81_200),
    product("42", "1", "China Telecom", G2, 142_500),
    product("43", "2", "China Telecom", G2, 198_000),
    product("44", "1", "China Telecom", G5, 298_000),
];

/// When a Tutom product that is listed now would expire: in ninety days.
pub fn expiration(now: Micros) -> String {
    clock::plain_date(clock::later(now, Duration::from_secs(90 * 24 * 3600)))
}

/// A Paynicorn good; amounts in hundredths of a naira. A fixed price has bounds of zero, a range a
/// fixed price of zero.
#[derive(Debug)]
pub struct Good {
    pub id: u32,
    pub operator: &'static str,
    pub goods_id: &'static str,
    pub fixed: i64,
    pub least: i64,
    pub most: i64,
}

impl Good {
    /// Whether this good can be bought for this amount.
    pub fn sells(&self, amount: i64) -> bool {
        if self.fixed > 0 { amount == self.fixed } else { (self.least..=self.most).contains(&amount) }
    }
}

const fn range(id: u32, operator: &'static str, goods_id: &'static str, least: i64, most: i64) -> Good {
    Good { id, operator, goods_id, fixed: 0, least, most }
}

const fn fixed(id: u32, operator: &'static str, goods_id: &'static str, naira: i64) -> Good {
    Good { id, operator, goods_id, fixed: naira * 100, least: 0, most: 0 }
}

const MTN: &str = "NG_MTN";
const AIRTEL: &str = "NG_AIRTEL";
const GLO: &str = "NG_GLOMOBILE";
const NINE: &str = "NG_9MOBILE";

/// The document's list, good for good.
pub const GOODS: &[Good] = &[
    range(111, NINE, "NG75850224649", 500, 5_000_000),
    range(112, AIRTEL, "NG76268129842", 5_000, 19_999_900),
    range(113, GLO, "NG76268155966", 1_000, 5_000_000),
    range(114, MTN, "NG76268187529", 5_000, 20_000_000),
    fixed(864, MTN, "NG86726385341", 50),
    fixed(865, AIRTEL, "NG86726395639", 50),
    fixed(866, GLO, "NG86726402194", 50),
    fixed(867, NINE, "NG86726416039", 50),
    fixed(868, MTN, "NG86726440785", 100),
    fixed(869, AIRTEL, "NG86726447520", 100),
    fixed(870, GLO, "NG86726452919", 100),
    fixed(871, NINE, "NG86726459135", 100),
    fixed(887, MTN, "NG90954544534", 500),
    fixed(888, AIRTEL, "NG90954553494", 500),
    fixed(889, NINE, "NG90954558552", 500),
    fixed(890, GLO, "NG90954562643", 500),
    fixed(934, NINE, "NG10207839146", 200),
    fixed(935, AIRTEL, "NG10207846781", 200),
    fixed(936, GLO, "NG10207855858", 200),
    fixed(937, MTN, "NG10207861851", 200),
    fixed(938, NINE, "NG10207885019", 1000),
    fixed(939, AIRTEL, "NG10207889471", 1000),
    fixed(940, GLO, "NG10207893411", 1000),
    fixed(941, MTN, "NG10207897749", 1000),
];

/// What `queryOperatorCode` calls an operator.
pub fn operator_name(code: &str) -> &'static str {
    match code {
        MTN => "MTN Nigeria",
        AIRTEL => "Airtel Nigeria",
        GLO => "Glo Nigeria",
        _ => "9mobile Nigeria",
    }
}
