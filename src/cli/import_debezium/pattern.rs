//! Debezium's regular expressions over names as globs.
//!
//! Debezium matches whole names and ignores their case. Most lists use literal names, `\.`, `.*`
//! and alternatives, and these are globs too; an expression with more in it is not translated.

/// Most globs that the alternatives of one expression may make.
const GLOBS_MAX: usize = 64;

/// An expression that is no glob.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Untranslated(pub(super) String);

/// The globs of a comma-separated list of expressions, each with as many parts as a name here has:
/// one of `database`, two of `database.table`, three of `database.table.column`.
pub(super) fn globs(list: &str, parts: usize) -> Result<Vec<String>, Untranslated> {
    let mut globs: Vec<String> = Vec::new();
    for expression in entries(list) {
        let untranslated = || Untranslated(expression.clone());
        let body = expression.trim_start_matches("(?i)").trim_start_matches('^');
        let body = body.strip_suffix('$').unwrap_or(body);
        let found = alternatives(body).ok_or_else(untranslated)?;
        for glob in found {
            let glob = separated(&glob, parts).ok_or_else(untranslated)?;
            if !globs.contains(&glob) {
                globs.push(glob);
            }
        }
    }
    Ok(globs)
}

/// The entries of a list; a comma behind a backslash is part of an entry.
fn entries(list: &str) -> Vec<String> {
    let marked = list.replace("\\,", "\u{0}");
    let entries = marked.split(',').map(|entry| entry.trim().replace('\u{0}', ","));
    entries.filter(|entry| !entry.is_empty()).collect()
}

/// A piece of a glob. A point that no backslash precedes may stand for a separator or for any
/// character.
#[derive(Clone, PartialEq)]
enum GlobPiece {
    Literal(char),
    Point,
    Any,
}

/// The expression with its alternatives written out; `None` if it has something else in it.
fn alternatives(expression: &str) -> Option<Vec<Vec<GlobPiece>>> {
    let mut characters = expression.chars().peekable();
    let found = choice(&mut characters)?;
    characters.next().is_none().then_some(found)
}

type Characters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// `a|b|c`, up to the end or a closing parenthesis.
fn choice(characters: &mut Characters<'_>) -> Option<Vec<Vec<GlobPiece>>> {
    let mut all = Vec::new();
    loop {
        all.extend(sequence(characters)?);
        if GLOBS_MAX < all.len() {
            return None;
        }
        if characters.peek() != Some(&'|') {
            return Some(all);
        }
        characters.next();
    }
}

fn sequence(characters: &mut Characters<'_>) -> Option<Vec<Vec<GlobPiece>>> {
    let mut all = vec![Vec::new()];
    while let Some(&next) = characters.peek() {
        if next == '|' || next == ')' {
            break;
        }
        characters.next();
        let pieces = match next {
            '(' => group(characters)?,
            '\\' => {
                vec![vec![GlobPiece::Literal(characters.next().filter(|c| !c.is_alphanumeric())?)]]
            }
            '.' if characters.next_if(|&c| c == '*' || c == '+').is_some() => {
                vec![vec![GlobPiece::Any]]
            }
            '.' => vec![vec![GlobPiece::Point]],
            '*' | '+' | '?' | '[' | ']' | '{' | '}' | '^' | '$' => return None,
            literal => vec![vec![GlobPiece::Literal(literal)]],
        };
        all = all
            .iter()
            .flat_map(|start| pieces.iter().map(move |end| [&start[..], &end[..]].concat()))
            .collect();
        if GLOBS_MAX < all.len() {
            return None;
        }
    }
    Some(all)
}

/// What is between parentheses, of which the first was read.
fn group(characters: &mut Characters<'_>) -> Option<Vec<Vec<GlobPiece>>> {
    if characters.next_if(|&c| c == '?').is_some() {
        characters.next_if(|&c| c == ':')?;
    }
    let inside = choice(characters)?;
    characters.next_if(|&c| c == ')')?;
    // `(a)*` and the like are no globs.
    characters.peek().is_none_or(|c| !"*+?{".contains(*c)).then_some(inside)
}

/// The text of a glob with so many parts. The first points are its separators, others stand for
/// any character; `None` if it has fewer parts. `.*` alone is all parts.
fn separated(pieces: &[GlobPiece], parts: usize) -> Option<String> {
    if pieces == [GlobPiece::Any] {
        return Some(vec!["*"; parts].join("."));
    }
    let is_separator =
        |piece: &GlobPiece| matches!(piece, GlobPiece::Point | GlobPiece::Literal('.'));
    let mut separators = 0;
    let mut text = String::new();
    for piece in pieces {
        if is_separator(piece) && separators + 1 < parts {
            separators += 1;
            text.push('.');
            continue;
        }
        match piece {
            GlobPiece::Literal(character) => text.push(*character),
            GlobPiece::Point => text.push('?'),
            GlobPiece::Any => text.push('*'),
        }
    }
    let is_whole = separators + 1 == parts && !text.starts_with('.') && !text.ends_with('.');
    is_whole.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::{Untranslated, globs};

    #[test]
    fn expressions_that_are_globs_are_translated() {
        for (list, parts, expected) in [
            ("inventory.orders", 2, vec!["inventory.orders"]),
            ("inventory\\.orders, crm\\.users", 2, vec!["inventory.orders", "crm.users"]),
            ("^inventory\\..*$", 2, vec!["inventory.*"]),
            ("(?i)shop_[0-9]", 1, vec![]),
            (".*", 2, vec!["*.*"]),
            (".*\\.orders_.+", 2, vec!["*.orders_*"]),
            ("shop\\.(orders|users)", 2, vec!["shop.orders", "shop.users"]),
            ("(a|b)\\.(c|d)", 2, vec!["a.c", "a.d", "b.c", "b.d"]),
            ("(?:a|b)\\.c|d\\.e", 2, vec!["a.c", "b.c", "d.e"]),
            ("shop\\.t.1", 2, vec!["shop.t?1"]),
            ("shop.users.secret", 3, vec!["shop.users.secret"]),
            ("shop\\.users\\.(a|b)", 3, vec!["shop.users.a", "shop.users.b"]),
            ("inventory", 1, vec!["inventory"]),
            ("a\\$b", 1, vec!["a$b"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            match globs(list, parts) {
                Ok(found) => assert_eq!(found, expected, "{list}"),
                Err(Untranslated(_)) => assert!(expected.is_empty(), "{list}"),
            }
        }
    }

    #[test]
    fn other_expressions_are_named() {
        for expression in [
            "shop\\.t[0-9]",
            "shop\\.t\\d+",
            "shop\\.(a)*",
            "shop\\.a?",
            "(a",
            "a)",
            "orders",
            "a\\.",
            "x{2}\\.y",
        ] {
            let error = globs(&format!("a\\.b,{expression}"), 2).unwrap_err();
            assert_eq!(error, Untranslated(expression.to_owned()));
        }
    }
}
