//! The house keeps its order: imports go down the floors of `src/lib.rs` only, every file says its role, no lint
//! is silenced, no file outgrows its job. Reads the sources as text; needs no build of them.
#![expect(clippy::unwrap_used, reason = "a source that cannot be read is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};

/// Modules by floor, the lowest first. A module imports from lower floors only, never from its own.
const FLOORS: [&[&str]; 7] = [
    &["domain"],
    &["numbering", "intake", "protocol", "lifecycle"],
    &["admission", "engine", "report"],
    &["ledger", "net"],
    &["run", "callbacks", "sandbox", "settings"],
    &["job"],
    &["cli"],
];

/// Imports nothing of ours: it is written from the providers' documents alone, so that a misreading of them in
/// `protocol` shows against it.
const APART: &str = "sandbox";

/// Lines beyond which a file probably has two jobs.
const LINES_MAX: usize = 500;

/// Files that may be longer, with the reason.
const LONG_FILES: &[(&str, &str)] = &[];

#[test]
fn imports_go_down_the_floors_only() {
    report(sources().iter().flat_map(|(path, text)| import_faults(path, text)).collect());
}

#[test]
fn every_module_stands_on_a_floor() {
    let modules: Vec<String> = sources().iter().filter_map(|(path, _)| top_module(path)).collect();
    let strays: Vec<String> = modules
        .into_iter()
        .filter(|module| floor(module).is_none())
        .map(|module| format!("src/{module} stands on no floor: add it to FLOORS and to src/lib.rs"))
        .collect();
    report(strays);
}

#[test]
fn the_architecture_page_shows_these_floors() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let mut shown: Vec<(usize, &str)> = Vec::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("//! | ")) {
        let mut cells = line.split(" | ");
        if let (Some(Ok(floor)), Some(module)) = (cells.next().map(str::parse), cells.next()) {
            shown.push((floor, module.trim_matches(['[', '`', ']'])));
        }
    }
    let mut built: Vec<(usize, &str)> = FLOORS
        .iter()
        .enumerate()
        .flat_map(|(floor, modules)| modules.iter().map(move |m| (floor, *m)))
        .collect();
    shown.sort_unstable();
    built.sort_unstable();
    assert_eq!(shown, built);
}

#[test]
fn every_file_says_its_role_and_silences_no_lint() {
    let mut all = sources();
    all.extend(files("tests"));
    report(all.iter().flat_map(|(path, text)| manner_faults(path, text)).collect());
}

#[test]
fn no_file_outgrows_its_job() {
    let sources = sources();
    let mut faults: Vec<String> = sources
        .iter()
        .filter_map(|(path, text)| length_fault(path, text.lines().count(), LONG_FILES))
        .collect();
    for (path, _) in LONG_FILES {
        let still = sources.iter().any(|(p, text)| p == path && text.lines().count() > LINES_MAX);
        if !still {
            faults.push(format!("{path}: is not over {LINES_MAX} lines any more; take it off LONG_FILES"));
        }
    }
    report(faults);
}

// The checker itself: what it must find in doctored sources, and what it must leave alone.

#[test]
fn an_import_that_goes_up_is_found() {
    for text in [
        "use crate::engine::Engine;",
        "use crate::{domain::Money, engine::Engine};",
        "use crate::{\n    domain::{Money, Currency},\n    engine::{Engine, Notice},\n};",
        "pub(crate) use crate::engine;",
        "fn f() -> crate::engine::Engine { g() }",
        "use super::super::engine::Engine;",
        "mod inner { use super::super::super::engine::Engine; }",
        "#[cfg(test)]\nmod tests { use crate::engine::Engine; }",
        "fn f(c: char) -> bool { c == '\"' || crate::engine::is(c, '\"') }",
        "const S: &str = r#\"a \" b\"#; use crate::engine::Engine;",
    ] {
        let faults = import_faults("src/lifecycle/policy.rs", text);
        assert_eq!(faults.len(), 1, "{text}: {faults:?}");
        assert!(faults[0].contains("engine") && faults[0].contains("goes up"), "{faults:?}");
    }
    let faults = import_faults("src/domain/money.rs", "//! Money.\n\nuse crate::cli::Exit;\n");
    assert_eq!(faults, ["src/domain/money.rs:3: `cli` goes up from floor 0 (domain) to floor 6"]);
}

#[test]
fn an_import_that_goes_sideways_is_found() {
    let faults = import_faults("src/net/client.rs", "use crate::ledger::Ledger;");
    assert_eq!(faults, ["src/net/client.rs:1: `ledger` goes sideways from floor 3 (net) to floor 3"]);
}

#[test]
fn the_sandbox_may_import_nothing() {
    let faults = import_faults("src/sandbox/tutom.rs", "use crate::domain::Money;");
    assert_eq!(faults, ["src/sandbox/tutom.rs:1: `domain` in sandbox, which imports nothing of ours"]);
    assert_eq!(import_faults("src/sandbox/tutom.rs", "use super::world::World;"), [""; 0]);
}

#[test]
fn an_import_of_everything_or_of_a_stranger_is_found() {
    for text in ["use crate::*;", "use crate::nowhere::Thing;", "use crate as house;", "use super::super::*;"]
    {
        assert_eq!(import_faults("src/engine/lane.rs", text).len(), 1, "{text}");
    }
    assert_eq!(import_faults("src/main.rs", "fn main() { bulk_topup::engine::start() }").len(), 1);
    assert_eq!(import_faults("src/main.rs", "fn main() { bulk_topup::cli::main() }"), [""; 0]);
}

#[test]
fn what_is_no_import_is_left_alone() {
    for text in [
        "use crate::domain::Money;",
        "use crate::lifecycle::Phase;",
        "use super::lane::Lane;",
        "// use crate::cli::Exit;",
        "/// See [`crate::cli::Exit`].\nstruct A;",
        "/* use crate::cli::Exit; /* nested */ crate::cli */",
        "const TEXT: &str = \"use crate::cli::Exit;\";",
        "const TEXT: &str = r##\"crate::cli \"# \"##;",
        "fn f<'a>(x: &'a str) -> &'a str { x }",
        "mod tests { use super::super::lane::Lane; }",
        "use other_crate::cli::Exit;",
    ] {
        assert_eq!(import_faults("src/engine/machine.rs", text), [""; 0], "{text}");
    }
}

#[test]
fn a_file_without_its_role_or_with_a_silenced_lint_is_found() {
    assert_eq!(manner_faults("src/a.rs", "//! Role.\n\nfn f() {}\n"), [""; 0]);
    assert_eq!(manner_faults("src/a.rs", "fn f() {}\n").len(), 1);
    assert_eq!(manner_faults("src/a.rs", "//! Role.\n#[allow(dead_code)]\nfn f() {}\n").len(), 1);
    assert_eq!(manner_faults("src/a.rs", "//! Role.\n#![allow(dead_code)]\n").len(), 1);
    assert_eq!(manner_faults("src/a.rs", "//! Role.\n#[cfg_attr(test, allow(dead_code))]\n").len(), 1);
}

#[test]
fn a_long_file_is_found_unless_it_is_listed_or_a_test() {
    assert!(length_fault("src/a.rs", LINES_MAX + 1, &[]).is_some());
    assert!(length_fault("src/a.rs", LINES_MAX, &[]).is_none());
    assert!(length_fault("src/a.rs", LINES_MAX + 1, &[("src/a.rs", "one table")]).is_none());
    assert!(length_fault("src/a/tests.rs", LINES_MAX + 1, &[]).is_none());
    assert!(length_fault("src/a/tests/b.rs", LINES_MAX + 1, &[]).is_none());
}

/// Fails with one fault a line.
#[track_caller]
fn report(faults: Vec<String>) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

fn sources() -> Vec<(String, String)> {
    let found = files("src");
    assert!(found.len() > 50, "the sources were not found");
    found
}

/// Every Rust file below a folder of the crate: its path in the crate, and its text.
fn files(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

/// `engine` of `src/engine/lane.rs`; none for the crate's roots.
fn top_module(path: &str) -> Option<String> {
    let module = module_path(path);
    module.first().cloned()
}

/// `["engine", "lane"]` of `src/engine/lane.rs`.
fn module_path(path: &str) -> Vec<String> {
    let inner = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs");
    let mut parts: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

/// What a file imports against the order of the floors, one line each.
fn import_faults(path: &str, text: &str) -> Vec<String> {
    let code = blank(text);
    let from = top_module(path);
    let mut faults = Vec::new();
    for (at, name) in crate_paths(&code, module_path(path).len()) {
        let line = code.iter().take(at).filter(|c| **c == '\n').count() + 1;
        if let Some(fault) = import_fault(from.as_deref(), &name) {
            faults.push(format!("{path}:{line}: {fault}"));
        }
    }
    faults
}

fn import_fault(from: Option<&str>, to: &str) -> Option<String> {
    let Some(from) = from else {
        // The roots: `lib.rs` names the modules, `main.rs` calls one.
        return (to != "cli").then(|| format!("`{to}` in the binary, which calls `cli` alone"));
    };
    if from == to {
        return None;
    }
    if from == APART {
        return Some(format!("`{to}` in {APART}, which imports nothing of ours"));
    }
    let (Some(high), Some(low)) = (floor(from), floor(to)) else {
        return Some(format!("`{to}` in {from}: no module on a floor is called so"));
    };
    match low.cmp(&high) {
        std::cmp::Ordering::Less => None,
        std::cmp::Ordering::Equal => {
            Some(format!("`{to}` goes sideways from floor {high} ({from}) to floor {low}"))
        }
        std::cmp::Ordering::Greater => {
            Some(format!("`{to}` goes up from floor {high} ({from}) to floor {low}"))
        }
    }
}

/// Every path that starts at the crate's root, by `crate`, by the crate's name or by enough `super`s: where it
/// stands, and the module it names first (`*` for all of them). `depth`: how deep the file's module lies.
fn crate_paths(code: &[char], depth: usize) -> Vec<(usize, String)> {
    let words = words(code);
    let mut found = Vec::new();
    // Braces of inline modules lie one level deeper each.
    let (mut braces, mut inline) = (0_usize, Vec::<usize>::new());
    let mut i = 0;
    while let Some((at, word)) = words.get(i) {
        let next = |n: usize| words.get(i + n).map_or("", |(_, word)| word.as_str());
        let mut step = 1;
        match word.as_str() {
            "{" => braces += 1,
            "}" => {
                inline.retain(|opened| *opened != braces);
                braces = braces.saturating_sub(1);
            }
            "mod" if next(2) == "{" => {
                braces += 1;
                inline.push(braces);
                step = 3;
            }
            // `pub(crate)` and the like name no module.
            "crate" | "bulk_topup" if next(1) == "::" => {
                found.extend(names(&words, i + 2).into_iter().map(|name| (*at, name)));
                step = 2;
            }
            "crate" if next(1) == "as" || next(1) == ";" => found.push((*at, "*".to_owned())),
            "super" => {
                let mut levels = 1;
                while next(2 * levels - 1) == "::" && next(2 * levels) == "super" {
                    levels += 1;
                }
                step = 2 * levels;
                if levels >= depth + inline.len() && next(2 * levels - 1) == "::" {
                    found.extend(names(&words, i + step).into_iter().map(|name| (*at, name)));
                }
            }
            _ => {}
        }
        i += step;
    }
    found
}

/// The first names of what follows a `::`: one, or those of a group in braces.
fn names(words: &[(usize, String)], start: usize) -> Vec<String> {
    let word = |i: usize| words.get(i).map_or("", |(_, word)| word.as_str());
    if word(start) != "{" {
        return vec![word(start).to_owned()];
    }
    let (mut found, mut depth, mut i, mut expects) = (Vec::new(), 1, start + 1, true);
    while depth > 0 && i < words.len() {
        match word(i) {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => expects = true,
            name if depth == 1 && expects => {
                found.push(name.to_owned());
                expects = false;
            }
            _ => {}
        }
        i += 1;
    }
    found
}

/// Identifiers, `::`, and every other sign by itself, each with its place.
fn words(code: &[char]) -> Vec<(usize, String)> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(c) = code.get(at) {
        let rest = code.get(at..).unwrap_or_default();
        let length = if c.is_alphanumeric() || *c == '_' {
            rest.iter().take_while(|c| c.is_alphanumeric() || **c == '_').count()
        } else if rest.starts_with(&[':', ':']) {
            2
        } else {
            1
        };
        if !c.is_whitespace() {
            words.push((at, rest.iter().take(length).collect()));
        }
        at += length;
    }
    words
}

/// The code with comments, strings and characters blanked out, line by line as long as before.
fn blank(text: &str) -> Vec<char> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = Vec::with_capacity(chars.len());
    while let Some(rest) = chars.get(out.len()..).filter(|rest| !rest.is_empty()) {
        let length = skipped(rest, out.last().copied());
        match length {
            0 => out.extend(rest.first()),
            _ => out.extend(rest.iter().take(length).map(|c| if *c == '\n' { '\n' } else { ' ' })),
        }
    }
    out
}

/// Length of the comment, string or character that begins here; 0 if it is code.
fn skipped(rest: &[char], before: Option<char>) -> usize {
    if rest.starts_with(&['/', '/']) {
        return rest.iter().take_while(|c| **c != '\n').count();
    }
    if rest.starts_with(&['/', '*']) {
        return block_comment(rest);
    }
    if rest.starts_with(&['"']) {
        return quoted(rest, '"');
    }
    let inside_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if rest.starts_with(&['r']) && (!inside_word || before == Some('b')) {
        let hashes = rest.iter().skip(1).take_while(|c| **c == '#').count();
        if rest.get(1 + hashes) == Some(&'"') {
            let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
            let body = rest.get(2 + hashes..).unwrap_or_default();
            let length = body.windows(end.len()).position(|window| window == end).unwrap_or(body.len());
            return (2 + hashes + length + end.len()).min(rest.len());
        }
    }
    // A lifetime has no quote behind its first letter, a character has one there or an escape.
    if rest.starts_with(&['\'']) && (rest.get(1) == Some(&'\\') || rest.get(2) == Some(&'\'')) {
        return quoted(rest, '\'');
    }
    0
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(here) = rest.get(at..).filter(|here| !here.is_empty()) {
        if here.starts_with(&['/', '*']) {
            depth += 1;
            at += 2;
        } else if here.starts_with(&['*', '/']) {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while let Some(c) = rest.get(at) {
        match c {
            '\\' => at += 2,
            c if *c == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A file without its role, or with a silenced lint.
fn manner_faults(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if !text.starts_with("//! ") {
        faults.push(format!("{path}:1: begin with `//!`: the file's role and boundary"));
    }
    let code: String = blank(text).into_iter().collect();
    for (number, line) in code.lines().enumerate() {
        let packed: String = line.split_whitespace().collect();
        let attribute = packed.starts_with("#[") || packed.starts_with("#![");
        if attribute && (packed.contains("[allow(") || packed.contains(",allow(")) {
            faults.push(format!("{path}:{}: use `#[expect(.., reason = \"..\")]`", number + 1));
        }
    }
    faults
}

/// A file that is too long, unless it is listed or a test.
fn length_fault(path: &str, lines: usize, listed: &[(&str, &str)]) -> Option<String> {
    let test = path.ends_with("/tests.rs") || path.contains("/tests/");
    let known = listed.iter().any(|(long, reason)| *long == path && !reason.is_empty());
    (lines > LINES_MAX && !test && !known).then(|| {
        format!("{path}: {lines} lines; does it still have one job? Split it, or list it in LONG_FILES")
    })
}
