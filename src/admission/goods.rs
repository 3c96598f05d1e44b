//! Product cells: airtime, a productid, or an amount of data.

use crate::domain::{Goods, ProviderKind};
use crate::numbering::{excel_text, is_date, is_narrow, is_sheet_error};

/// Longest productid of the document (`tutom-data-refill.txt`, productid String 10).
const PRODUCT_ID_MAX: usize = 10;

/// Largest size that is believed, in megabytes: a thousand GB.
const MEGABYTES_MAX: u64 = 1_024_000;

/// Reads a product cell for a provider of this kind.
///
/// # Errors
/// A sentence that says what to write.
pub fn read_goods(cell: &str, kind: ProviderKind) -> Result<Goods, String> {
    let cell = cell.trim();
    let text = excel_text(cell).unwrap_or(cell).trim();
    let airtime = text.is_empty() || text.eq_ignore_ascii_case("airtime");
    match kind {
        ProviderKind::ConnectTopup | ProviderKind::Paynicorn if airtime => Ok(Goods::Airtime),
        ProviderKind::ConnectTopup | ProviderKind::Paynicorn => {
            Err(format!("{kind} sells airtime only; leave the product empty or write airtime"))
        }
        ProviderKind::Tutom if airtime => {
            Err("tutom sells mobile data only; write a productid (23) or a size (6GB)".to_owned())
        }
        ProviderKind::Tutom => read_data(text),
    }
}

fn read_data(text: &str) -> Result<Goods, String> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return if text.len() <= PRODUCT_ID_MAX {
            Ok(Goods::DataProduct(text.to_owned()))
        } else {
            Err(format!("a productid has at most {PRODUCT_ID_MAX} digits"))
        };
    }
    match megabytes(text) {
        Some(megabytes) if (1..=MEGABYTES_MAX).contains(&megabytes) => Ok(Goods::DataSize { megabytes }),
        None if is_date(text) => {
            Err("the product is a date: a spreadsheet made one of it; format the column as Text and write the product again (23, 6GB)"
                .to_owned())
        }
        None if is_sheet_error(text) || is_narrow(text) => {
            Err("the product is an error of the spreadsheet; mend it and save the file again".to_owned())
        }
        Some(_) => Err("the data size is zero or beyond 1000 GB".to_owned()),
        None => {
            Err("the product is neither a productid (23) nor a size in whole megabytes (500M, 6GB, 1.5GB)"
                .to_owned())
        }
    }
}

/// `500M`, `500 MB`, `6G`, `1.5GB`; 1024 megabytes a gigabyte. `None`: not such a size, or no whole number of
/// megabytes.
fn megabytes(text: &str) -> Option<u64> {
    let upper = text.to_ascii_uppercase();
    let bare = upper.strip_suffix('B').unwrap_or(&upper);
    let (number, unit) = match (bare.strip_suffix('M'), bare.strip_suffix('G')) {
        (Some(number), _) => (number, 1),
        (None, Some(number)) => (number, 1024),
        (None, None) => return None,
    };
    let number = number.trim_end_matches([' ', '\u{A0}']);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let dangling = number.ends_with('.');
    if whole.is_empty() || dangling || !digits(whole) || !digits(fraction) || number.len() > 12 {
        return None;
    }
    let scale = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let units: u64 = format!("{whole}{fraction}").parse().ok()?;
    let scaled = units.checked_mul(unit)?;
    (scaled % scale == 0).then_some(scaled / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_megabytes_of_1024_a_gigabyte() {
        let read = |cell| read_goods(cell, ProviderKind::Tutom);
        for (cell, megabytes) in
            [("6GB", 6144), ("6 gb", 6144), ("6G", 6144), ("500M", 500), ("500 MB", 500), ("1.5GB", 1536)]
        {
            assert_eq!(read(cell), Ok(Goods::DataSize { megabytes }), "{cell}");
        }
        assert_eq!(read("23"), Ok(Goods::DataProduct("23".to_owned())));
        assert_eq!(read("'023"), Ok(Goods::DataProduct("023".to_owned())));
        for cell in [
            "",
            "airtime",
            "0GB",
            "1.3GB",
            "GB",
            "6TB",
            "6.GB",
            "-6GB",
            "６GB",
            "6GB x",
            "1e3M",
            "12345678901",
        ] {
            assert!(read(cell).is_err(), "{cell}");
        }
    }

    #[test]
    fn airtime_providers_sell_nothing_else() {
        for kind in [ProviderKind::ConnectTopup, ProviderKind::Paynicorn] {
            assert_eq!(read_goods(" Airtime ", kind), Ok(Goods::Airtime));
            assert_eq!(read_goods("", kind), Ok(Goods::Airtime));
            assert!(read_goods("6GB", kind).is_err());
        }
    }
}
