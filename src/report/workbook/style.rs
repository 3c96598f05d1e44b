//! How the cells of a workbook look. Colour never says anything that no word says.

use std::collections::BTreeMap;

use rust_xlsxwriter::{Color, Format, FormatAlign, FormatBorder};

use crate::domain::Status;

/// Formats, made once.
pub(super) struct Style {
    /// Text, whatever it looks like: a spreadsheet makes no number or date of it.
    pub(super) text: Format,
    /// A text to the right of a number: it keeps its distance.
    pub(super) beside: Format,
    /// Sentences.
    pub(super) long: Format,
    /// Title of an input's column.
    pub(super) header: Format,
    /// Title of one of ours.
    pub(super) ours: Format,
    /// Title of a column of numbers.
    pub(super) number: Format,
    /// Number of a row or line.
    pub(super) index: Format,
    /// A sheet's title.
    pub(super) title: Format,
    /// A table's title.
    pub(super) section: Format,
    /// A name beside a value.
    pub(super) label: Format,
    /// Whole numbers.
    pub(super) count: Format,
    /// The last line of a table.
    pub(super) sum: Format,
    amounts: BTreeMap<(u32, bool), Format>,
}

impl Style {
    pub(super) fn new() -> Self {
        let header = |fill: u32| {
            let format = Format::new().set_bold().set_background_color(Color::RGB(fill));
            format.set_border_bottom(FormatBorder::Thin).set_align(FormatAlign::Top).set_num_format("@")
        };
        let top = || Format::new().set_align(FormatAlign::Top);
        Self {
            text: Format::new().set_num_format("@"),
            beside: top().set_num_format("@").set_align(FormatAlign::Left).set_indent(1),
            long: top().set_num_format("@"),
            header: header(0x00E7_E6E6),
            ours: header(0x00DD_EBF7),
            number: header(0x00E7_E6E6).set_align(FormatAlign::Right),
            index: top().set_align(FormatAlign::Left).set_num_format("0"),
            title: Format::new().set_bold().set_font_size(16),
            section: Format::new().set_bold().set_font_size(12),
            label: top(),
            count: Format::new().set_num_format("#,##0"),
            sum: Format::new().set_bold().set_num_format("#,##0").set_border_top(FormatBorder::Thin),
            amounts: BTreeMap::new(),
        }
    }

    /// A number with so many decimals.
    pub(super) fn amount(&mut self, places: u32, bold: bool) -> &Format {
        self.amounts.entry((places, bold)).or_insert_with(|| {
            let mut code = "#,##0".to_owned();
            if places > 0 {
                code.push('.');
                (0..places).for_each(|_| code.push('0'));
            }
            let format = Format::new().set_num_format(code);
            if bold { format.set_bold() } else { format }
        })
    }

    /// The colour of a status word.
    pub(super) fn status(status: Status) -> Format {
        let (fill, ink) = match status {
            Status::Succeeded => (0x00E2_EFDA, 0x0037_5623),
            Status::Failed | Status::Invalid => (0x00FC_E4E4, 0x0083_1F1F),
            Status::Pending | Status::NotSent => (0x00FF_F2CC, 0x007F_6000),
            Status::Unknown => (0x00EA_DCF4, 0x0053_2B72),
        };
        let format = Format::new().set_num_format("@").set_bold();
        format.set_background_color(Color::RGB(fill)).set_font_color(Color::RGB(ink))
    }
}
