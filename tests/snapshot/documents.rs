//! JSON documents in whose text strings look like times and bytes.

use serde_json::json;
use testkit::Result;

use crate::support::setup::Setup;

/// Values of the long documents, of which every other one is a string. More than MySQL's own search
/// for such strings gets through in a test's time.
const VALUES: u32 = 300_000;

#[test]
fn strings_that_look_like_times_are_read_as_they_came_however_many() -> Result<()> {
    // GIVEN documents that came with the stream
    let mut setup = Setup::new("snapshot_documents")?;
    setup.settings.set("snapshot.mode", "never");
    setup.settings.set("kafka.topic.config", json!({ "max.message.bytes": "100000000" }));
    setup.settings.set("kafka.properties", json!({ "queue.buffering.max.kbytes": "200000" }));
    setup.database.execute("CREATE TABLE documents (id INT PRIMARY KEY, document JSON)")?;
    setup.catch_up()?;
    let long = |function: &str| {
        format!(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {VALUES})
             SELECT {function} FROM n"
        )
    };
    let value = "JSON_EXTRACT(IF(n % 2, JSON_ARRAY('12:34:56.000000'), JSON_ARRAY(TIME'12:34:56')),
                 '$[0]')";
    let deep = "'12:34:56.500000', TIME'12:34:56.5', JSON_ARRAY(), JSON_OBJECT()";
    let deep = (0..60).fold(deep.to_owned(), |inner, depth| match depth % 3 {
        0 => format!("JSON_OBJECT('12:34:56.500000', JSON_ARRAY({inner})), '1:01:01.000000'"),
        1 => format!("JSON_ARRAY({inner}), TIME'1:01:01', 'base64:type252:AAEC', x'000102'"),
        _ => format!("JSON_OBJECT(), JSON_ARRAY(), '1:01:01.000000', JSON_ARRAY({inner}), NULL"),
    });
    setup.database.execute_all(&[
        &format!("SET cte_max_recursion_depth = {VALUES}"),
        &format!("INSERT INTO documents {}", long(&format!("1, JSON_ARRAYAGG({value})"))),
        &format!("INSERT INTO documents {}", long(&format!("2, JSON_OBJECTAGG(n, {value})"))),
        &format!("INSERT INTO documents SELECT 3, JSON_ARRAY({deep})"),
        r#"INSERT INTO documents VALUES (4, '"12:34:56.000000"'), (5, '"base64:type252:AAEC"'),
           (6, CAST(TIME'12:34:56' AS JSON)), (7, CAST(x'000102' AS JSON)), (8, NULL)"#,
    ])?;
    setup.catch_up()?;
    // WHEN they are read
    setup.settings.set("snapshot.mode", "initial");
    setup.catch_up()?;
    // THEN they are the same
    let records = setup.records("documents")?;
    let rows = |operation: &str| {
        let records = records.iter().filter(|record| record.operation() == operation);
        records.map(|record| record.after().clone()).collect::<Vec<_>>()
    };
    let (streamed, read) = (rows("c"), rows("r"));
    assert_eq!((streamed.len(), read.len()), (8, 8));
    for (streamed, read) in streamed.iter().zip(&read) {
        // A long document says nothing in a message.
        assert!(streamed == read, "the document {}", streamed["id"]);
    }
    Ok(())
}
