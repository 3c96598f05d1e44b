//! Which column means what: titles in English, Vietnamese and Chinese, however they are spelled.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::{Fault, TopupColumn};
use crate::domain::{Currency, mask_numbers, restore};

/// Titles that the user says mean a column, whatever they are called.
pub type Mapping = [(Column, String)];

/// A column with a meaning (`contract.md` 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Column {
    /// Number to top up.
    Phone,
    /// Major units; for data the highest price.
    Amount,
    /// Airtime, productid or data size.
    Product,
    /// Country of the number.
    Country,
    /// Entry of the configuration.
    Provider,
    /// Operator of the number.
    Operator,
    /// The user's own row key.
    Reference,
    /// For people only.
    Memo,
}

impl Column {
    /// Every column, in the order of the contract.
    pub const ALL: [Self; 8] = [
        Self::Phone,
        Self::Amount,
        Self::Product,
        Self::Country,
        Self::Provider,
        Self::Operator,
        Self::Reference,
        Self::Memo,
    ];

    /// The canonical name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Amount => "amount",
            Self::Product => "product",
            Self::Country => "country",
            Self::Provider => "provider",
            Self::Operator => "operator",
            Self::Reference => "reference",
            Self::Memo => "memo",
        }
    }

    /// Folded titles that mean this column, the canonical name among them.
    fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::Phone => &[
                "phone",
                "phonenumber",
                "phoneno",
                "phonenum",
                "phones",
                "mobile",
                "mobilenumber",
                "mobileno",
                "mobilephone",
                "mobilephonenumber",
                "cell",
                "cellphone",
                "cellphonenumber",
                "cellnumber",
                "tel",
                "telephone",
                "telephonenumber",
                "telno",
                "msisdn",
                "mdn",
                "recipientphone",
                "recipientnumber",
                "sdt",
                "sodt",
                "sodienthoai",
                "dienthoai",
                "dienthoaididong",
                "dtdd",
                "sodidong",
                "didong",
                "thuebao",
                "sothuebao",
                "sodienthoaididong",
                "sodienthoainhan",
                "sdtnhan",
                "手机",
                "手机号",
                "手机号码",
                "电话",
                "电话号码",
                "移动电话",
                "联系电话",
                "充值号码",
                "充值手机",
                "充值手机号",
                "号码",
                "手機",
                "手機號",
                "手機號碼",
                "電話",
                "電話號碼",
                "號碼",
            ],
            Self::Amount => &[
                "amount",
                "amt",
                "topupamount",
                "rechargeamount",
                "airtimeamount",
                "facevalue",
                "denomination",
                "maxprice",
                "sotien",
                "tien",
                "menhgia",
                "sotiennap",
                "tiennap",
                "giatri",
                "giatrinap",
                "金额",
                "面值",
                "面额",
                "充值金额",
                "充值面值",
                "金額",
                "面額",
                "充值金額",
            ],
            Self::Product => &[
                "product",
                "productid",
                "productcode",
                "package",
                "packageid",
                "plan",
                "dataplan",
                "bundle",
                "datapackage",
                "databundle",
                "sanpham",
                "masanpham",
                "masp",
                "goi",
                "goicuoc",
                "magoi",
                "goidata",
                "产品",
                "产品编号",
                "产品代码",
                "产品id",
                "套餐",
                "流量",
                "流量包",
                "產品",
                "產品編號",
            ],
            Self::Country => &[
                "country",
                "countrycode",
                "countryiso",
                "nation",
                "quocgia",
                "maquocgia",
                "nuoc",
                "国家",
                "国家代码",
                "国家地区",
                "國家",
                "國家代碼",
            ],
            Self::Provider => &["provider", "providername", "nhacungcap", "供应商", "提供商", "供應商"],
            Self::Operator => &[
                "operator",
                "operatorcode",
                "operatorname",
                "carrier",
                "network",
                "mobilenetwork",
                "mno",
                "telco",
                "nhamang",
                "mang",
                "mangdidong",
                "运营商",
                "电信运营商",
                "運營商",
                "電信業者",
            ],
            Self::Reference => &[
                "reference",
                "ref",
                "referenceno",
                "referencenumber",
                "refno",
                "refid",
                "externalid",
                "rowkey",
                "thamchieu",
                "mathamchieu",
                "sothamchieu",
                "manv",
                "manhanvien",
                "参考",
                "参考号",
                "编号",
                "工号",
                "流水号",
                "參考",
                "參考號",
                "編號",
                "工號",
            ],
            Self::Memo => &[
                "memo", "note", "notes", "remark", "remarks", "comment", "comments", "ghichu", "noidung",
                "diengiai", "备注", "说明", "附言", "備註", "說明",
            ],
        }
    }

    /// The column of this canonical name; case does not matter.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.as_str().eq_ignore_ascii_case(name.trim()))
    }

    fn of_folded(title: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.aliases().contains(&title))
    }

    fn index(self) -> usize {
        Self::ALL.iter().position(|column| *column == self).unwrap_or(0)
    }
}

/// A title without what people vary: NFKC, lower case, no accents, no punctuation or spaces.
pub(super) fn fold(title: &str) -> String {
    let plain = title.nfkc().flat_map(char::to_lowercase).collect::<String>();
    let bare = plain.nfd().filter(|c| !is_combining_mark(*c)).map(|c| if c == 'đ' { 'd' } else { c });
    bare.filter(|c| c.is_alphanumeric()).collect()
}

/// Where the columns with a meaning stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    places: [Option<usize>; 8],
    titles: [Option<String>; 8],
    amount_currency: Option<Currency>,
}

impl Columns {
    /// Finds the columns of a header that stands on this line. What the user maps wins over what a title
    /// means: the title that meant the same is an ordinary one then.
    ///
    /// # Errors
    /// [`Fault::NoSuchTitle`] and [`Fault::TitleTwice`] for a mapping that the header does not allow;
    /// [`Fault::DoubleColumn`] when two titles mean the same, unless it is the memo, which nothing reads.
    pub fn find<S: AsRef<str>>(header: &[S], line: u64, mapping: &Mapping) -> Result<Self, Fault> {
        let mut columns = Self::default();
        for (column, wanted) in mapping {
            columns.map(header, line, *column, wanted)?;
        }
        let mapped = columns.places;
        for (place, title) in header.iter().map(AsRef::as_ref).enumerate() {
            // Ours (`topup_amount`) never mean the user's own columns.
            if TopupColumn::of(title).is_some() || mapped.contains(&Some(place)) {
                continue;
            }
            let Some((column, currency)) = meaning(title) else { continue };
            if mapped.get(column.index()).copied().flatten().is_some() {
                continue;
            }
            let at = column.index();
            let (Some(slot), Some(name)) = (columns.places.get_mut(at), columns.titles.get_mut(at)) else {
                continue;
            };
            if let (Some(_), Some(first)) = (&slot, &name) {
                if column == Column::Memo {
                    continue;
                }
                let (first, second) = (first.clone(), title.trim().to_owned());
                return Err(Fault::DoubleColumn { line, meaning: column.as_str(), first, second });
            }
            *slot = Some(place);
            *name = Some(title.trim().to_owned());
            columns.amount_currency = columns.amount_currency.or(currency);
        }
        Ok(columns)
    }

    /// Takes the column with this title, of which there must be one.
    fn map<S: AsRef<str>>(
        &mut self,
        header: &[S],
        line: u64,
        column: Column,
        wanted: &str,
    ) -> Result<(), Fault> {
        let is_wanted = |(_, title): &(usize, &str)| {
            let ours = TopupColumn::of(title).is_some();
            !ours && [*title, restore(title)].iter().any(|title| same_title(title, wanted))
        };
        let mut found = header.iter().map(AsRef::as_ref).enumerate().filter(is_wanted);
        let meaning = column.as_str();
        let Some((place, title)) = found.next() else {
            let title = wanted.to_owned();
            return Err(Fault::NoSuchTitle {
                line,
                meaning,
                title,
                header: listed(header),
                titles: header.len(),
            });
        };
        if found.next().is_some() {
            return Err(Fault::TitleTwice { line, meaning, title: title.trim().to_owned() });
        }
        if let Some(slot) = self.places.get_mut(column.index()) {
            *slot = Some(place);
        }
        if let Some(name) = self.titles.get_mut(column.index()) {
            *name = Some(title.trim().to_owned());
        }
        if column == Column::Amount {
            self.amount_currency = meaning_of_amount(title);
        }
        Ok(())
    }

    /// Index of a column, from 0.
    pub fn place(&self, column: Column) -> Option<usize> {
        self.places.get(column.index()).copied().flatten()
    }

    /// Its title as the file writes it; the canonical name when the file lacks it.
    pub fn title(&self, column: Column) -> &str {
        self.titles.get(column.index()).and_then(Option::as_deref).unwrap_or(column.as_str())
    }

    /// Currency that the title of the amount column names (`amount (VND)`).
    pub fn amount_currency(&self) -> Option<Currency> {
        self.amount_currency
    }

    /// How many columns have a meaning.
    pub fn count(&self) -> usize {
        self.places.iter().flatten().count()
    }
}

/// Whether two titles are the same but for case, the spaces around them, and how their letters are composed.
fn same_title(title: &str, wanted: &str) -> bool {
    let plain = |text: &str| text.trim().nfc().flat_map(char::to_lowercase).collect::<String>();
    plain(title) == plain(wanted)
}

/// The titles of a header, for a message.
pub(super) fn listed<S: AsRef<str>>(header: &[S]) -> String {
    const TITLES_MAX: usize = 30;
    const CHARS_MAX: usize = 40;
    let shown = |title: &S| {
        let title = title.as_ref().trim();
        let mut short: String = title.chars().take(CHARS_MAX).collect();
        if short.len() < title.len() {
            short.push_str("...");
        }
        // What is taken for a header may hold numbers.
        format!("{:?}", mask_numbers(&short))
    };
    header.iter().take(TITLES_MAX).map(shown).collect::<Vec<_>>().join(", ")
}

/// The currency that a title names which means an amount by itself.
fn meaning_of_amount(title: &str) -> Option<Currency> {
    meaning(title).filter(|(column, _)| *column == Column::Amount).and_then(|(_, currency)| currency)
}

/// What a title means; for an amount also the currency at its end.
fn meaning(title: &str) -> Option<(Column, Option<Currency>)> {
    let folded = fold(title);
    if let Some(column) = Column::of_folded(&folded) {
        return Some((column, None));
    }
    let (stem, currency) = match folded.strip_suffix("dong").or_else(|| folded.strip_suffix('d')) {
        Some(stem) if Column::of_folded(stem) == Some(Column::Amount) => (stem, Currency::VND),
        Some(_) | None => {
            let cut = folded.char_indices().rev().nth(2)?.0;
            (folded.get(..cut)?, Currency::parse(folded.get(cut..)?).ok()?)
        }
    };
    (Column::of_folded(stem) == Some(Column::Amount)).then_some((Column::Amount, Some(currency)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_found_however_they_are_spelled() {
        for (title, column) in [
            ("Phone", Column::Phone),
            (" PHONE  NUMBER ", Column::Phone),
            ("Số điện thoại", Column::Phone),
            ("SO\u{302}\u{301} ĐIÊ\u{323}N THOẠI", Column::Phone),
            ("SĐT", Column::Phone),
            ("ｐｈｏｎｅ", Column::Phone),
            ("手机号码", Column::Phone),
            ("Mệnh giá", Column::Amount),
            ("số_tiền", Column::Amount),
            ("Ghi chú", Column::Memo),
            ("Nhà mạng", Column::Operator),
            ("运营商", Column::Operator),
            ("Mã NV", Column::Reference),
        ] {
            assert_eq!(meaning(title).map(|(c, _)| c), Some(column), "{title}");
        }
        for title in ["", "name", "phone owner", "topup_phone", "Họ tên", "amounts owed"] {
            assert_eq!(meaning(title), None, "{title}");
        }
    }

    #[test]
    fn an_amount_title_may_name_its_currency() {
        assert_eq!(meaning("Amount (NGN)"), Some((Column::Amount, Some(Currency::NGN))));
        assert_eq!(meaning("Số tiền (đ)"), Some((Column::Amount, Some(Currency::VND))));
        assert_eq!(meaning("số tiền VNĐ"), Some((Column::Amount, Some(Currency::VND))));
        assert_eq!(meaning("phone vnd"), None);
    }

    #[test]
    fn two_columns_of_one_meaning_are_refused() {
        let fault = Columns::find(&["phone", "amount", "SĐT"], 1, &[]).unwrap_err();
        assert!(fault.to_string().contains("\"SĐT\""), "{fault}");
        assert!(Columns::find(&["phone", "note", "memo"], 1, &[]).is_ok());
        let ours = Columns::find(&["topup_phone", "amount", "topup_amount"], 1, &[]).unwrap();
        assert_eq!((ours.place(Column::Phone), ours.place(Column::Amount)), (None, Some(1)));
    }

    #[test]
    fn a_mapped_title_wins_and_the_one_that_meant_the_same_is_an_ordinary_one() {
        let header = ["Phone", " Mobile No. ", "amount", "Số tiền"];
        let map = [(Column::Phone, "mobile no.".to_owned()), (Column::Amount, "SỐ TIỀN".to_owned())];
        let columns = Columns::find(&header, 1, &map).unwrap();
        assert_eq!((columns.place(Column::Phone), columns.place(Column::Amount)), (Some(1), Some(3)));
        assert_eq!(columns.title(Column::Phone), "Mobile No.");
        // A title that is mapped to one meaning has lost the one of its own.
        let swapped = [(Column::Phone, "amount".to_owned())];
        let columns = Columns::find(&["x", "amount"], 1, &swapped).unwrap();
        assert_eq!((columns.place(Column::Phone), columns.place(Column::Amount)), (Some(1), None));
    }

    #[test]
    fn a_mapping_that_the_header_does_not_allow_is_refused_with_its_titles() {
        let find = |header: &[&str], title: &str| {
            Columns::find(header, 3, &[(Column::Phone, title.to_owned())])
                .map(|_| ())
                .unwrap_err()
                .to_string()
        };
        let missing = find(&["Mobile", "topup_phone"], "Mobil");
        assert!(
            missing.contains("\"Mobil\"") && missing.contains("\"Mobile\", \"topup_phone\""),
            "{missing}"
        );
        assert!(find(&["Mobile", "topup_phone"], "topup_phone").contains("no column"));
        assert!(find(&["A", "a "], "a").contains("twice"));
    }
}
