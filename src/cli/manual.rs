//! `tailwater completions` and `tailwater man`: made of the arguments themselves.

use std::io::{self, Write as _};

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{arguments::Arguments, version};

/// Prints a shell's script.
pub(super) fn print_completions(shell: Shell) -> io::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "tailwater", &mut text);
    print(&text)
}

/// Prints the manual page of the program, with a section for each command.
pub(super) fn print_manual() -> io::Result<()> {
    let mut text = Vec::new();
    let program = Arguments::command().long_version(version::SHORT);
    let commands: Vec<clap::Command> = program.get_subcommands().cloned().collect();
    clap_mangen::Man::new(program).render(&mut text)?;
    for command in commands {
        let name = format!("tailwater {}", command.get_name());
        writeln!(text, ".SH \"{}\"", name.to_uppercase())?;
        let page = clap_mangen::Man::new(command.display_name(name));
        page.render_synopsis_section(&mut text)?;
        page.render_description_section(&mut text)?;
        page.render_options_section(&mut text)?;
    }
    print(&text)
}

/// A reader that closes its end has what it wanted.
fn print(text: &[u8]) -> io::Result<()> {
    match io::stdout().lock().write_all(text) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
