//! What a word of a statement's status column means: a table, and what the user says beside it. A word that
//! stands in neither is unclear.

use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::domain::ProviderKind;

/// What a statement says became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stand {
    /// Delivered and charged.
    Succeeded,
    /// Not delivered, not charged.
    Failed,
    /// Charged, and given back.
    Reversed,
    /// Under way.
    Pending,
    /// A word that no table lists.
    Unclear,
}

impl Stand {
    /// The four that a user can give a word.
    pub const CLEAR: [Self; 4] = [Self::Succeeded, Self::Failed, Self::Reversed, Self::Pending];

    /// The stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Reversed => "reversed",
            Self::Pending => "pending",
            Self::Unclear => "unclear",
        }
    }

    /// Reads one of [`Stand::CLEAR`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::CLEAR.into_iter().find(|stand| stand.as_str().eq_ignore_ascii_case(text.trim()))
    }
}

/// Folded words of any provider.
const WORDS: &[(Stand, &[&str])] = &[
    (
        Stand::Succeeded,
        &[
            "succeeded",
            "success",
            "successful",
            "succeed",
            "complete",
            "completed",
            "delivered",
            "thanhcong",
            "giaodichthanhcong",
            "hoanthanh",
            "hoantat",
            "成功",
            "充值成功",
            "交易成功",
            "已成功",
            "完成",
            "已完成",
        ],
    ),
    (
        Stand::Failed,
        &[
            "failed",
            "fail",
            "failure",
            "unsuccessful",
            "rejected",
            "declined",
            "cancelled",
            "canceled",
            "thatbai",
            "khongthanhcong",
            "giaodichthatbai",
            "dahuy",
            "失败",
            "充值失败",
            "交易失败",
            "失敗",
            "充值失敗",
        ],
    ),
    (
        Stand::Reversed,
        &[
            "reversed",
            "reversal",
            "refunded",
            "refund",
            "rolledback",
            "hoantien",
            "dahoantien",
            "hoantra",
            "dahoantra",
            "退款",
            "已退款",
            "冲正",
            "已冲正",
            "沖正",
        ],
    ),
    (
        Stand::Pending,
        &[
            "pending",
            "processing",
            "inprogress",
            "inprocess",
            "new",
            "queued",
            "waiting",
            "dangxuly",
            "choxuly",
            "dangcho",
            "处理中",
            "充值中",
            "待处理",
            "處理中",
            "待處理",
        ],
    ),
];

/// Codes, which mean something with one provider only (`providers.md` C): Tutom's `state`, CONNECT TOPUP's
/// response code, Paynicorn's `statusCode`.
const CODES: &[(ProviderKind, i64, Stand)] = &[
    (ProviderKind::Tutom, 10, Stand::Succeeded),
    (ProviderKind::Tutom, 6, Stand::Failed),
    (ProviderKind::Tutom, 2, Stand::Pending),
    (ProviderKind::Tutom, -1, Stand::Pending),
    (ProviderKind::ConnectTopup, 1, Stand::Succeeded),
    (ProviderKind::ConnectTopup, 61, Stand::Failed),
    (ProviderKind::Paynicorn, 1, Stand::Succeeded),
    (ProviderKind::Paynicorn, 2, Stand::Failed),
    (ProviderKind::Paynicorn, 0, Stand::Pending),
];

/// Words of one provider's statements.
#[derive(Clone, Debug)]
pub struct StatusWords {
    kind: ProviderKind,
    /// What the user said, by the folded word.
    said: Vec<(String, Stand)>,
}

impl StatusWords {
    /// The words of a provider of this kind; those of the user win.
    pub fn new(kind: ProviderKind, said: &[(String, Stand)]) -> Self {
        let said = said.iter().map(|(word, stand)| (fold(word), *stand)).collect();
        Self { kind, said }
    }

    /// What a cell means.
    pub fn read(&self, cell: &str) -> Stand {
        let word = fold(cell);
        if let Some((_, stand)) = self.said.iter().find(|(said, _)| *said == word) {
            return *stand;
        }
        if let Ok(code) = word.parse::<i64>() {
            let listed = CODES.iter().find(|(kind, listed, _)| *kind == self.kind && *listed == code);
            return listed.map_or(Stand::Unclear, |(_, _, stand)| *stand);
        }
        let listed = WORDS.iter().find(|(_, words)| words.contains(&word.as_str()));
        listed.map_or(Stand::Unclear, |(stand, _)| *stand)
    }
}

/// A word without what people vary: lower case, no accents, no spaces or punctuation. A code keeps its sign, and
/// whatever follows a word with a `not` in front is another word.
fn fold(cell: &str) -> String {
    let cell: String = cell.trim().nfkc().flat_map(char::to_lowercase).collect();
    if cell.parse::<i64>().is_ok() {
        return cell;
    }
    let bare = cell.nfd().filter(|c| !is_combining_mark(*c)).map(|c| if c == 'đ' { 'd' } else { c });
    bare.filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_in_three_languages_and_unlisted_ones_are_unclear() {
        let words = StatusWords::new(ProviderKind::ConnectTopup, &[]);
        for (cell, stand) in [
            ("Success", Stand::Succeeded),
            (" COMPLETED ", Stand::Succeeded),
            ("Thành công", Stand::Succeeded),
            ("充值成功", Stand::Succeeded),
            ("Thất bại", Stand::Failed),
            ("không thành công", Stand::Failed),
            ("refunded", Stand::Reversed),
            ("Đã hoàn tiền", Stand::Reversed),
            ("đang xử lý", Stand::Pending),
            ("in progress", Stand::Pending),
            ("not success", Stand::Unclear),
            ("partial success", Stand::Unclear),
            ("Questionable", Stand::Unclear),
            ("", Stand::Unclear),
            ("1", Stand::Succeeded),
            ("61", Stand::Failed),
            ("-1", Stand::Unclear),
            ("0", Stand::Unclear),
            ("-61", Stand::Unclear),
        ] {
            assert_eq!(words.read(cell), stand, "{cell:?}");
        }
    }

    #[test]
    fn a_code_means_what_it_means_with_that_provider() {
        let read = |kind, cell| StatusWords::new(kind, &[]).read(cell);
        assert_eq!(read(ProviderKind::Paynicorn, "2"), Stand::Failed);
        assert_eq!(read(ProviderKind::Tutom, "2"), Stand::Pending);
        assert_eq!(read(ProviderKind::Tutom, "10"), Stand::Succeeded);
        assert_eq!(read(ProviderKind::Tutom, "1"), Stand::Unclear);
    }

    #[test]
    fn what_the_user_says_of_a_word_wins() {
        let said = [("OK".to_owned(), Stand::Succeeded), (String::new(), Stand::Pending)];
        let words = StatusWords::new(ProviderKind::Tutom, &said);
        assert_eq!((words.read("ok"), words.read(" ")), (Stand::Succeeded, Stand::Pending));
    }
}
