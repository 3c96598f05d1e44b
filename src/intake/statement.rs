//! A provider's statement, read row by row: what the provider says became of orders. It is no order file, and no
//! row of it can become an order.

use std::path::Path;

use super::columns::{fold, listed, meaning, same_title};
use super::source::Mode;
use super::{Column, Dialect, Fault, FileFault, Overrides, RawRow, Source};
use crate::domain::Currency;

/// A column of a statement with a meaning (`contract.md` 1, `reconcile`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatementColumn {
    /// Our id, as we sent it.
    TransactionId,
    /// The provider's id.
    ProviderRef,
    /// Number that was topped up.
    Phone,
    /// Major units.
    Amount,
    /// What became of it, in the provider's words.
    Status,
}

/// Titles that the user says mean a column of a statement.
pub type StatementMapping = [(StatementColumn, String)];

impl StatementColumn {
    /// Every column, in the order of the contract.
    pub const ALL: [Self; 5] =
        [Self::TransactionId, Self::ProviderRef, Self::Phone, Self::Amount, Self::Status];

    /// The canonical name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TransactionId => "transaction_id",
            Self::ProviderRef => "provider_ref",
            Self::Phone => "phone",
            Self::Amount => "amount",
            Self::Status => "status",
        }
    }

    /// The column of this canonical name; case does not matter.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.as_str().eq_ignore_ascii_case(name.trim()))
    }

    /// Folded titles that surely mean this column. Those of number and amount are the input's too.
    fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::TransactionId => &[
                "transactionid",
                "transid",
                "transidclient",
                "clienttransactionid",
                "clienttransid",
                "clientid",
                "clientorderid",
                "clientref",
                "clientreference",
                "partnertransactionid",
                "partnertransid",
                "partnerorderid",
                "partnerref",
                "merchantorderid",
                "merchantorderno",
                "merchanttransid",
                "merchantreference",
                "originorderno",
                "yourreference",
                "magiaodichdoitac",
                "magddoitac",
                "madonhangdoitac",
                "商户订单号",
                "商户流水号",
                "商家订单号",
                "客户订单号",
                "外部订单号",
                "商戶訂單號",
                "客戶訂單號",
            ],
            Self::ProviderRef => &[
                "providerref",
                "providerreference",
                "providerid",
                "idtransaction",
                "tutomid",
                "systemref",
                "systemid",
                "systemorderid",
                "gatewayref",
                "platformorderid",
                "platformorderno",
                "magiaodichhethong",
                "magdhethong",
                "平台订单号",
                "系统订单号",
                "系统流水号",
                "平台流水号",
                "供应商订单号",
                "平臺訂單號",
                "系統訂單號",
            ],
            Self::Phone => &["benefitno", "beneficiary", "receiver", "recipient", "destination", "sonhan"],
            Self::Amount => &["transactionamount", "orderamount", "sotiengiaodich", "交易金额", "订单金额"],
            Self::Status => &[
                "status",
                "state",
                "transactionstatus",
                "orderstatus",
                "trangthai",
                "trangthaigiaodich",
                "tinhtrang",
                "状态",
                "交易状态",
                "订单状态",
                "充值状态",
                "狀態",
                "交易狀態",
                "訂單狀態",
            ],
        }
    }

    /// Folded titles that mean this column where no surer one stands in the header.
    fn weaker_aliases(self) -> &'static [&'static str] {
        match self {
            Self::TransactionId | Self::ProviderRef => &[],
            Self::Phone => &["account", "accountnumber", "账号", "帳號"],
            Self::Amount => &["value", "price", "total", "debit", "价格"],
            Self::Status => &["statuscode", "result", "resultcode", "code", "ketqua", "结果", "結果"],
        }
    }

    fn index(self) -> usize {
        Self::ALL.iter().position(|column| *column == self).unwrap_or(0)
    }

    /// Whether the folded title, or the title as an input's, surely means this column.
    fn is_meant_by(self, title: &str, folded: &str) -> bool {
        let as_input = meaning(title).map(|(column, _)| column);
        let input = match self {
            Self::Phone => Some(Column::Phone),
            Self::Amount => Some(Column::Amount),
            Self::TransactionId | Self::ProviderRef | Self::Status => None,
        };
        self.aliases().contains(&folded) || input.is_some() && as_input == input
    }
}

/// Titles of an id that one provider uses for ours and another for its own. Which it is shows in the values:
/// both id columns are held against both kinds of ids.
const SOME_ID: &[&str] = &[
    "orderid",
    "orderno",
    "ordernumber",
    "id",
    "txnid",
    "txid",
    "transactionno",
    "transactionnumber",
    "transactionref",
    "transactionreference",
    "transno",
    "reference",
    "referenceno",
    "referencenumber",
    "ref",
    "refno",
    "refid",
    "magiaodich",
    "magd",
    "sogiaodich",
    "madonhang",
    "mathamchieu",
    "sothamchieu",
    "订单号",
    "订单编号",
    "交易号",
    "交易编号",
    "交易流水号",
    "流水号",
    "参考号",
    "訂單號",
    "訂單編號",
    "交易編號",
    "流水號",
    "參考號",
];

/// Where the columns of a statement stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatementColumns {
    places: [Option<usize>; 5],
    titles: [Option<String>; 5],
    currency: Option<Currency>,
}

impl StatementColumns {
    /// Finds the columns of a header that stands on this line. What the user maps wins over what a title means.
    ///
    /// # Errors
    /// [`Fault::NoSuchTitle`] and [`Fault::TitleTwice`] for a mapping that the header does not allow;
    /// [`Fault::DoubleColumn`] when two titles mean the same; [`Fault::NoIdColumn`] without any id.
    pub fn find<S: AsRef<str>>(header: &[S], line: u64, map: &StatementMapping) -> Result<Self, Fault> {
        let mut columns = Self::default();
        let titles: Vec<&str> = header.iter().map(AsRef::as_ref).collect();
        for (column, wanted) in map {
            columns.map(&titles, line, *column, wanted)?;
        }
        let mapped = columns.places;
        let folded: Vec<String> = titles.iter().map(|title| fold(title)).collect();
        let free = |columns: &Self, place: usize| !columns.places.contains(&Some(place));
        for column in StatementColumn::ALL {
            if mapped.get(column.index()).copied().flatten().is_some() {
                continue;
            }
            let sure = |place: &usize| {
                let title = (titles.get(*place), folded.get(*place));
                title.0.zip(title.1).is_some_and(|(title, folded)| column.is_meant_by(title, folded))
            };
            let weak = |place: &usize| {
                folded.get(*place).is_some_and(|folded| column.weaker_aliases().contains(&folded.as_str()))
            };
            let found = |test: &dyn Fn(&usize) -> bool| -> Vec<usize> {
                (0..titles.len()).filter(|place| free(&columns, *place)).filter(test).collect()
            };
            let places = match found(&sure) {
                none if none.is_empty() => found(&weak),
                some => some,
            };
            if let [first, second, ..] = places.as_slice() {
                let title =
                    |place: &usize| titles.get(*place).map(|t| t.trim().to_owned()).unwrap_or_default();
                let (first, second) = (title(first), title(second));
                return Err(Fault::DoubleColumn { line, meaning: column.as_str(), first, second });
            }
            if let Some(place) = places.first() {
                columns.put(column, *place, &titles);
            }
        }
        for (place, title) in folded.iter().enumerate() {
            let vacant = [StatementColumn::TransactionId, StatementColumn::ProviderRef]
                .into_iter()
                .find(|column| columns.place(*column).is_none());
            if let Some(column) = vacant.filter(|_| SOME_ID.contains(&title.as_str()))
                && free(&columns, place)
            {
                columns.put(column, place, &titles);
            }
        }
        if columns.key().is_none() {
            return Err(Fault::NoIdColumn { line, header: listed(header), titles: header.len() });
        }
        Ok(columns)
    }

    fn map(
        &mut self,
        titles: &[&str],
        line: u64,
        column: StatementColumn,
        wanted: &str,
    ) -> Result<(), Fault> {
        let meaning = column.as_str();
        let mut found = titles.iter().enumerate().filter(|(_, title)| same_title(title, wanted));
        let Some((place, title)) = found.next() else {
            let (title, header) = (wanted.to_owned(), listed(titles));
            return Err(Fault::NoSuchTitle { line, meaning, title, header, titles: titles.len() });
        };
        if found.next().is_some() {
            return Err(Fault::TitleTwice { line, meaning, title: title.trim().to_owned() });
        }
        self.put(column, place, titles);
        Ok(())
    }

    fn put(&mut self, column: StatementColumn, place: usize, titles: &[&str]) {
        let title = titles.get(place).copied().unwrap_or_default();
        if let (Some(slot), Some(name)) =
            (self.places.get_mut(column.index()), self.titles.get_mut(column.index()))
        {
            *slot = Some(place);
            *name = Some(title.trim().to_owned());
        }
        if column == StatementColumn::Amount {
            self.currency = meaning(title).and_then(|(_, currency)| currency);
        }
    }

    /// Index of a column, from 0.
    pub fn place(&self, column: StatementColumn) -> Option<usize> {
        self.places.get(column.index()).copied().flatten()
    }

    /// Its title as the file writes it; none when the file lacks it.
    pub fn title(&self, column: StatementColumn) -> Option<&str> {
        self.titles.get(column.index()).and_then(Option::as_deref)
    }

    /// Currency that the title of the amount column names (`amount (VND)`).
    pub fn currency(&self) -> Option<Currency> {
        self.currency
    }

    /// The first id column.
    pub(super) fn key(&self) -> Option<usize> {
        self.place(StatementColumn::TransactionId).or_else(|| self.place(StatementColumn::ProviderRef))
    }

    /// How many columns have a meaning.
    pub(super) fn count(&self) -> usize {
        self.places.iter().flatten().count()
    }
}

/// One line of a statement, as it stands in the file.
#[derive(Clone, Debug, Default)]
pub struct StatementRow {
    /// The line.
    pub raw: RawRow,
    places: [Option<usize>; 5],
}

impl StatementRow {
    /// A cell without the spaces around it, and without the `'` that a spreadsheet shows before a text; empty when
    /// the file lacks the column.
    pub fn cell(&self, column: StatementColumn) -> &str {
        let place = self.places.get(column.index()).copied().flatten();
        let cell = place.and_then(|place| self.raw.cells.get(place)).unwrap_or_default().trim();
        cell.strip_prefix('\'').unwrap_or(cell)
    }
}

/// A statement that is read row by row. Memory does not grow with it.
pub struct StatementSource {
    source: Source,
    columns: StatementColumns,
}

impl StatementSource {
    /// Opens a statement; `overrides.map` is not for it.
    ///
    /// # Errors
    /// [`FileFault`] as [`Source::open`]; [`Fault::NoIdColumn`] when no column is an id;
    /// [`Fault::IsOurResults`] for one of our own files.
    pub fn open(path: &Path, overrides: &Overrides, map: &StatementMapping) -> Result<Self, FileFault> {
        let source = Source::open_as(path, overrides, Mode::Statement(map))?;
        let columns = StatementColumns::find(source.header(), source.header_line(), map)
            .map_err(|fault| fault.of(&path.display().to_string()))?;
        Ok(Self { source, columns })
    }

    /// Where its columns stand.
    pub fn columns(&self) -> &StatementColumns {
        &self.columns
    }

    /// How the file is written.
    pub fn dialect(&self) -> &Dialect {
        self.source.dialect()
    }

    /// Reads the next line. `false`: the end, and the file is what it was on opening.
    ///
    /// # Errors
    /// As [`Source::next_row`].
    pub fn next_row(&mut self, row: &mut StatementRow) -> Result<bool, FileFault> {
        row.places = self.columns.places;
        self.source.next_row(&mut row.raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(header: &[&str]) -> Vec<(&'static str, String)> {
        let columns = StatementColumns::find(header, 1, &[]).unwrap();
        let title =
            |column: StatementColumn| columns.title(column).map(|title| (column.as_str(), title.to_owned()));
        StatementColumn::ALL.into_iter().filter_map(title).collect()
    }

    fn pairs(pairs: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
        pairs.iter().map(|(name, title)| (*name, (*title).to_owned())).collect()
    }

    #[test]
    fn the_titles_of_the_providers_and_of_three_languages_are_known() {
        for (header, wanted) in [
            (
                &["transaction_id", "provider_ref", "phone", "amount", "status"][..],
                &[
                    ("transaction_id", "transaction_id"),
                    ("provider_ref", "provider_ref"),
                    ("phone", "phone"),
                    ("amount", "amount"),
                    ("status", "status"),
                ][..],
            ),
            (
                &["Mã giao dịch đối tác", "Mã giao dịch", "Số điện thoại", "Số tiền (đ)", "Trạng thái"],
                &[
                    ("transaction_id", "Mã giao dịch đối tác"),
                    ("provider_ref", "Mã giao dịch"),
                    ("phone", "Số điện thoại"),
                    ("amount", "Số tiền (đ)"),
                    ("status", "Trạng thái"),
                ],
            ),
            (
                &["商户订单号", "订单号", "手机号", "金额", "状态"],
                &[
                    ("transaction_id", "商户订单号"),
                    ("provider_ref", "订单号"),
                    ("phone", "手机号"),
                    ("amount", "金额"),
                    ("status", "状态"),
                ],
            ),
            (
                &["transId", "orderId", "benefitNo", "amount", "status", "statusCode"],
                &[
                    ("transaction_id", "transId"),
                    ("provider_ref", "orderId"),
                    ("phone", "benefitNo"),
                    ("amount", "amount"),
                    ("status", "status"),
                ],
            ),
            (
                &["id", "orderid", "mdn", "price", "state"],
                &[
                    ("transaction_id", "id"),
                    ("provider_ref", "orderid"),
                    ("phone", "mdn"),
                    ("amount", "price"),
                    ("status", "state"),
                ],
            ),
        ] {
            assert_eq!(found(header), pairs(wanted), "{header:?}");
        }
    }

    #[test]
    fn a_statement_without_an_id_or_with_two_of_a_kind_is_refused_with_its_titles() {
        let fault = |header: &[&str]| StatementColumns::find(header, 3, &[]).unwrap_err().to_string();
        let none = fault(&["Order key", "phone", "amount"]);
        assert!(none.contains("\"Order key\"") && none.contains("--map transaction_id="), "{none}");
        assert!(fault(&["transid", "mobile", "phone"]).contains("--map phone="));
    }

    #[test]
    fn a_mapped_title_wins_and_means_nothing_else() {
        let map = [
            (StatementColumn::TransactionId, "order key".to_owned()),
            (StatementColumn::Amount, "Charged".to_owned()),
        ];
        let columns =
            StatementColumns::find(&["Order key", "transid", "amount", "charged"], 1, &map).unwrap();
        assert_eq!(columns.place(StatementColumn::TransactionId), Some(0));
        assert_eq!(columns.place(StatementColumn::Amount), Some(3));
    }
}
