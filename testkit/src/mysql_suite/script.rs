//! Which scripts there are, and what each expects of its server.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xtask::stack::WITHOUT_GTIDS;

use super::keep::whole;

/// The suites, in the order in which they are run.
const SUITES: [&str; 5] = ["json", "gis", "main", "parts", "innodb"];

/// How the names of the scripts start that run first: about text, types, DDL, triggers, foreign
/// keys, partitions.
const FIRST: [&str; 17] = [
    "ctype_",
    "type_",
    "alter_",
    "json",
    "create",
    "partition",
    "trigger",
    "foreign",
    "fk_",
    "insert",
    "update",
    "delete",
    "truncate",
    "default",
    "func_",
    "sp",
    "ddl",
];

/// Options that the suite's own driver understands, and no server.
const OF_DRIVER: [&str; 6] = [
    "--force-restart",
    "--testcase-timeout",
    "--nowarnings",
    "--no-console",
    "--timezone",
    "--result-file",
];

/// A script, or the reason why it is not run.
#[derive(Debug, Clone)]
pub struct Script {
    /// `suite.name`.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// What its server is started with.
    pub arguments: Vec<String>,
    /// Why it cannot be run here.
    pub unfit: Option<String>,
    /// Where it includes files from.
    folder: PathBuf,
}

/// All scripts whose name fits one of these patterns, separated by commas, in which `*` stands for
/// anything.
///
/// # Errors
/// When a folder cannot be read.
pub fn scripts(folder: &Path, patterns: &str) -> Result<Vec<Script>> {
    let disabled = fs::read_to_string(folder.join("collections/disabled.def"))?;
    let disabled: Vec<_> =
        disabled.lines().filter_map(|line| line.split([' ', '\t', ':', '@']).next()).collect();
    let mut scripts = Vec::new();
    for suite in SUITES {
        let tests = match suite {
            "main" => folder.join("t"),
            other => folder.join("suite").join(other).join("t"),
        };
        let entries = fs::read_dir(&tests).with_context(|| tests.display().to_string())?;
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "test") {
                continue;
            }
            let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
            let name = format!("{suite}.{stem}");
            if !patterns.split(',').any(|pattern| fits(pattern, &name)) {
                continue;
            }
            let mut script = Script::read(folder, name, path.clone())?;
            if disabled.contains(&script.name.as_str()) {
                script.unfit = Some("disabled by the suite itself".to_owned());
            }
            scripts.push(script);
        }
    }
    scripts.sort_by_cached_key(|script| (rank(&script.name), script.name.clone()));
    Ok(scripts)
}

impl Script {
    fn read(folder: &Path, name: String, path: PathBuf) -> Result<Self> {
        let options = path.with_extension("").display().to_string() + "-master.opt";
        let text = fs::read_to_string(options).unwrap_or_default();
        let places = [("$MYSQL_TEST_DIR", folder.display().to_string())];
        let folder = folder.to_owned();
        let mut script = Self { name, path, arguments: Vec::new(), unfit: None, folder };
        if script.path.with_extension("cnf").exists() {
            script.unfit = Some("needs a configuration with several servers".to_owned());
        }
        if script.mentions(&WITHOUT_GTIDS)? {
            let off = ["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"];
            script.arguments.extend(off.map(ToOwned::to_owned));
        }
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        for word in lines.flat_map(str::split_whitespace) {
            let word = places
                .iter()
                .fold(word.replace('"', ""), |word, (name, path)| word.replace(name, path));
            if word.contains('$') {
                script.unfit = Some(format!("needs {word}, which only the suite's driver has"));
            } else if word == "--initialize" {
                script.unfit = Some("needs a data folder made with other options".to_owned());
            } else if word.contains("skip-log-bin") || word.contains("skip_log_bin") {
                script.unfit = Some("runs without a binlog".to_owned());
            } else if !OF_DRIVER.iter().any(|option| word.starts_with(option)) {
                script.arguments.push(word);
            }
        }
        Ok(script)
    }

    /// Whether the script or a file that it includes contains one of these words.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn mentions(&self, words: &[&str]) -> Result<bool> {
        let text = whole(&self.folder, &self.path)?;
        let text = String::from_utf8_lossy(&text).to_lowercase();
        Ok(words.iter().any(|word| text.contains(word)))
    }
}

fn rank(name: &str) -> usize {
    let (suite, script) = name.split_once('.').unwrap_or(("", name));
    let first = FIRST.iter().position(|start| script.starts_with(start));
    match (suite, first) {
        ("json" | "gis" | "parts", _) => FIRST.len(),
        ("innodb", None) => FIRST.len() + 2,
        (_, Some(place)) => place,
        _ => FIRST.len() + 1,
    }
}

/// Whether a name fits a pattern in which `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            name.char_indices().any(|(place, _)| {
                name.split_at_checked(place).is_some_and(|(_, end)| fits(rest, end))
            }) || fits(rest, "")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::{fits, rank};

    #[test]
    fn patterns_stand_for_names() {
        for (pattern, name) in
            [("*", "main.a"), ("main.*", "main.a"), ("main.a*", "main.a"), ("*a*b", "main.ab")]
        {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("main.a", "main.ab"), ("json.*", "main.a"), ("*b", "main.a")] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn text_and_types_come_first() {
        assert!(rank("main.ctype_utf8") < rank("main.type_bit"));
        assert!(rank("main.alter_table") < rank("json.json_agg"));
        assert!(rank("json.json_agg") < rank("main.bigint"));
        assert!(rank("main.bigint") < rank("innodb.purge"));
    }
}
