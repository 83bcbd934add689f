//! What a position has besides its place: XA transactions that wait for their outcome, transactions
//! delivered in part, requested skips.

use testkit::Result;

use super::{ITEMS, assert_says, ids, insert, printed, show};
use crate::support::setup::Setup;

#[test]
fn rows_of_a_prepared_transaction_come_with_its_commit_wherever_the_position_is_set() -> Result<()>
{
    for (goes_back, dropped) in [(false, true), (true, false)] {
        let mut setup = Setup::with_tables("position_xa", &[ITEMS])?;
        setup.catch_up()?;
        // GIVEN an XA transaction that waits for its outcome, and rows behind it
        let xid = format!("'{}'", setup.database.name());
        setup.database.execute_all(&[
            &format!("XA START {xid}"),
            "INSERT INTO items VALUES (1)",
            &format!("XA END {xid}"),
            &format!("XA PREPARE {xid}"),
        ])?;
        let mut others = setup.database.connect_again()?;
        let shown = show(&setup)?;
        let behind = shown["source"]["gtid_set"].as_str().unwrap().to_owned();
        others.execute("INSERT INTO items VALUES (2)")?;
        setup.catch_up()?;
        assert_says(&printed(&setup, &["show"])?, &["prepared 1 XA transactions wait"]);
        // WHEN the position goes forward, or back to just behind it
        others.execute("INSERT INTO items VALUES (3)")?;
        let target = if goes_back { behind.as_str() } else { "--to-current" };
        let set = printed(&setup, &["set", target, "--execute"])?;
        let words = "Dropped from the saved position: 1 prepared XA transaction(s).";
        assert_eq!(set.contains(words), dropped, "{set}");
        setup.database.execute(&format!("XA COMMIT {xid}"))?;
        insert(&mut setup, [4])?;
        setup.catch_up()?;
        // THEN its rows come once, when it is committed
        let expected: &[u64] = if goes_back { &[2, 2, 3, 1, 4] } else { &[2, 1, 4] };
        assert_eq!(ids(&setup)?, expected);
    }
    Ok(())
}

#[test]
fn a_transaction_in_part_comes_whole_after_a_step_back_and_not_at_all_after_one_forward()
-> Result<()> {
    for goes_back in [true, false] {
        let mut setup = Setup::with_tables("position_part", &[ITEMS])?;
        setup.settings.set("delivery.batch_bytes_max", 30_000);
        setup.catch_up()?;
        let start = show(&setup)?["position"]["gtid_set"].as_str().unwrap().to_owned();
        insert(&mut setup, [50_000])?;
        setup.database.execute("SET cte_max_recursion_depth = 10000")?;
        // GIVEN a connector that ended inside a transaction
        setup.database.execute(
            "INSERT INTO items WITH RECURSIVE ids (id) AS
                (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 6000)
                SELECT id FROM ids",
        )?;
        setup.settings.set_environment("TAILWATER_FAILPOINT", "committed:3");
        setup.launch()?.wait_for_exit()?;
        setup.settings.unset_environment("TAILWATER_FAILPOINT");
        let in_part: usize = ids(&setup)?.len() - 1;
        assert!((1..6000).contains(&in_part), "{in_part}");
        assert_says(&printed(&setup, &["show"])?, &["in part", "rows are delivered"]);
        // WHEN the position is set elsewhere
        let target = if goes_back { start.as_str() } else { "--to-current" };
        let set = printed(&setup, &["set", target, "--execute"])?;
        assert_says(&set, &["1 transaction(s) delivered in part", "Consumers keep the rows"]);
        setup.catch_up()?;
        // THEN it comes whole, or its other rows never come
        let after = ids(&setup)?.split_off(1 + in_part);
        let expected: Vec<u64> = [50_000].into_iter().chain(1..=6000).collect();
        assert_eq!(after, if goes_back { expected } else { Vec::new() });
    }
    Ok(())
}
