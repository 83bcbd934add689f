//! Where a Debezium connector stopped, by its stored offset.
//!
//! Kafka Connect stores `{"file":…,"pos":…,"gtids":…,"event":…,"row":…}` under
//! `["connector",{"server":"prefix"}]`. `pos` and `gtids` are before the source transaction that was
//! being read; `event` and `row` say how far into it (Debezium's `BinlogOffsetContext`).

use serde_json::Value;

/// A stored offset.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Offset {
    file: String,
    pos: u64,
    gtids: Option<String>,
    /// Whether the connector stopped inside a source transaction.
    is_inside: bool,
}

impl Offset {
    /// Reads what the REST API answers, one entry of it, or the value of a record.
    pub(super) fn parse(text: &str, name: &str) -> Result<Self, String> {
        if !text.trim_start().starts_with(['{', '[']) {
            return Err(
                "this is not JSON; Kafka Connect prints it: GET /connectors/NAME/offsets".into()
            );
        }
        let json: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let entries = json.get("offsets").unwrap_or(&json);
        let entry = match entries.as_array() {
            None => entries,
            Some(entries) => {
                let server = |entry: &&Value| {
                    entry.pointer("/partition/server").and_then(Value::as_str) == Some(name)
                };
                entries.iter().find(server).ok_or_else(|| {
                    format!(
                        "it has no offset of the server `{name}` (the connector's topic.prefix)"
                    )
                })?
            }
        };
        let offset = entry.get("offset").unwrap_or(entry);
        let is_set =
            |value: &Value| !matches!(value, Value::Null | Value::Bool(false)) && value != "false";
        if offset.get("snapshot").is_some_and(is_set) {
            return Err(
                "Debezium's snapshot had not ended; let it end, or start without --offset, \
                        with `[snapshot] mode = \"initial\"`"
                    .into(),
            );
        }
        let file = offset.get("file").and_then(Value::as_str).ok_or("it has no `file`")?;
        let pos = offset.get("pos").and_then(Value::as_u64).ok_or("it has no `pos`")?;
        let gtids = offset.get("gtids").and_then(Value::as_str).filter(|set| !set.is_empty());
        let is_inside = ["event", "row"]
            .iter()
            .any(|key| offset.get(key).and_then(Value::as_u64).is_some_and(|number| 0 < number));
        // Debezium keeps the line breaks of a long set.
        let gtids = gtids.map(|set| set.split_whitespace().collect());
        Ok(Self { file: file.to_owned(), pos, gtids, is_inside })
    }

    /// The command that continues there, and what to know before.
    pub(super) fn advice(&self) -> Vec<String> {
        let place = match &self.gtids {
            Some(set) => format!("'{set}'"),
            None => format!("{}:{}", self.file, self.pos),
        };
        let mut lines = vec![
            "Debezium must be stopped (PUT /connectors/NAME/stop). Then continue where it was:"
                .into(),
            format!("  tailwater position set {place} --execute"),
            "  tailwater run".into(),
        ];
        if self.is_inside {
            lines.push(
                "It stopped inside a source transaction: the records of it that were sent come again."
                    .into(),
            );
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::Offset;

    const OFFSET: &str = r#"{"ts_sec":1764500000,"file":"binlog.000042","pos":157,
        "gtids":"0e4d0000-0000-0000-0000-000000000001:1-5,\n0e4d0000-0000-0000-0000-000000000002:1","server_id":1,"event":0}"#;

    #[test]
    fn the_same_offset_is_read_in_each_form() {
        let entry = format!(r#"{{"partition":{{"server":"shop"}},"offset":{OFFSET}}}"#);
        let other = OFFSET.replace("000042", "000001");
        let other = format!(r#"{{"partition":{{"server":"crm"}},"offset":{other}}}"#);
        for text in [
            OFFSET.to_owned(),
            entry.clone(),
            format!("[{other},{entry}]"),
            format!(r#"{{"offsets":[{other},{entry}]}}"#),
        ] {
            let advice = Offset::parse(&text, "shop").unwrap().advice().join("\n");
            let set =
                "0e4d0000-0000-0000-0000-000000000001:1-5,0e4d0000-0000-0000-0000-000000000002:1";
            assert!(advice.contains(&format!("position set '{set}' --execute")), "{advice}");
            assert!(!advice.contains("inside"), "{advice}");
        }
    }

    #[test]
    fn without_gtids_the_file_counts_and_a_started_transaction_is_told() {
        let text = r#"{"file":"binlog.000042","pos":157,"row":2,"event":3}"#;
        let advice = Offset::parse(text, "shop").unwrap().advice().join("\n");
        assert!(advice.contains("position set binlog.000042:157 --execute"), "{advice}");
        assert!(advice.contains("inside a source transaction"), "{advice}");
    }

    #[test]
    fn what_is_no_place_to_continue_is_refused() {
        for (text, said) in [
            ("\u{0}\u{5}", "not JSON"),
            ("{}", "no `file`"),
            (r#"{"file":"a"}"#, "no `pos`"),
            (r#"{"offsets":[]}"#, "no offset of the server `shop`"),
            (r#"{"file":"a","pos":4,"snapshot":"INITIAL"}"#, "snapshot had not ended"),
            (r#"{"file":"a","pos":4,"snapshot":true}"#, "snapshot had not ended"),
        ] {
            let error = Offset::parse(text, "shop").unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
