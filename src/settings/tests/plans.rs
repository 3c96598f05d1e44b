//! Phone plans of the user's own: found, read, and refused by file, line and key.

use super::*;
use crate::domain::Country;
use crate::numbering::PhonePlan;

const GHANA: &str = "country = \"GH\"\nname = \"Ghana\"\ncalling_code = \"233\"\ntrunk = \"0\"\n\
    national_digits = 9\nstarts = [\"2\", \"5\"]\n\n[[block]]\noperator = \"MTN\"\nprefixes = [\"24\", \"54\"]\n";

/// Settings of a configuration in a folder that holds these plans, under `plans/`.
fn load_with(plans: &[(&str, &[u8])], named: &str) -> (Result<Settings, SettingsError>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    write_private(&folder.path().join("sub/c.toml"), &format!("phone_plans = {named}\n{VIETNAM}"));
    std::fs::create_dir(folder.path().join("sub/plans")).unwrap();
    for (name, bytes) in plans {
        std::fs::write(folder.path().join("sub/plans").join(name), bytes).unwrap();
    }
    let dirs = UserDirs { config: None, data: Some(folder.path().to_owned()) };
    (Settings::load(Some(Path::new("sub/c.toml")), &env, folder.path(), &dirs), folder)
}

fn refused(plans: &[(&str, &[u8])], named: &str) -> String {
    let (loaded, folder) = load_with(plans, named);
    let message = loaded.unwrap_err().to_string();
    message.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn a_plan_is_read_beside_those_of_the_program_and_put_on_record() {
    let (loaded, _folder) = load_with(&[("gh.toml", GHANA.as_bytes())], "[\"plans/gh.toml\"]");
    let settings = loaded.unwrap();
    let plan = settings.phone_plan().unwrap();
    for (cell, digits) in [("+233 24 123 4567", "233241234567"), ("0912345678", "84912345678")] {
        let read = plan.read_phone(cell, None, Some(Country::VN)).unwrap();
        assert_eq!(read.number.digits(), digits);
    }
    let ghana = Country::parse("GH").unwrap();
    let read = plan.read_phone("024 123 4567", Some(ghana), None).unwrap();
    assert_eq!((read.number.digits(), read.operator_hint), ("233241234567", Some("MTN")));
    let digest = &settings.phone_plan_digests()[&ghana];
    let record = &settings.described()["phone_plans.GH"];
    assert!(record.starts_with("plans/gh.toml sha256 ") && digest.starts_with(&record[record.len() - 16..]));
    let with_mark = ["\u{feff}".as_bytes(), GHANA.as_bytes()].concat();
    let (marked, _folder) = load_with(&[("gh.toml", &with_mark)], "[\"plans/gh.toml\"]");
    assert_ne!(&marked.unwrap().phone_plan_digests()[&ghana], digest, "a byte more is another file");
}

#[test]
fn the_sample_plan_reads_every_number_as_the_one_that_comes_with_the_program() {
    let sample = include_str!("../../../samples/vn-plan.toml");
    let (loaded, _folder) = load_with(&[("vn.toml", sample.as_bytes())], "[\"plans/vn.toml\"]");
    let (own, built_in) = (loaded.unwrap().phone_plan().unwrap(), PhonePlan::load().unwrap());
    let mut reader = csv::Reader::from_reader(include_str!("../../../tests/intake/cells.csv").as_bytes());
    let mut read = 0;
    for record in reader.records().map(Result::unwrap) {
        let country = |cell: &str| Country::parse(cell).ok();
        let with = |plan: &PhonePlan| {
            format!("{:?}", plan.read_phone(&record[0], country(&record[1]), country(&record[2])))
        };
        read += usize::from(with(&own).starts_with("Ok"));
        assert_eq!(with(&own), with(&built_in), "{record:?}");
    }
    assert!(read > 100, "{read}");
}

#[test]
fn a_plan_that_cannot_be_had_is_told_where_it_is_named() {
    let one: &[(&str, &[u8])] = &[("gh.toml", GHANA.as_bytes())];
    let large = vec![b'#'; (1 << 20) + 1];
    let at = "sub/c.toml:1: phone_plans[0]: the phone plan sub/";
    for (plans, named, told) in [
        (one, "[\"gh.toml\"]", format!("{at}gh.toml cannot be read: No such file")),
        (one, "[\"\"]", "sub/c.toml:1: phone_plans[0]: this is empty".to_owned()),
        (one, "\"plans/gh.toml\"", "sub/c.toml:1: phone_plans: invalid type".to_owned()),
        (one, "[1]", "sub/c.toml:1: phone_plans[0]: invalid type".to_owned()),
        (&[("a.toml", &[0xFF, 0xFE])], "[\"plans/a.toml\"]", format!("{at}plans/a.toml cannot be read: ")),
        (&[("a.toml", &large[..])], "[\"plans/a.toml\"]", format!("{at}plans/a.toml cannot be read: ")),
        (
            one,
            "[\"plans/gh.toml\", \"plans/../plans/gh.toml\"]",
            "sub/c.toml:1: phone_plans[1]: \"plans/gh.toml\" is a phone plan of GH already".to_owned(),
        ),
    ] {
        let message = refused(plans, named);
        assert!(message.starts_with(&told), "{named}\n  told:   {told}\n  really: {message}");
    }
}

#[test]
fn a_damaged_plan_is_refused_by_file_line_and_key() {
    for (from, to, told) in [
        ("country = \"GH\"", "country = \"Ghana\"", "1: country: "),
        ("country = \"GH\"\n", "", "1: TOML: missing key `country`"),
        ("country = \"GH\"", "country = \"GH\"\nregion = 1", "2: region: unknown key `region`"),
        ("\"Ghana\"", "\"  \"", "2: name: write a name"),
        ("\"Ghana\"", "\"Gha\\u200bna\"", "2: name: write a name"),
        ("\"233\"", "\"+233\"", "3: calling_code: \"+233\" is no text of 1 to 3 digits"),
        ("\"233\"", "233", "3: calling_code: invalid type: integer"),
        ("\"233\"", "\"234\"", "3: calling_code: the calling code of GH is 233"),
        ("trunk = \"0\"", "trunk = \"x\"", "4: trunk: \"x\" is no text of 0 to 3 digits"),
        ("national_digits = 9", "national_digits = 2", "5: national_digits: 2 is out of range: from 4 to 12"),
        ("national_digits = 9", "national_digits = 13", "5: national_digits: 13 is out of range"),
        ("national_digits = 9", "national_digits = -9", "5: national_digits: invalid value"),
        ("[\"2\", \"5\"]", "[]", "6: starts: name at least one beginning"),
        ("[\"2\", \"5\"]", "[\"2\", \"\"]", "6: starts[1]: \"\" is no text of 1 to 8 digits"),
        ("[\"2\", \"5\"]", "[\"2\", \"٥\"]", "6: starts[1]: \"٥\" is no text"),
        ("\"MTN\"", "\"\"", "9: block[0].operator: write a name"),
        (
            "\"24\"",
            "\"024\"",
            "10: block[0].prefixes[0]: no mobile number begins with 024: `starts` allows 2 5",
        ),
        ("\"24\"", "\"54\"", "10: block[0].prefixes[1]: the prefix 54 stands twice"),
        ("\"24\"", "\"241234567\"", "10: block[0].prefixes[0]: \"241234567\" is no text of 1 to 8 digits"),
        ("prefixes = [", "mark = \"sold\"\nprefixes = [", "10: block[0].mark: unknown variant"),
        ("prefixes = [\"24\", \"54\"]\n", "", "8: block[0]: missing key `prefixes`"),
        ("\"54\"]\n", "\"54\"]\n[moved]\n024 = \"24\"\n", ""),
        ("\"54\"]\n", "\"54\"]\n[moved]\n24 = \"24\"\n", "12: moved.24: \"24\" is no old beginning"),
        ("\"54\"]\n", "\"54\"]\n[moved]\n024 = \"34\"\n", "12: moved.024: no mobile number begins with 34"),
        ("\"54\"]\n", "\"54\"]\n[moved]\n024 = \"2\"\n", "12: moved.024: \"2\" is no text of 2 to 2 digits"),
        ("name = \"Ghana\"", "name = \"Ghana", "2: TOML: "),
        ("name = \"Ghana\"", "name = \"Ghana\"\nname = \"Ghana\"", "3: TOML: duplicate key"),
        ("[[block]]", "[block]", "8: block: invalid type: map"),
        (GHANA, "", "1: TOML: missing key `country`"),
        (GHANA, "phone,amount\n024,1\n", "1: TOML: "),
    ] {
        assert!(GHANA.contains(from), "{from}");
        let plan = GHANA.replacen(from, to, 1);
        if told.is_empty() {
            let (loaded, _folder) = load_with(&[("gh.toml", plan.as_bytes())], "[\"plans/gh.toml\"]");
            assert!(loaded.is_ok(), "{to}");
            continue;
        }
        let message = refused(&[("gh.toml", plan.as_bytes())], "[\"plans/gh.toml\"]");
        let told = format!("sub/plans/gh.toml:{told}");
        assert!(message.starts_with(&told), "{to}\n  told:   {told}\n  really: {message}");
    }
}

#[test]
fn a_country_that_is_new_may_not_take_numbers_of_another() {
    let unknown = GHANA.replace("\"GH\"", "\"QQ\"");
    let at = |code: &str| {
        let plan = unknown.replace("\"233\"", code);
        load_with(&[("qq.toml", plan.as_bytes())], "[\"plans/qq.toml\"]").0.map_err(|e| e.to_string())
    };
    assert!(at("\"8\"").unwrap_err().contains("plans/qq.toml:3: calling_code: this overlaps with 8"));
    assert!(at("\"841\"").unwrap_err().contains("this overlaps with 84, the calling code of Vietnam"));
    assert!(at("\"999\"").unwrap().phone_plan().unwrap().read_phone("+999241234567", None, None).is_ok());
}
