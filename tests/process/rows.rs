//! Input files: numbers of the three countries in every spelling, each with the ending that decides its order.

use std::path::Path;

/// A small generator of chance: the same seed gives the same campaign.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66_D1CE_4E5B)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    pub fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len() as u64) as usize]
    }
}

/// Which country a row is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Country {
    Vietnam,
    Nigeria,
    China,
}

pub const ALL: [Country; 3] = [Country::Vietnam, Country::Nigeria, Country::China];

/// One row of an input file.
#[derive(Clone, Debug)]
pub struct Row {
    pub phone: String,
    pub amount: String,
    pub product: String,
    pub country: &'static str,
    pub reference: String,
    pub name: String,
}

const NAMES: &[&str] = &[
    "Nguyễn Văn An",
    "Adaeze \"Ada\" Obi",
    "王伟",
    "Smith, John",
    "two\nlines",
    "=1+1",
    "@home",
    " spaces ",
    "",
];

/// The `number`th row of a file: its number ends in `tail`.
pub fn row(country: Country, number: usize, tail: &str, chance: &mut Chance) -> Row {
    let middle = number % 1000;
    let (phone, amount, product, code) = match country {
        Country::Vietnam => {
            let prefix = chance.one_of(&["91", "98", "35", "77", "92", "59", "86", "90"]);
            let bare = format!("{prefix}{middle:03}{tail}");
            let phone = match chance.below(5) {
                0 => format!("+84 {} {}", &bare[..2], &bare[2..]),
                1 => format!("84{bare}"),
                2 => bare,
                _ => format!("0{bare}"),
            };
            let amount = chance.one_of(&["10000", "20000", "20000.00", "50000", "100000"]);
            (phone, amount, "", "VN")
        }
        Country::Nigeria => {
            let prefix = chance.one_of(&["803", "802", "805", "809", "703", "903", "816"]);
            let bare = format!("{prefix}{middle:03}{tail}");
            let phone = match chance.below(4) {
                0 => format!("+234{bare}"),
                1 => bare,
                _ => format!("0{bare}"),
            };
            let amount = chance.one_of(&["50", "100", "200", "500", "750", "1000", "1000.00", "99.50"]);
            (phone, amount, "", "NG")
        }
        Country::China => {
            let prefix = chance.one_of(&["186", "130", "131", "132", "155"]);
            let (amount, product) = match chance.below(4) {
                0 => ("", "6GB"),
                1 => ("80", "24"),
                2 => ("46", "23"),
                _ => ("", "23"),
            };
            (format!("{prefix}{:04}{tail}", number % 10_000), amount, product, "CN")
        }
    };
    Row {
        phone,
        amount: amount.to_owned(),
        product: product.to_owned(),
        country: code,
        reference: format!("R-{number}"),
        name: NAMES[chance.below(NAMES.len() as u64) as usize].to_owned(),
    }
}

/// A number's ending that leaves everything to the fault profile.
pub fn plain_tail(chance: &mut Chance) -> String {
    format!("{:04}", 1000 + chance.below(9000))
}

/// Rows of these countries in turn, without scenario numbers.
pub fn plain(count: usize, countries: &[Country], seed: u64) -> Vec<Row> {
    let mut chance = Chance::new(seed);
    let one = |number: usize| {
        let tail = plain_tail(&mut chance);
        row(countries[number % countries.len()], number, &tail, &mut chance)
    };
    (0..count).map(one).collect()
}

/// Rows of all countries, a third of them with scenario endings out of `tails`.
pub fn mixed(count: usize, tails: &[&str], seed: u64) -> Vec<Row> {
    let mut chance = Chance::new(seed);
    let one = |number: usize| {
        let scenario = chance.below(3) == 0;
        let tail = if scenario { chance.one_of(tails).to_owned() } else { plain_tail(&mut chance) };
        row(ALL[number % ALL.len()], number, &tail, &mut chance)
    };
    (0..count).map(one).collect()
}

/// Writes an input file.
pub fn write(path: &Path, rows: &[Row]) {
    let mut writer = csv::Writer::from_path(path).unwrap();
    writer.write_record(["phone", "amount", "product", "country", "reference", "name"]).unwrap();
    for row in rows {
        let cells = [&row.phone, &row.amount, &row.product, row.country, &row.reference, &row.name];
        writer.write_record(cells).unwrap();
    }
    writer.flush().unwrap();
}
