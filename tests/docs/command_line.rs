//! What the program says of itself: version, help, completions, manual page, and a wrong log level.

use std::path::Path;
use std::process::{Command, Output};

use testkit::Result;

use crate::support::setup::program;

/// What the program prints with these arguments, and its exit code.
fn run(arguments: &[&str]) -> Result<(String, Option<i32>)> {
    let Output { status, stdout, stderr } = Command::new(program()).args(arguments).output()?;
    let text = [stdout, stderr].concat();
    Ok((String::from_utf8(text)?, status.code()))
}

#[test]
fn the_version_names_the_libraries_and_their_features() -> Result<()> {
    let (text, code) = run(&["--version"])?;
    assert_eq!(code, Some(0));
    assert!(text.starts_with(concat!("tailwater ", env!("CARGO_PKG_VERSION"))), "{text}");
    for expected in ["librdkafka   ", "TLS          OpenSSL ", "SASL         PLAIN, SCRAM", "zstd"]
    {
        assert!(text.contains(expected), "{text}");
    }
    Ok(())
}

#[test]
fn every_command_is_in_the_manual_page_and_in_the_completions_of_every_shell() -> Result<()> {
    let (help, _) = run(&["--help"])?;
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    // A line that continues a description is indented further.
    let names = commands.lines().filter_map(|line| line.strip_prefix("  "));
    let names = names.filter(|line| !line.starts_with(' '));
    let commands: Vec<&str> = names.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.contains(&"run") && commands.contains(&"man"), "{commands:?}");
    let (manual, code) = run(&["man"])?;
    assert_eq!(code, Some(0));
    for command in &commands {
        let name = format!("tailwater-{command}").replace('-', "\\-");
        assert!(manual.contains(&name), "{command}: {manual}");
    }
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (script, code) = run(&["completions", shell])?;
        assert_eq!(code, Some(0));
        for command in &commands {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    Ok(())
}

#[test]
fn the_effective_configuration_is_one_that_can_be_used_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (first, second) = (folder.path().join("first.toml"), folder.path().join("second.toml"));
    let text = "name = \"shop\"\nmysql = { host = \"db\", user = \"u\", password = \"hunter2\" }\n\
                capture = { tables = [\"shop.*\"] }\nkafka = { bootstrap_servers = \"b:9092\" }\n\
                schema_registry = { url = \"http://r:8081\" }\nsnapshot = { mode = \"never\" }\n";
    std::fs::write(&first, text)?;
    let show = |file: &Path| run(&["config", "show", "--config", file.to_str().unwrap()]);
    let (shown, code) = show(&first)?;
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    for (value, origin) in [("mode = \"never\" ", "# line 6"), ("port = 3306 ", "# default")] {
        let is_shown = |line: &str| line.starts_with(value) && line.ends_with(origin);
        assert!(shown.lines().any(is_shown), "{value}: {shown}");
    }
    // What is printed is a file with the same values.
    std::fs::write(&second, &shown)?;
    let values = |text: &str| -> Vec<String> {
        text.lines().filter_map(|line| Some(line.split_once(" #")?.0.trim().to_owned())).collect()
    };
    assert_eq!(values(&show(&second)?.0), values(&shown));
    Ok(())
}

#[test]
fn a_log_level_that_is_none_is_refused_with_the_levels() -> Result<()> {
    for (level, named) in [("verbose", "`verbose`"), ("info,quiet", "`quiet`"), ("a=b", "a=b")] {
        let (text, code) = run(&["--log", level, "run"])?;
        assert_eq!(code, Some(64), "{text}");
        assert!(text.contains(named), "{text}");
    }
    for level in ["INFO", "warn,tailwater::mysql=debug", "tailwater=trace", "off"] {
        // The level is right, and there is no file.
        let (text, code) = run(&["--log", level, "run", "--config", "/no/such/file"])?;
        assert_eq!(code, Some(78), "{text}");
    }
    Ok(())
}
