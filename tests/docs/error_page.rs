//! The tables of reasons and of errors in `docs/OPERATING.md` are those that the program uses.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use tailwater::encode::registry::REGISTRY_STATUSES;
use tailwater::error::{Reason, Verdict};
use tailwater::mysql::SERVER_ERRORS;
use tailwater::produce::KAFKA_CODES;
use testkit::Result;

use crate::support::setup::Setup;

const HEAD: &str = "| code | name | meaning | what the connector does |\n|---|---|---|---|\n";

/// The table between two marks of the page must be this one; the right page is left where the
/// message says.
fn expect(name: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/OPERATING.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let start = format!("<!-- {name} -->\n");
    let from = page.find(&start).unwrap() + start.len();
    let to = page.find(&format!("<!-- /{name} -->")).unwrap();
    let mut right = page.clone();
    right.replace_range(from..to, table);
    if page != right {
        let left = Path::new(env!("CARGO_TARGET_TMPDIR")).join("OPERATING.md");
        std::fs::write(&left, right).unwrap();
        panic!("docs/OPERATING.md does not say what the code does: cp {} docs/", left.display());
    }
}

#[test]
fn the_page_about_reasons_says_what_the_program_knows() {
    let mut table = "| reason | what happened | what to do |\n|---|---|---|\n".to_owned();
    for reason in Reason::ALL {
        let (meaning, remedy) = (reason.meaning(), reason.remedy());
        writeln!(table, "| `{reason}` | {meaning} | {remedy} |").unwrap();
    }
    expect("reasons", &table);
}

#[test]
fn the_page_about_server_errors_says_what_the_program_does() {
    let mut table = HEAD.to_owned();
    for error in SERVER_ERRORS {
        let does = match error.class.verdict() {
            Some((Verdict::Recycle, reason)) => format!("retries (`{reason}`)"),
            Some((Verdict::Config, reason)) => format!("ends with 78 (`{reason}`)"),
            Some((_, reason)) => format!("halts (`{reason}`)"),
            None => {
                "its text decides: the reasons above that name the binlog, the position or the \
                     server id"
                    .to_owned()
            }
        };
        let row = &mut table;
        writeln!(row, "| {} | {} | {} | {does} |", error.code, error.name, error.meaning).unwrap();
    }
    expect("server errors", &table);
}

#[test]
fn the_page_about_kafka_errors_says_what_the_program_does() {
    let mut table = HEAD.to_owned();
    for code in KAFKA_CODES {
        let does = code.meaning.does();
        writeln!(table, "| {} | {} | {} | {does} |", code.number, code.name, code.says).unwrap();
    }
    expect("kafka errors", &table);
}

#[test]
fn the_page_about_registry_errors_says_what_the_program_does() {
    let mut table = HEAD.to_owned();
    for status in REGISTRY_STATUSES {
        let does = status.meaning.does();
        writeln!(table, "| {status} | {} | {} | {does} |", status.name, status.says).unwrap();
    }
    expect("registry errors", &table);
}

#[test]
fn the_errors_have_the_names_that_the_server_gives_them() -> Result<()> {
    let mut setup = Setup::new("error_names")?;
    let rows = setup.database.texts(
        "SELECT error_number, error_name
         FROM performance_schema.events_errors_summary_global_by_error
         WHERE error_number IS NOT NULL",
    )?;
    let text = |cell: &Option<Vec<u8>>| {
        String::from_utf8_lossy(cell.as_deref().unwrap_or_default()).into_owned()
    };
    let names: BTreeMap<u16, String> = rows
        .iter()
        .map(|row| Ok((text(&row[0]).parse()?, text(&row[1]))))
        .collect::<Result<_>>()?;
    assert!(names.len() > 5_000, "only {} errors", names.len());
    let mut known = 0;
    for error in SERVER_ERRORS {
        if let Some(name) = names.get(&error.code) {
            assert_eq!(name, error.name, "{}", error.code);
            known += 1;
        }
    }
    assert!(known > 55, "only {known} of the errors are the server's");
    assert!(SERVER_ERRORS.is_sorted_by_key(|error| error.code));
    Ok(())
}
