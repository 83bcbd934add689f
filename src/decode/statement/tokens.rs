//! Splits a statement's text into words, names, texts and symbols.
//!
//! It knows just enough of MySQL's lexer to see which words are code: comments, the code inside
//! `/*! … */`, three kinds of quotes, escapes, and double-byte characters whose second byte looks
//! like a backslash or a quote.

use crate::decode::event::query::Dialect;

/// One piece of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword, an unquoted name or a number.
    Word(&'a [u8]),
    /// A quoted name, without its quotes; a doubled quote inside it is still doubled.
    Name(&'a [u8], u8),
    /// A text in quotes.
    Text,
    /// Any other character.
    Symbol(u8),
}

/// A quote or a comment that does not end, or a name in an unknown character set.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// The pieces of a statement, in order.
#[derive(Clone, Debug)]
pub(super) struct Tokens<'a> {
    rest: &'a [u8],
    dialect: Dialect,
    /// Whether the text is inside a comment that the server runs.
    in_code_comment: bool,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a [u8], dialect: Dialect) -> Self {
        Self { rest: text, dialect, in_code_comment: false }
    }

    /// The text that is not split yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next piece; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Token<'a>>, Unreadable> {
        loop {
            let Some((&first, after)) = self.rest.split_first() else {
                return Ok(None);
            };
            match first {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | 0 => self.rest = after,
                b'#' => self.skip_line(),
                b'-' if starts_dash_comment(after) => self.skip_line(),
                b'/' if after.starts_with(b"*") => self.comment()?,
                b'*' if self.in_code_comment && after.starts_with(b"/") => {
                    self.in_code_comment = false;
                    self.rest = after.get(1..).unwrap_or_default();
                }
                b'`' => return self.name(after, b'`').map(Some),
                b'"' if self.dialect.ansi_quotes => return self.name(after, b'"').map(Some),
                b'"' | b'\'' => {
                    self.rest = self.text_end(after, first)?;
                    return Ok(Some(Token::Text));
                }
                _ if is_word(first) => {
                    let (word, rest) = self.rest.split_at(self.word_bytes());
                    self.rest = rest;
                    return Ok(Some(Token::Word(word)));
                }
                _ => {
                    self.rest = after;
                    return Ok(Some(Token::Symbol(first)));
                }
            }
        }
    }

    fn skip_line(&mut self) {
        let end = self.rest.iter().position(|&byte| byte == b'\n').unwrap_or(self.rest.len());
        self.rest = self.rest.get(end..).unwrap_or_default();
    }

    /// Goes past a comment, or into one that holds code: `/*!` and a version's five or six digits.
    fn comment(&mut self) -> Result<(), Unreadable> {
        let inside = self.rest.get(2..).unwrap_or_default();
        if let Some(code) = inside.strip_prefix(b"!") {
            let digits = code.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
            self.rest = code.get(digits..).unwrap_or_default();
            self.in_code_comment = true;
            return Ok(());
        }
        let end = inside.windows(2).position(|pair| pair == b"*/").ok_or(Unreadable)?;
        self.rest = inside.get(end + 2..).unwrap_or_default();
        Ok(())
    }

    /// Bytes of the word that comes.
    fn word_bytes(&self) -> usize {
        let mut length = 0;
        while let Some(rest) = self.rest.get(length..)
            && rest.first().is_some_and(|&byte| is_word(byte))
        {
            length += self.dialect.character_bytes(rest).min(rest.len());
        }
        length
    }

    fn name(&mut self, after: &'a [u8], quote: u8) -> Result<Token<'a>, Unreadable> {
        let end = self.quoted_end(after, quote, false)?;
        let length = after.len() - end.len();
        self.rest = end;
        Ok(Token::Name(after.get(..length - 1).unwrap_or_default(), quote))
    }

    /// What follows the text that `after` begins with.
    fn text_end(&self, after: &'a [u8], quote: u8) -> Result<&'a [u8], Unreadable> {
        self.quoted_end(after, quote, !self.dialect.plain_backslash)
    }

    /// What follows the closing quote; a doubled one is a character.
    fn quoted_end(
        &self,
        after: &'a [u8],
        quote: u8,
        escapes: bool,
    ) -> Result<&'a [u8], Unreadable> {
        let mut rest = after;
        loop {
            let (&byte, next) = rest.split_first().ok_or(Unreadable)?;
            let length = self.dialect.character_bytes(rest);
            rest = if 1 < length {
                rest.get(length..).ok_or(Unreadable)?
            } else if byte == b'\\' && escapes {
                let escaped = self.dialect.character_bytes(next);
                next.get(escaped..).ok_or(Unreadable)?
            } else if byte != quote {
                next
            } else if let Some(doubled) = next.strip_prefix(&[quote]) {
                doubled
            } else {
                return Ok(next);
            };
        }
    }
}

/// What a name between quotes is called.
pub(super) fn unquoted(name: &[u8], quote: u8, dialect: Dialect) -> Vec<u8> {
    let mut kept = Vec::with_capacity(name.len());
    let mut rest = name;
    while !rest.is_empty() {
        let (character, after) = rest.split_at(dialect.character_bytes(rest).min(rest.len()));
        kept.extend_from_slice(character);
        let doubled = if character == [quote] { after.strip_prefix(&[quote]) } else { None };
        rest = doubled.unwrap_or(after);
    }
    kept
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// `--` begins a comment only before a space, a control character or the end.
fn starts_dash_comment(after: &[u8]) -> bool {
    match after {
        [b'-'] => true,
        [b'-', next, ..] => *next <= b' ',
        _ => false,
    }
}
