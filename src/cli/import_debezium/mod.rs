//! `tailwater import-debezium`: a configuration file out of a Debezium MySQL connector's, and the
//! command that continues where it stopped.
//!
//! Each option of the connector ends in one of three ways: its value is taken over, it has nothing
//! to do here, or consumers would notice that it is gone. The file has a line about each of the
//! last two kinds, and no secret: passwords become names of environment variables.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;

use self::{connector::ConnectorOptions, offset::Offset, translation::Translation};
use super::say::say;
use crate::error::{Failure, Reason, Verdict};

mod connector;
mod offset;
mod pattern;
mod remaining;
mod translation;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    curl -s connect:8083/connectors/shop/config > shop.json\n  \
    curl -s connect:8083/connectors/shop/offsets > offsets.json\n  \
    tailwater import-debezium shop.json --offset offsets.json --out tailwater.toml")]
pub(super) struct ImportArguments {
    /// The connector's configuration: JSON, as Kafka Connect's REST API gives and takes it, or a
    /// properties file.
    #[arg(value_name = "CONNECTOR")]
    connector: PathBuf,

    /// The connector's stored offset as JSON, as GET /connectors/NAME/offsets gives it or as the
    /// value of its record in the offsets topic: prints the command that continues there.
    #[arg(long, value_name = "FILE")]
    offset: Option<PathBuf>,

    /// File to write; the standard output if left out. An existing file is not replaced.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Translates the files. Returns whether consumers would notice no difference.
pub(super) fn run(arguments: &ImportArguments) -> Result<bool, Failure> {
    let ImportArguments { connector, offset, out } = arguments;
    let options = ConnectorOptions::parse(&read(connector)?).map_err(|message| {
        refused(format!("{} is not a connector's configuration: {message}", connector.display()))
    })?;
    let translation = Translation::of(options, offset.is_some());
    let offset = offset.as_deref().map(|path| read_offset(path, &translation.name)).transpose()?;
    let text = translation.text(&connector.display().to_string());
    match out {
        Some(path) => {
            let written = fs::File::create_new(path)
                .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
            written
                .map_err(|error| refused(format!("cannot write {}: {error}", path.display())))?;
            say(&format!("written: {}", path.display()));
            translation.differences().iter().for_each(|line| say(&format!("differs: {line}")));
        }
        None => say(text.trim_end()),
    }
    if let Some(offset) = offset {
        // Lines of the file, where the file is what is printed.
        let start = if out.is_some() { "" } else { "# " };
        offset.advice().iter().for_each(|line| say(&format!("{start}{line}")));
    }
    Ok(translation.differences().is_empty())
}

fn read_offset(path: &Path, name: &str) -> Result<Offset, Failure> {
    Offset::parse(&read(path)?, name)
        .map_err(|message| refused(format!("{}: {message}", path.display())))
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path)
        .map_err(|error| refused(format!("cannot read {}: {error}", path.display())))
}

fn refused(message: String) -> Failure {
    Failure::new(Verdict::Config, Reason::Config, message)
}
