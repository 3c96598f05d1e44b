//! Which operator a number belongs to, by its first digits: the tables of this sandbox's three countries.

/// What the Vietnamese table knows about a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vietnam {
    /// An operator with this gateway code of the document.
    Gateway(&'static str),
    /// A virtual operator: the document has no gateway code for it.
    Virtual,
    /// No mobile number.
    Unknown,
}

const VIETNAM: &[(&str, &[&str])] = &[
    ("VTL", &["032", "033", "034", "035", "036", "037", "038", "039", "086", "096", "097", "098"]),
    ("VMS", &["070", "076", "077", "078", "079", "089", "090", "093"]),
    ("VNP", &["081", "082", "083", "084", "085", "088", "091", "094"]),
    ("VNB", &["052", "056", "058", "092"]),
    ("GTEL", &["059", "0993", "0994", "0995", "0996", "0997"]),
    ("", &["055", "087", "0998", "0999"]),
];

const CHINA: &[(&str, &[&str])] = &[
    (
        "China Telecom",
        &[
            "133", "1349", "149", "153", "162", "1700", "1701", "1702", "173", "17400", "17401", "17402",
            "17403", "17404", "17405", "177", "180", "181", "189", "190", "191", "193", "199",
        ],
    ),
    (
        "China Mobile",
        &[
            "1340", "1341", "1342", "1343", "1344", "1345", "1346", "1347", "1348", "135", "136", "137",
            "138", "139", "147", "148", "150", "151", "152", "157", "158", "159", "165", "1703", "1705",
            "1706", "172", "178", "182", "183", "184", "187", "188", "195", "197", "198",
        ],
    ),
    (
        "China Unicom",
        &[
            "130", "131", "132", "145", "146", "155", "156", "166", "167", "1704", "1707", "1708", "1709",
            "171", "175", "176", "185", "186", "196",
        ],
    ),
];

const NIGERIA: &[(&str, &[&str])] = &[
    (
        "NG_MTN",
        &[
            "0703", "0704", "0706", "0707", "0803", "0806", "0810", "0813", "0814", "0816", "0903", "0906",
            "0913", "0916", "07025", "07026",
        ],
    ),
    ("NG_AIRTEL", &["0701", "0708", "0802", "0808", "0812", "0901", "0902", "0904", "0907", "0911", "0912"]),
    ("NG_GLOMOBILE", &["0705", "0805", "0807", "0811", "0815", "0905", "0915"]),
    ("NG_9MOBILE", &["0809", "0817", "0818", "0908", "0909"]),
];

fn digits(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn look_up(table: &'static [(&'static str, &'static [&'static str])], number: &str) -> Option<&'static str> {
    table
        .iter()
        .find(|(_, prefixes)| prefixes.iter().any(|prefix| number.starts_with(prefix)))
        .map(|(operator, _)| *operator)
}

/// Reads a Vietnamese number in national form, ten digits from 0 ("star = 0").
pub fn vietnam(phone: &str) -> Vietnam {
    if !digits(phone, 10) {
        return Vietnam::Unknown;
    }
    match look_up(VIETNAM, phone) {
        Some("") => Vietnam::Virtual,
        Some(gateway) => Vietnam::Gateway(gateway),
        None => Vietnam::Unknown,
    }
}

/// Whether this is a mainland mobile number: eleven digits from 1.
pub fn is_chinese(phone: &str) -> bool {
    digits(phone, 11) && phone.starts_with('1')
}

/// The Chinese operator of a number, as the document names it.
pub fn china(phone: &str) -> Option<&'static str> {
    if is_chinese(phone) { look_up(CHINA, phone) } else { None }
}

/// The national form (0 and ten digits) of a Nigerian mobile number written so or without the 0.
pub fn nigerian(phone: &str) -> Option<String> {
    let national = if digits(phone, 10) { format!("0{phone}") } else { phone.to_owned() };
    let shape = ["070", "071", "080", "081", "090", "091"];
    let fits = digits(&national, 11) && shape.iter().any(|start| national.starts_with(start));
    fits.then_some(national)
}

/// The operator code of a Nigerian number in national form, if its operator is sold here.
pub fn nigeria(national: &str) -> Option<&'static str> {
    look_up(NIGERIA, national)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_follow_from_the_first_digits() {
        assert_eq!(vietnam("0912345678"), Vietnam::Gateway("VNP"));
        assert_eq!(vietnam("0993123456"), Vietnam::Gateway("GTEL"));
        assert_eq!(vietnam("0998123456"), Vietnam::Virtual);
        assert_eq!(vietnam("84912345678"), Vietnam::Unknown);
        assert_eq!(vietnam("0212345678"), Vietnam::Unknown);
        assert_eq!(china("18610865680"), Some("China Unicom"));
        assert_eq!(china("13490000000"), Some("China Telecom"));
        assert_eq!(china("13480000000"), Some("China Mobile"));
        assert_eq!(china("17406000000"), None);
        assert_eq!(china("19200000000"), None);
        assert_eq!(nigerian("9073542823").as_deref(), Some("09073542823"));
        assert_eq!(nigerian("07012345678").as_deref(), Some("07012345678"));
        assert_eq!(nigerian("2347012345678"), None);
        assert_eq!(nigeria("07012345678"), Some("NG_AIRTEL"));
        assert_eq!(nigeria("07025123456"), Some("NG_MTN"));
        assert_eq!(nigeria("07021123456"), None);
    }
}
