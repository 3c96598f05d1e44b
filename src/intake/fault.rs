//! Why a file is refused as a whole: nothing of it is sent, and the message says what to do.

/// A file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {what}")]
pub struct FileFault {
    /// The file, as it was named.
    pub file: String,
    /// What is wrong.
    pub what: Fault,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It cannot be opened or read.
    #[error("cannot be read: {0}")]
    Io(String),
    /// No bytes, or nothing but empty lines.
    #[error("the file is empty; it needs a header line and one line for each top-up")]
    Empty,
    /// A binary file under the name of a CSV.
    #[error("this is {0}, not a CSV file; {1}")]
    Binary(&'static str, &'static str),
    /// UTF-16 without a byte order mark.
    #[error(
        "this looks like UTF-16 without a mark at its start; save it as \"CSV UTF-8\", or say --encoding utf-16le"
    )]
    Utf16WithoutMark,
    /// UTF-32.
    #[error("this is UTF-32 text; save it as \"CSV UTF-8\"")]
    Utf32,
    /// Bytes of several encodings are possible.
    #[error(
        "the text is not UTF-8 and its encoding is not clear (it may be {0}); save it as \"CSV UTF-8\", or name the encoding with --encoding"
    )]
    UnclearEncoding(String),
    /// An encoding nobody knows was asked for.
    #[error(
        "no encoding is called {0:?}; known are utf-8, utf-16le, utf-16be, windows-1252, windows-1258, gb18030 and the other names of the WHATWG encoding standard"
    )]
    UnknownEncoding(String),
    /// Bytes that are no text in the encoding.
    #[error(
        "line {line}, column {column}: these bytes are no {encoding} text; save the file as \"CSV UTF-8\", or name its encoding with --encoding"
    )]
    BadBytes {
        /// Line of the file, from 1.
        line: u64,
        /// Character of the line, from 1.
        column: u64,
        /// What it was read as.
        encoding: String,
    },
    /// NUL bytes.
    #[error(
        "line {line}, column {column}: there is a NUL byte in the text, so the file is damaged or no CSV; save it again as \"CSV UTF-8\""
    )]
    Nul {
        /// Line of the file, from 1.
        line: u64,
        /// Character of the line, from 1.
        column: u64,
    },
    /// The first line looks like a row.
    #[error(
        "line {0}: there is no header line; put one above the rows that names the columns, such as phone,amount"
    )]
    NoHeader(u64),
    /// No column can be the phone column.
    #[error(
        "line {line}: no column is named phone (or mobile, msisdn, số điện thoại, SĐT, 手机号); the columns are {header}; say which one it is with --map phone=TITLE{advice}"
    )]
    NoPhoneColumn {
        /// Line of the header.
        line: u64,
        /// What the header names.
        header: String,
        /// What else to try.
        advice: &'static str,
    },
    /// Titles or notes stand above the header.
    #[error(
        "line {line}: this is no header; the header seems to be line {below}, with {title:?}. Remove what stands above it, and check again"
    )]
    HeaderBelow {
        /// Line that stands where the header should.
        line: u64,
        /// Line that looks like the header.
        below: u64,
        /// Its phone column.
        title: String,
    },
    /// Rows of a sheet that a person does not see.
    #[error(
        "sheet {sheet:?}: {rows} {words} hidden, by a filter or by hand, and would be sent with the others (the first is row {first}); show all rows and remove those that are not meant, or copy the visible ones into a new workbook"
    )]
    HiddenRows {
        /// The sheet.
        sheet: String,
        /// How many.
        rows: usize,
        /// "row is" or "rows are".
        words: &'static str,
        /// The first of them, as the sheet counts.
        first: u64,
    },
    /// A title that was asked for is not there.
    #[error(
        "line {line}: no column is titled {title:?}, which was to be the {meaning}; the columns are {header}"
    )]
    NoSuchTitle {
        /// Line of the header.
        line: u64,
        /// The canonical name.
        meaning: &'static str,
        /// What was asked for.
        title: String,
        /// What the header names.
        header: String,
        /// How many titles it has.
        titles: usize,
    },
    /// A title that was asked for stands twice.
    #[error(
        "line {line}: the title {title:?}, which was to be the {meaning}, stands there twice; rename one of the columns"
    )]
    TitleTwice {
        /// Line of the header.
        line: u64,
        /// The canonical name.
        meaning: &'static str,
        /// The title.
        title: String,
    },
    /// Two columns have the same meaning.
    #[error(
        "line {line}: the columns {first:?} and {second:?} both mean {meaning}; rename or remove one of them, or say which one it is with --map {meaning}=TITLE"
    )]
    DoubleColumn {
        /// Line of the header.
        line: u64,
        /// The canonical name.
        meaning: &'static str,
        /// Its first title.
        first: String,
        /// Its second title.
        second: String,
    },
    /// Two delimiters make sense.
    #[error(
        "line {line}: the header can be cut at {first:?} or at {second:?}, with different phone columns; quote the titles, or name the delimiter with --delimiter"
    )]
    AmbiguousDelimiter {
        /// Line of the header.
        line: u64,
        /// One delimiter.
        first: char,
        /// Another.
        second: char,
    },
    /// A delimiter that cannot be one was asked for.
    #[error("{0:?} cannot be a delimiter; use a comma, a semicolon, a tab, a bar or another plain sign")]
    BadDelimiter(char),
    /// A quote that nothing closes.
    #[error("line {0}: a quote (\") opens here and is never closed; close it, or remove it")]
    OpenQuote(u64),
    /// A quoted cell that swallowed lines.
    #[error(
        "line {opened}: a quote (\") opens here and ends on line {closed} in the middle of a cell, so the lines between were swallowed; close it on its own line, or remove it"
    )]
    SwallowedLines {
        /// Line of the opening quote.
        opened: u64,
        /// Line of the quote that ends it.
        closed: u64,
    },
    /// The header line itself is broken.
    #[error("line {0}: the header line is broken: {1}")]
    BrokenHeader(u64, String),
    /// One of our results files.
    #[error(
        "this is a results file of an earlier batch (it has a column {0}), and is not sent anew; to send its unsent rows again name it to: bulk-topup retry"
    )]
    IsResultsFile(String),
    /// Not one of our results files.
    #[error("this is no results file: it has no column {0}; retry needs a results file as it was written")]
    NotResults(&'static str),
    /// The bytes are not those of the first reading.
    #[error("the file changed while it was read; nothing of the new content was used, start again")]
    Changed,
    /// A workbook that cannot be read.
    #[error("{0}")]
    Workbook(String),
}

impl Fault {
    /// Names the file.
    pub(super) fn of(self, file: &str) -> FileFault {
        FileFault { file: file.to_owned(), what: self }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.to_string())
    }
}
