//! A statement as words: what its text alone can tell.

/// The words of a statement, in lower case: names with the table in front of them, parameters,
/// numbers, operators. Of a text only its quotes are left; comments are dropped.
pub(crate) fn words(sql: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' => text_length(rest),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            ':' | '$' => 1 + name_length(&rest[1..]),
            c if is_name(c) => name_length(rest),
            _ if OPERATORS.iter().any(|operator| rest.starts_with(operator)) => 2,
            c => c.len_utf8(),
        };
        let (word, after) = rest.split_at(length);
        rest = after;
        if first == '\'' {
            words.push("''".to_owned());
        } else if !first.is_whitespace() && !word.starts_with("--") && !word.starts_with("/*") {
            words.push(word.to_ascii_lowercase());
        }
    }
    words
}

/// Whether every divisor is known not to be zero: SQLite divides by zero and gives NULL, PostgreSQL
/// an error.
pub(crate) fn divides_safely(words: &[String]) -> bool {
    let divisors = words.iter().enumerate().filter(|(_, word)| *word == "/" || *word == "%");
    divisors.map(|(place, _)| words.get(place + 1).map_or("", String::as_str)).all(|divisor| {
        let number = divisor.starts_with(|c: char| c.is_ascii_digit());
        divisor == "nullif" || (number && divisor.contains(|c: char| ('1'..='9').contains(&c)))
    })
}

const OPERATORS: [&str; 6] = ["<>", "!=", "<=", ">=", "||", "=="];

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '"')
}

fn name_length(rest: &str) -> usize {
    rest.find(|c| !is_name(c)).unwrap_or(rest.len())
}

/// A quote within a text is written twice.
fn text_length(rest: &str) -> usize {
    let mut end = 1;
    while let Some(quote) = rest[end..].find('\'') {
        end += quote + 1;
        if !rest[end..].starts_with('\'') {
            return end;
        }
        end += 1;
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_falls_into_words() {
        let sql = "SELECT a.id -- why\n FROM t a /* or */ WHERE x<>'it''s /' AND y >= $1";
        let expected = "select a.id from t a where x <> '' and y >= $1";
        assert_eq!(words(sql).join(" "), expected);
    }

    #[test]
    fn a_divisor_that_may_be_zero_is_seen() {
        for (sql, safe) in [
            ("SELECT a / 100", true),
            ("SELECT a % 7", true),
            ("SELECT a / NULLIF(b, 0)", true),
            ("SELECT '/' || b", true),
            ("SELECT a / b", false),
            ("SELECT a % $1", false),
            ("SELECT a / 0", false),
            ("SELECT a / (b)", false),
        ] {
            assert_eq!(divides_safely(&words(sql)), safe, "{sql}");
        }
    }
}
