//! What every wrong configuration is told: file, line, key and no secret.

use super::*;

#[test]
fn a_wrong_value_is_told_with_line_and_key() {
    for (line, told) in [
        ("timeouts = \"30s\"", "c.toml:9: providers[0]"),
        ("timeout = \"30\"", "c.toml:9: providers[0].timeout: \"30\" is not a duration"),
        ("timeout = 30", "c.toml:9: providers[0].timeout: invalid type"),
        ("timeout = \"0s\"", "c.toml:9: providers[0].timeout: \"0s\" is out of range: from 100ms to 10m"),
        ("timeout = \"11m\"", "c.toml:9: providers[0].timeout: \"11m\" is out of range"),
        ("connect_timeout = \"30s\"", "c.toml:9: providers[0].connect_timeout: \"30s\" is out of range"),
        ("not_found_grace = \"29s\"", "c.toml:9: providers[0].not_found_grace: \"29s\" is out of range"),
        (
            "max_check = \"1s\"",
            "c.toml:9: providers[0].max_check: \"1s\" is out of range: at least first_check",
        ),
        ("max_in_flight = 0", "c.toml:9: providers[0].max_in_flight: 0 is out of range: from 1 to 1000"),
        ("not_found_times = -1", "c.toml:9: providers[0].not_found_times: invalid value"),
        ("halt_after_unclear = 0", "c.toml:9: providers[0].halt_after_unclear: 0 is out of range"),
        ("submit_rate = \"0/s\"", "c.toml:9: providers[0].submit_rate: \"0/s\" is not a rate"),
        (
            "checksum = \"md5\"",
            "c.toml:9: providers[0].checksum: \"md5\" is not known; write one of: sha256, sha1",
        ),
        (
            "open_id = { env = \"KEY\" }",
            "c.toml:9: providers[0].open_id: this key does not belong to kind connect-topup, only to tutom",
        ),
        (
            "app_key = { env = \"KEY\" }",
            "c.toml:9: providers[0].app_key: this key does not belong to kind connect-topup, only to tutom and paynicorn",
        ),
        ("trust_not_found = false", "c.toml:9: providers[0].trust_not_found: this key does not belong"),
        ("benefit_no = \"nsn\"", "c.toml:9: providers[0].benefit_no: this key does not belong"),
        ("username = \"again\"", "c.toml:9: TOML: duplicate key"),
        (
            "proxy = \"socks5://10.0.0.1:1080\"",
            "c.toml:9: providers[0].proxy: a proxy is a http:// or https:// URL",
        ),
        (
            "proxy = \"http://user:hunter2@10.0.0.1\"",
            "c.toml:9: providers[0].proxy: the proxy's password must not stand",
        ),
        ("[limits]\nmax_row = { VND = 0.5 }", "c.toml:10: limits.max_row.VND: invalid type: floating point"),
        ("[limits]\nmax_row = { VND = \"-1\" }", "c.toml:10: limits.max_row.VND: \"-1\" is not a cap"),
        ("[limits]\nmax_row = { XYZ = \"1\" }", "c.toml:10: limits.max_row"),
        ("[limits]\nmax_rows = { VND = \"1\" }", "c.toml:10: limits"),
        (
            "[limits]\nrepeat_window = \"3 days\"",
            "c.toml:10: limits.repeat_window: \"3 days\" is not a duration",
        ),
        ("[listen]\naddress = \"127.0.0.1\"\npath_secret = { env = \"KEY\" }", "c.toml:10: listen.address"),
        ("[listen]\naddress = \"127.0.0.1:1\"", "c.toml:9: listen: missing key `path_secret`"),
        (
            "[listen]\naddress = \"127.0.0.1:1\"\npath_secret = { env = \"KEY\" }\nallow = [\"10.0.0.0/99\"]",
            "c.toml:12: listen.allow[0]: \"10.0.0.0/99\" is not a network",
        ),
        ("[what]", "c.toml:9: "),
        ("timeout = \"30s", "c.toml:9: TOML: "),
    ] {
        let message = refusal(&vietnam_with(line));
        assert!(message.starts_with(told), "{line}\n  told:   {told}\n  really: {message}");
    }
}

#[test]
fn an_unknown_key_is_named() {
    for (line, key) in
        [("timeouts = \"30s\"", "timeouts"), ("[limits]\nmax_rows = 1", "max_rows"), ("[what]", "what")]
    {
        let message = refusal(&vietnam_with(line));
        assert!(message.contains(&format!("unknown key `{key}`")), "{message}");
    }
}

#[test]
fn a_wrong_entry_is_told_with_line_and_key() {
    let changed = |from: &str, to: &str| {
        assert!(VIETNAM.contains(from), "{from}");
        refusal(&VIETNAM.replace(from, to))
    };
    for (from, to, told) in [
        ("name = \"vietnam\"\n", "", "c.toml:2: providers[0]: missing key `name`"),
        (
            "name = \"vietnam\"",
            "name = \"viet nam\"",
            "c.toml:3: providers[0].name: \"viet nam\" is not a name",
        ),
        (
            "kind = \"connect-topup\"",
            "kind = \"connect\"",
            "c.toml:4: providers[0].kind: \"connect\" is not known; write one of: connect-topup, tutom, paynicorn",
        ),
        (
            "countries = [\"VN\"]",
            "countries = []",
            "c.toml:6: providers[0].countries: name at least one country",
        ),
        ("countries = [\"VN\"]", "countries = [\"Vietnam\"]", "c.toml:6: providers[0].countries[0]: "),
        ("username = \"demo\"", "username = \" \"", "c.toml:7: providers[0].username: this is empty"),
        (
            "username = \"demo\"\n",
            "",
            "c.toml:4: providers[0].username: this key is missing; kind connect-topup needs it",
        ),
        ("private_key = { env = \"KEY\" }", "", "c.toml:4: providers[0].private_key: this key is missing"),
        (
            "https://topup.example/api",
            "http://topup.example/api",
            "c.toml:5: providers[0].base_url: keys and numbers would travel unencrypted",
        ),
        (
            "https://topup.example/api",
            "http://127.0.0.1.example/",
            "c.toml:5: providers[0].base_url: keys and numbers",
        ),
        ("https://topup.example/api", "topup.example", "c.toml:5: providers[0].base_url: this is not a http"),
        (
            "https://topup.example/api",
            "ftp://topup.example",
            "c.toml:5: providers[0].base_url: this is not a http",
        ),
        (
            "https://topup.example/api",
            "https://u:hunter2@h/",
            "c.toml:5: providers[0].base_url: the URL must not hold",
        ),
        (
            "https://topup.example/api",
            "https://h/?key=hunter2",
            "c.toml:5: providers[0].base_url: the URL must not hold",
        ),
    ] {
        let message = changed(from, to);
        assert!(message.starts_with(told), "{to}\n  told:   {told}\n  really: {message}");
    }
}

#[test]
fn names_and_accounts_are_unique() {
    let second = VIETNAM.replace("\"vietnam\"", "\"VietNam\"").replace("demo", "other");
    let message = refusal(&format!("{VIETNAM}{second}"));
    assert!(
        message.starts_with("c.toml:11: providers[1].name: another provider is named \"vietnam\""),
        "{message}"
    );
    let second = VIETNAM.replace("\"vietnam\"", "\"second\"");
    let message = refusal(&format!("{VIETNAM}{second}"));
    assert!(
        message.starts_with("c.toml:12: providers[1].kind: this is the account of provider \"vietnam\""),
        "{message}"
    );
    let message = refusal("ledger = \"l.db\"\n");
    assert!(message.starts_with("c.toml:1: providers: there is no provider"), "{message}");
}

#[test]
fn a_literal_secret_is_refused_and_not_repeated() {
    for literal in [
        "\"hunter2\"",
        "'hunter2'",
        "\"\"\"hunter2\"\"\"",
        "[\"hunter2\"]",
        "{ value = \"hunter2\" }",
        "{ file = [\"hunter2\"] }",
        "{ file = \"vn.key\", env = \"hunter2\" }",
        "{ file = \"\" }",
        "{}",
        "hunter2",
        "{ env = hunter2 }",
        "\"hunter2",
        "\"hunter2\\q\"",
        "\"x\" hunter2",
        "20250101",
        "1.5",
        "true",
        "2025-01-01",
    ] {
        for (key, text) in
            [("private_key", VIETNAM), ("app_key", CHINA), ("open_id", CHINA), ("app_key", NIGERIA)]
        {
            let from = format!("{key} = {{ env = \"KEY\" }}");
            assert!(text.contains(&from));
            let message = refusal(&text.replace(&from, &format!("{key} = {literal}")));
            assert!(message.starts_with("c.toml:"), "{message}");
            assert!(!message.contains("20250101") && !message.contains("2025-01-01"), "{message}");
        }
        let message = refusal(&format!("{NIGERIA}merchant_secret = {literal}\n"));
        assert!(message.starts_with("c.toml:8: "), "{message}");
    }
    let message = refusal(&VIETNAM.replace("{ env = \"KEY\" }", "\"hunter2\""));
    assert_eq!(
        message,
        "c.toml:8: providers[0].private_key: a secret must not stand in this file; write { file = \"path\" } or { env = \"NAME\" }"
    );
}

#[test]
fn a_secret_that_cannot_be_had_is_told_where_it_is_named() {
    let with = |source: &str| refusal(&VIETNAM.replace("{ env = \"KEY\" }", source));
    let message = with("{ env = \"NOT_THERE\" }");
    assert!(
        message
            .starts_with("c.toml:8: providers[0].private_key: the environment variable NOT_THERE is not set")
    );
    let message = with("{ file = \"not.there\" }");
    assert!(message.starts_with("c.toml:8: providers[0].private_key: the secret file "), "{message}");
    assert!(message.contains("not.there cannot be read"), "{message}");
    assert!(load(&VIETNAM.replace("{ env = \"KEY\" }", "{ file = \"vn.key\" }")).is_ok());
}
