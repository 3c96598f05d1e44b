//! One provider of a round: its limits, its rows, its place in the configuration.

use std::fmt::Write;
use std::time::Duration;

/// Which provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    ConnectTopup,
    Tutom,
    Paynicorn,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::ConnectTopup, Self::Tutom, Self::Paynicorn];

    pub fn name(self) -> &'static str {
        match self {
            Self::ConnectTopup => "connect-topup",
            Self::Tutom => "tutom",
            Self::Paynicorn => "paynicorn",
        }
    }

    /// Path under which its pages stand.
    pub fn base(self) -> &'static str {
        match self {
            Self::ConnectTopup => "/apipayment/",
            Self::Tutom => "/gateway/flowapi/",
            Self::Paynicorn => "/trade/topup/api/",
        }
    }

    pub fn submit_page(self) -> &'static str {
        match self {
            Self::ConnectTopup => "topup.jsp",
            Self::Tutom => "OrderCreate",
            Self::Paynicorn => "topup",
        }
    }

    fn country(self) -> &'static str {
        match self {
            Self::ConnectTopup => "VN",
            Self::Tutom => "CN",
            Self::Paynicorn => "NG",
        }
    }

    fn keys(self) -> &'static str {
        match self {
            Self::ConnectTopup => "username = \"demo\"\nprivate_key = { env = \"KEY\" }",
            Self::Tutom => "app_key = { env = \"KEY\" }\nopen_id = { env = \"KEY\" }",
            Self::Paynicorn => "app_key = { env = \"KEY\" }",
        }
    }

    /// A line of the input file.
    fn line(self, row: u64) -> String {
        match self {
            Self::ConnectTopup => format!("0{},10000,,VN", 911_000_000 + row),
            Self::Tutom => format!("{},,23,CN", 18_600_000_000 + row),
            Self::Paynicorn => format!("0{},100,,NG", 7_030_000_000 + row),
        }
    }
}

/// `N/s` or `N/m`.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    pub text: &'static str,
    pub count: u32,
    pub window: Duration,
}

impl Rate {
    pub fn new(text: &'static str) -> Self {
        let (count, unit) = text.split_once('/').unwrap();
        let window = Duration::from_secs(if unit == "m" { 60 } else { 1 });
        Self { text, count: count.parse().unwrap(), window }
    }

    /// Requests allowed within so many microseconds.
    pub fn allowed(self, span_us: i64) -> f64 {
        f64::from(self.count) * span_us as f64 / self.window.as_micros() as f64
    }
}

/// One provider of a round.
#[derive(Clone, Copy, Debug)]
pub struct Lane {
    pub kind: Kind,
    pub submit: Rate,
    pub query: Rate,
}

impl Lane {
    pub fn new(kind: Kind, submit: &'static str, query: &'static str) -> Self {
        Self { kind, submit: Rate::new(submit), query: Rate::new(query) }
    }

    /// Whether every row is looked up first, under a limit that is narrower than that of the submits.
    pub fn looks_are_narrower(self) -> bool {
        let minute = 60_000_000;
        self.kind != Kind::ConnectTopup && self.query.allowed(minute) < self.submit.allowed(minute)
    }

    /// Rows that keep it busy for so long, as both of its limits have it.
    pub fn rows(self, seconds: u64) -> u64 {
        let span = i64::try_from(seconds * 1_000_000).unwrap();
        let looked_up = self.kind != Kind::ConnectTopup;
        let by_looks = if looked_up { self.query.allowed(span) } else { f64::INFINITY };
        self.submit.allowed(span).min(by_looks) as u64
    }

    pub fn write_config(self, addr: &str, into: &mut String) {
        let (name, country, keys) = (self.kind.name(), self.kind.country(), self.kind.keys());
        let (base, submit, query) = (self.kind.base(), self.submit.text, self.query.text);
        writeln!(
            into,
            "[[providers]]\nname = \"{name}\"\nkind = \"{name}\"\n{keys}\nbase_url = \"http://{addr}{base}\"\n\
             countries = [\"{country}\"]\nsubmit_rate = \"{submit}\"\nquery_rate = \"{query}\"\n\
             max_in_flight = 64\nthrottle_pause = \"3s\""
        )
        .unwrap();
    }

    pub fn write_row(self, row: u64, into: &mut String) {
        writeln!(into, "{}", self.kind.line(row)).unwrap();
    }
}
