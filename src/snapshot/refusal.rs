//! What a message may repeat of the server's answer to a refused statement on a table.
//!
//! The server's message can repeat values of rows: a text that is no number, the argument of a
//! function, the key at which a chunk begins. The error number never does, nor does the part of the
//! user's own condition that the server could not parse.

use mysql_async::ServerError;

/// ER_PARSE_ERROR: its words repeat the statement from the place on that was not understood.
const PARSE_ERROR: u16 = 1064;

/// Errors whose words name columns, tables and functions of the statement and nothing else:
/// ER_NON_UNIQ_ERROR, ER_BAD_FIELD_ERROR, ER_INVALID_GROUP_FUNC_USE, ER_OPERAND_COLUMNS,
/// ER_SUBQUERY_NO_1_ROW, ER_SP_DOES_NOT_EXIST.
const NAMES_ONLY: [u16; 6] = [1052, 1054, 1111, 1241, 1242, 1305];

/// The server's objection to a statement with this condition.
pub(super) fn problem(answer: &ServerError, condition: &str) -> String {
    let code = answer.code;
    if NAMES_ONLY.contains(&code) {
        return answer.message.clone();
    }
    if code == PARSE_ERROR {
        return match unread(&answer.message, condition) {
            Some(part) => format!("it is not SQL near `{part}`"),
            None => "it is not SQL".to_owned(),
        };
    }
    format!("error {code} ({})", without_words(answer).message)
}

/// The same answer without the server's words.
pub(super) fn without_words(answer: &ServerError) -> ServerError {
    let message = "its message may repeat values of rows and is not shown; run the SELECT \
                   yourself to see it"
        .to_owned();
    ServerError { code: answer.code, message, state: answer.state.clone() }
}

/// The end of the condition that the server could not read.
fn unread<'a>(message: &str, condition: &'a str) -> Option<&'a str> {
    let (_, near) = message.split_once("near '")?;
    let (near, _) = near.rsplit_once("' at line")?;
    let starts = condition.char_indices().map(|(at, _)| at);
    let mut ends = starts.filter_map(|at| condition.get(at..));
    ends.find(|end| near.starts_with(end) || end.starts_with(near)).filter(|_| !near.is_empty())
}

#[cfg(test)]
mod tests {
    use mysql_async::ServerError;

    use super::problem;

    fn refused(code: u16, message: &str, condition: &str) -> String {
        let message = message.to_owned();
        problem(&ServerError { code, message, state: "HY000".to_owned() }, condition)
    }

    #[test]
    fn no_words_of_the_server_but_those_about_the_condition_are_repeated() {
        // The statement goes on behind the condition, with the key of the last row.
        let near = "syntax; check the manual to use near 'ORDER) AND (`k` > 's3cret') LIMIT 7' at \
                    line 1";
        assert_eq!(refused(1064, near, "a = 1 ORDER"), "it is not SQL near `ORDER`");
        let near = "to use near ') AND (`k` > 's3cret') LIMIT 7' at line 1";
        assert_eq!(refused(1064, near, "a ="), "it is not SQL");
        let near = "to use near 'b c d' at line 1";
        assert_eq!(refused(1064, near, "a b c d e f"), "it is not SQL near `b c d e f`");
        let words = "Unknown column 'nonsense' in 'where clause'";
        assert_eq!(refused(1054, words, "nonsense = 1"), words);
        let text = refused(1105, "XPATH syntax error: '~s3cret'", "EXTRACTVALUE(1, name)");
        assert!(text.contains("1105") && !text.contains("s3cret"), "{text}");
    }
}
