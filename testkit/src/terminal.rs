//! A terminal that a program prints to, and what stands on its screen.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Result;
use nix::pty::{Winsize, openpty};

/// Wide enough for any line of a log: a line of the screen is a line.
const COLUMNS: u16 = 1000;

/// Ctrl-S and Ctrl-Q, as the keyboard sends them.
const STOP: u8 = 0x13;
const GO_ON: u8 = 0x11;

/// A pseudo-terminal, see pty(7). A thread reads what is printed until no process can print more.
pub struct Terminal {
    keyboard: File,
    /// What programs print to.
    tty: OwnedFd,
    printed: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// An empty one.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn open() -> Result<Self> {
        let size = Winsize { ws_row: 50, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None)?;
        let mut reader = File::from(pty.master);
        let keyboard = reader.try_clone()?;
        let printed = Arc::new(Mutex::new(Vec::new()));
        let printed_in = Arc::clone(&printed);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // It fails when the last program has closed it.
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                lock(&printed_in).extend(bytes.iter().take(count));
            }
        });
        Ok(Self { keyboard, tty: pty.slave, printed })
    }

    /// The end that a program prints to.
    ///
    /// # Errors
    /// When the system has no file left to give.
    pub fn stdio(&self) -> Result<Stdio> {
        Ok(self.tty.try_clone()?.into())
    }

    /// Presses Ctrl-S: a process that prints waits from now on.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn stop(&mut self) -> Result<()> {
        Ok(self.keyboard.write_all(&[STOP])?)
    }

    /// Presses Ctrl-Q.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn go_on(&mut self) -> Result<()> {
        Ok(self.keyboard.write_all(&[GO_ON])?)
    }

    /// All that was printed so far, control sequences included.
    pub fn printed(&self) -> String {
        String::from_utf8_lossy(&lock(&self.printed)).into_owned()
    }

    /// What stands on the screen, from the first line ever printed to the last one.
    pub fn lines(&self) -> Vec<String> {
        lines(&self.printed())
    }
}

fn lock(printed: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    printed.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does what a terminal does, as far as bars need it: line feed, carriage return, up (`A`), down
/// (`B`), erase in the line (`K`), and a character after a full line begins the next one; see
/// console_codes(4). Other sequences, such as colors, change no text.
fn lines(printed: &str) -> Vec<String> {
    let mut lines: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0_usize, 0);
    let mut characters = printed.chars();
    while let Some(character) = characters.next() {
        let Some(line) = lines.get_mut(row) else { break };
        match character {
            '\n' => row += 1,
            '\r' => column = 0,
            '\u{1b}' => {
                // `[`, a number, a letter.
                let mut number = String::new();
                let end = characters.by_ref().skip(1).find(|character| {
                    number.extend(character.is_ascii_digit().then_some(*character));
                    character.is_ascii_alphabetic()
                });
                match end {
                    Some('A') => row = row.saturating_sub(number.parse().unwrap_or(1)),
                    Some('B') => row += number.parse().unwrap_or(1),
                    Some('K') if number == "2" => line.clear(),
                    Some('K') => line.truncate(column),
                    _ => {}
                }
            }
            other => {
                if column == usize::from(COLUMNS) {
                    (row, column) = (row + 1, 0);
                    lines.resize(lines.len().max(row + 1), Vec::new());
                }
                let Some(line) = lines.get_mut(row) else { break };
                line.resize(line.len().max(column + 1), ' ');
                line.splice(column..=column, [other]);
                column += 1;
            }
        }
        lines.resize(lines.len().max(row + 1), Vec::new());
    }
    lines.iter().map(|line| line.iter().collect::<String>().trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS, lines};

    #[test]
    fn what_is_drawn_over_is_gone() {
        let printed = "one\r\n\u{1b}[32mtwo\u{1b}[0m\r\nthree\r\u{1b}[2K\u{1b}[1A\u{1b}[2KTWO";
        assert_eq!(lines(printed), ["one", "TWO", ""]);
        assert_eq!(lines("abc\rx\u{1b}[K"), ["x"]);
        let full = " ".repeat(COLUMNS.into());
        assert_eq!(lines(&format!("a\r\n{full}b\u{1b}[2Ax\u{1b}[Bz")), ["ax", "  z", "b"]);
    }
}
