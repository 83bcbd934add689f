//! Which environment variables are settings: `TAILWATER_MYSQL__HOST` is `mysql.host`.

/// What all of them start with.
const PREFIX: &str = "TAILWATER_";

/// The sections of the file, as variables spell them.
const SECTIONS: [&str; 8] =
    ["MYSQL", "CAPTURE", "SNAPSHOT", "KAFKA", "SCHEMA_REGISTRY", "FORMAT", "DELIVERY", "ADMIN"];

/// Variables of the project's own tools and tests.
const OF_TOOLS: [&str; 12] = [
    "BIN",
    "CACHE",
    "FAILPOINT",
    "OLD_BIN",
    "ORACLE_TABLES",
    "SEARCH_BYTES",
    "SEED",
    "STACK",
    "TAKEOVERS",
    "TRANSACTION_MIB",
    "UPGRADES",
    "WORLDS",
];

/// What a variable of the environment is.
pub(super) enum VariableKind {
    /// It sets the key at this path.
    Setting(Vec<String>),
    /// It looks like a setting and is none, for this reason.
    Unknown(String),
    /// It is none of ours.
    Other,
}

/// What a variable is.
pub(super) fn read(name: &str, value: &str) -> VariableKind {
    if let Some(keys) = keys(name) {
        return VariableKind::Setting(keys);
    }
    let Some(rest) = name.strip_prefix(PREFIX) else { return VariableKind::Other };
    if OF_TOOLS.contains(&rest) || rest == "WITHOUT_RULE" || is_of_kubernetes(rest, value) {
        return VariableKind::Other;
    }
    let of_section = SECTIONS.iter().find_map(|section| {
        let key = rest.strip_prefix(section)?.strip_prefix('_')?;
        Some(format!("did you mean {PREFIX}{section}__{key}, with two underscores?"))
    });
    let form = || {
        format!("settings are {PREFIX}NAME and {PREFIX}SECTION__KEY, such as {PREFIX}MYSQL__HOST")
    };
    let hint = of_section.unwrap_or_else(form);
    VariableKind::Unknown(format!("environment variable {name} is no setting; {hint}"))
}

/// The path of the key that a variable sets, if it has the form of a setting.
pub(super) fn keys(name: &str) -> Option<Vec<String>> {
    let rest = name.strip_prefix(PREFIX)?;
    let keys: Vec<String> = rest.split("__").map(str::to_ascii_lowercase).collect();
    (keys.len() > 1 || rest == "NAME").then_some(keys)
}

/// Kubernetes gives every container the addresses of the services of its namespace, so those of a
/// service named `tailwater` have our prefix: `TAILWATER_SERVICE_HOST`, `TAILWATER_PORT` =
/// `tcp://10.0.0.1:9464`, `TAILWATER_PORT_9464_TCP_ADDR` (Kubernetes documentation, "Accessing the
/// Service", environment variables).
fn is_of_kubernetes(rest: &str, value: &str) -> bool {
    rest.ends_with("SERVICE_HOST")
        || rest.contains("SERVICE_PORT")
        || rest.contains("_TCP")
        || rest.contains("_UDP")
        || (rest.ends_with("PORT") && value.contains("://"))
}

#[cfg(test)]
mod tests {
    use super::{VariableKind, read};

    fn kind(name: &str, value: &str) -> String {
        match read(name, value) {
            VariableKind::Setting(keys) => keys.join("."),
            VariableKind::Unknown(fault) => fault,
            VariableKind::Other => "other".to_owned(),
        }
    }

    #[test]
    fn a_misspelt_variable_is_answered_with_the_right_form() {
        assert_eq!(kind("TAILWATER_MYSQL__HOST", "x"), "mysql.host");
        assert_eq!(kind("TAILWATER_NAME", "x"), "name");
        for (name, hint) in [
            ("TAILWATER_MYSQL_HOST", "did you mean TAILWATER_MYSQL__HOST, with two underscores?"),
            (
                "TAILWATER_SCHEMA_REGISTRY_URL",
                "did you mean TAILWATER_SCHEMA_REGISTRY__URL, with two underscores?",
            ),
            ("TAILWATER_MYSQL_PORT", "did you mean TAILWATER_MYSQL__PORT, with two underscores?"),
            (
                "TAILWATER_HOST",
                "settings are TAILWATER_NAME and TAILWATER_SECTION__KEY, such as \
                 TAILWATER_MYSQL__HOST",
            ),
        ] {
            let expected = format!("environment variable {name} is no setting; {hint}");
            assert_eq!(kind(name, "3306"), expected);
        }
    }

    #[test]
    fn variables_of_others_are_no_settings() {
        for (name, value) in [
            ("PATH", "/bin"),
            ("TAILWATER_STACK", "/tmp/address.json"),
            ("TAILWATER_SERVICE_HOST", "10.0.0.1"),
            ("TAILWATER_ADMIN_SERVICE_PORT_HTTP", "9464"),
            ("TAILWATER_ADMIN_PORT", "tcp://10.0.0.1:9464"),
            ("TAILWATER_PORT_9464_TCP_ADDR", "10.0.0.1"),
        ] {
            assert_eq!(kind(name, value), "other", "{name}");
        }
    }
}
