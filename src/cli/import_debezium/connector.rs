//! The options of a connector, each read at most once.

use std::collections::BTreeMap;

use serde_json::Value;

/// The options that are not read yet.
pub(super) struct ConnectorOptions(BTreeMap<String, String>);

impl ConnectorOptions {
    /// Reads JSON (`{"name": …, "config": {…}}` or the configuration alone) or a properties file.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if !text.trim_start().starts_with('{') {
            return Self::of_properties(text);
        }
        let json: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let config = json.get("config").unwrap_or(&json);
        let config = config.as_object().ok_or("`config` is not an object")?;
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Self::checked(config.iter().map(|(name, value)| (name.clone(), text(value))).collect())
    }

    /// `name=value` or `name: value` a line, as Java reads it; a backslash before the end of a line
    /// joins it with the next one.
    fn of_properties(text: &str) -> Result<Self, String> {
        let joined = text.replace("\\\r\n", "").replace("\\\n", "");
        let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty());
        let lines = lines.filter(|line| !line.starts_with(['#', '!']));
        let mut options = BTreeMap::new();
        for line in lines {
            let (name, value) = line.split_once(['=', ':']).ok_or_else(|| {
                format!("a line without `=`: {}", line.split(' ').next().unwrap_or_default())
            })?;
            // Java's properties write `\\` for a backslash.
            let value = value.trim().replace("\\\\", "\\");
            options.insert(name.trim().to_owned(), value);
        }
        Self::checked(options)
    }

    fn checked(options: BTreeMap<String, String>) -> Result<Self, String> {
        match options.get("connector.class").map(String::as_str) {
            Some(class)
                if class.contains("MySqlConnector") || class.contains("MariaDbConnector") =>
            {
                Ok(Self(options))
            }
            Some(class) => {
                Err(format!("its class is {class}, not io.debezium.connector.mysql.MySqlConnector"))
            }
            None => Err("it has no `connector.class`".to_owned()),
        }
    }

    /// An option's value, with `${env:…}` and the like as they are.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// All options whose names start so, without this start.
    pub(super) fn take_all(&mut self, start: &str) -> BTreeMap<String, String> {
        let is_one = |name: &String| name.starts_with(start);
        let names: Vec<String> = self.0.keys().filter(|name| is_one(name)).cloned().collect();
        let taken = names.into_iter().filter_map(|name| {
            let value = self.0.remove(&name)?;
            Some((name.strip_prefix(start)?.to_owned(), value))
        });
        taken.collect()
    }

    /// What was not read.
    pub(super) fn remaining(self) -> impl Iterator<Item = (String, String)> {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::ConnectorOptions;

    #[test]
    fn json_and_properties_have_the_same_options() {
        let class = "io.debezium.connector.mysql.MySqlConnector";
        for text in [
            format!(r#"{{"name":"a","config":{{"connector.class":"{class}","x":3,"y":"a\\.b"}}}}"#),
            format!(r#"{{"connector.class":"{class}","x":"3","y":"a\\.b"}}"#),
            format!("# a\nconnector.class={class}\nx = \\\n3\ny: a\\\\.b\n"),
        ] {
            let mut options = ConnectorOptions::parse(&text).unwrap();
            assert_eq!(options.take("x").as_deref(), Some("3"), "{text}");
            assert_eq!(options.take("y").as_deref(), Some("a\\.b"), "{text}");
            assert_eq!(options.take("y"), None);
        }
    }

    #[test]
    fn what_is_no_mysql_connector_is_refused() {
        for (text, said) in [
            ("{", "EOF"),
            ("{}", "no `connector.class`"),
            (
                r#"{"connector.class":"io.debezium.connector.postgresql.PostgresConnector"}"#,
                "Postgres",
            ),
            ("hello", "a line without `=`: hello"),
        ] {
            let Err(message) = ConnectorOptions::parse(text) else { panic!("{text}") };
            assert!(message.contains(said), "{message}");
        }
    }
}
