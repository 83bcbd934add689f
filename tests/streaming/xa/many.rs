//! Many XA transactions at once.

use super::*;

const COUNT: u32 = 1_000;

#[test]
fn a_thousand_that_wait_are_remembered_and_each_comes_at_its_commit() -> Result<()> {
    // GIVEN a thousand prepared transactions, every other one behind an ordinary one
    let (_mysql, mut setup) = source("xa_many", &[])?;
    setup.catch_up()?;
    for id in 1..=COUNT {
        let statement = format!("INSERT INTO items VALUES ({id}, 'one of many')");
        prepare(&mut setup.database, &format!("a transaction of many {id:020}"), &statement)?;
        if id % 2 == 0 {
            setup.database.execute(&format!("INSERT INTO items VALUES ({}, NULL)", COUNT + id))?;
        }
    }
    // WHEN a run ends while all of them wait, and they are finished in another order: every third
    // one is rolled back
    setup.catch_up()?;
    let saved = positions(&setup)?.pop().unwrap();
    eprintln!("a record with {COUNT} pending has {} bytes", saved.to_string().len());
    assert_eq!(saved["pending_xa"].as_array().map(Vec::len), usize::try_from(COUNT).ok());
    let mut expected: Vec<u32> = (1..=COUNT / 2).map(|half| COUNT + 2 * half).collect();
    for step in 0..COUNT {
        // Coprime to the count: each comes once.
        let id = step * 7 % COUNT + 1;
        let verb = if id.is_multiple_of(3) { "ROLLBACK" } else { "COMMIT" };
        setup.database.execute(&format!("XA {verb} 'a transaction of many {id:020}'"))?;
        if !id.is_multiple_of(3) {
            expected.push(id);
        }
    }
    setup.catch_up()?;
    // THEN the rows come in the order of the commits, and nothing waits any more
    let expected: Vec<_> = expected.into_iter().map(|id| json!(id)).collect();
    assert!(ids(&setup)? == expected, "rows are lost, doubled or out of order");
    assert_eq!(pending(&setup)?, [Value::Null; 0]);
    Ok(())
}

#[test]
fn a_busy_source_of_xa_transactions_is_kept_up_with() -> Result<()> {
    // GIVEN a source that does nothing else
    let (_mysql, mut setup) = source("xa_busy", &[])?;
    let connector = setup.start()?;
    let connections = "SELECT variable_value FROM performance_schema.global_status
        WHERE variable_name = 'Connections'";
    let before: u64 = setup.database.value(connections)?;
    for id in 1..=300 {
        let (xid, statement) =
            (format!("busy {id}"), format!("INSERT INTO items VALUES ({id}, 'x')"));
        prepare(&mut setup.database, &xid, &statement)?;
        setup.database.execute(&format!("XA COMMIT '{xid}'"))?;
    }
    // THEN all come, in order
    let records = setup.consumer("items")?.take(300)?;
    let ids: Vec<_> = records.iter().map(|record| record.after()["id"].as_i64()).collect();
    assert_eq!(ids, (1..=300).map(Some).collect::<Vec<_>>());
    let said = connector.stderr();
    assert!(!said.contains("trying again"), "{said}");
    // AND small ones need no connection of their own
    let opened = setup.database.value::<u64>(connections)? - before;
    assert!(opened < 10, "{opened} connections were opened");
    Ok(())
}
