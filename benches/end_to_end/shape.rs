//! What is raced: how many rows of which provider, and what each of them asks for.

/// Requests that a row makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Paynicorn, operators known already: one submit on a kept connection.
    Submits,
    /// Paynicorn: a look-up and a submit, both on kept connections.
    Paynicorn,
    /// CONNECT TOPUP: one submit on a connection of its own.
    ConnectTopup,
    /// Tutom: a look-up on a kept connection, a submit on one of its own.
    Tutom,
}

impl Shape {
    const ALL: [(&'static str, Self); 4] = [
        ("submits", Self::Submits),
        ("paynicorn", Self::Paynicorn),
        ("connect-topup", Self::ConnectTopup),
        ("tutom", Self::Tutom),
    ];

    pub fn parse(name: &str) -> Self {
        Self::ALL.iter().find(|(word, _)| *word == name).unwrap().1
    }

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, shape)| *shape == self).unwrap().0
    }

    /// For the table.
    pub fn words(self) -> &'static str {
        match self {
            Self::Submits => "Paynicorn, submit alone (operators known)",
            Self::Paynicorn => "Paynicorn, look-up and submit",
            Self::ConnectTopup => "CONNECT TOPUP, submit on a new connection each",
            Self::Tutom => "Tutom, look-up, submit on a new connection each",
        }
    }

    /// Whether every row is looked up before its submit.
    pub fn looks_up(self) -> bool {
        matches!(self, Self::Paynicorn | Self::Tutom)
    }

    /// Whether every submit has a connection of its own.
    pub fn is_fresh(self) -> bool {
        matches!(self, Self::ConnectTopup | Self::Tutom)
    }

    /// National number of a row.
    pub fn phone(self, row: u64) -> String {
        match self {
            Self::Submits | Self::Paynicorn => (7_030_000_000 + row).to_string(),
            Self::ConnectTopup => (911_000_000 + row).to_string(),
            Self::Tutom => (18_600_000_000 + row).to_string(),
        }
    }
}

/// One race.
#[derive(Clone, Debug)]
pub struct Race {
    pub shape: Shape,
    /// Address and port of the provider.
    pub addr: String,
    pub rows: u64,
    /// Requests in flight.
    pub width: u32,
}

impl Race {
    pub fn parse(words: &[&str]) -> Self {
        let [shape, addr, rows, width] = words else { panic!("SHAPE ADDR ROWS WIDTH") };
        Self {
            shape: Shape::parse(shape),
            addr: (*addr).to_owned(),
            rows: rows.parse().unwrap(),
            width: width.parse().unwrap(),
        }
    }

    pub fn words(&self) -> [String; 4] {
        [self.shape.name().to_owned(), self.addr.clone(), self.rows.to_string(), self.width.to_string()]
    }
}
