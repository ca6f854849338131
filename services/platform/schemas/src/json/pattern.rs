//! Regular expressions as JSON Schema has them (ECMA-262), matched in time that grows with the text alone.

use regex::{Regex, RegexBuilder};

/// The longest expression, in bytes.
const LENGTH_MAX: usize = 1_000;
/// The most that a program which matches one may take, in bytes.
const SIZE_MAX: usize = 256 << 10;

const SPACE: &str = r"\t\n\x0B\x0C\r \u{A0}\u{FEFF}\p{Zs}\u{2028}\u{2029}";

/// An expression, which matches anywhere in a text.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    /// As it is written.
    pub(crate) text: String,
    regex: Regex,
}

impl Pattern {
    /// Reads an expression.
    ///
    /// # Errors
    /// What of it is not understood.
    pub(crate) fn new(text: &str) -> Result<Self, &'static str> {
        if text.len() > LENGTH_MAX {
            return Err("is longer than 1,000 bytes");
        }
        let regex = RegexBuilder::new(&translated(text)?)
            .size_limit(SIZE_MAX)
            .dfa_size_limit(SIZE_MAX)
            .nest_limit(50)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => "repeats too much",
                _ => "is no regular expression",
            })?;
        Ok(Self { text: text.to_owned(), regex })
    }

    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

/// An expression of ECMA-262 as `regex` has it.
fn translated(text: &str) -> Result<String, &'static str> {
    let mut out = String::with_capacity(text.len() * 2);
    let mut left = text.chars().peekable();
    let mut in_class = false;
    while let Some(next) = left.next() {
        match next {
            '\\' => escape(&mut left, in_class, &mut out)?,
            '[' if in_class => out.push_str(r"\["),
            '[' => {
                let negated = left.next_if_eq(&'^').is_some();
                match (left.next_if_eq(&']').is_some(), negated) {
                    (true, true) => out.push_str("(?s:.)"),
                    (true, false) => out.push_str("[^\\x00-\\u{10FFFF}]"),
                    (false, negated) => {
                        in_class = true;
                        out.push_str(if negated { "[^" } else { "[" });
                    }
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(next);
            }
            '-' if in_class && out.ends_with('-') && !out.ends_with("\\-") => out.push_str(r"\-"),
            _ if in_class => out.push(next),
            '.' => out.push_str(r"[^\n\r\u{2028}\u{2029}]"),
            '(' => {
                out.push('(');
                group(&mut left, &mut out)?;
            }
            _ => out.push(next),
        }
    }
    Ok(out)
}

type Left<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// What stands behind an open parenthesis.
fn group(left: &mut Left<'_>, out: &mut String) -> Result<(), &'static str> {
    if left.next_if_eq(&'?').is_none() {
        return Ok(());
    }
    out.push('?');
    let Some(kind) = left.next() else { return Err("ends within a group") };
    out.push(kind);
    match kind {
        ':' => Ok(()),
        '<' if !matches!(left.peek(), Some('=' | '!')) => Ok(()),
        _ => Err("looks ahead or behind, which takes time without bound"),
    }
}

/// What stands behind a backslash.
fn escape(left: &mut Left<'_>, in_class: bool, out: &mut String) -> Result<(), &'static str> {
    let Some(next) = left.next() else { return Err("ends with a backslash") };
    let mut class = |members: &str, negated: bool| match (in_class, negated) {
        (true, false) => out.push_str(members),
        (_, negated) => {
            out.push_str(if negated { "[^" } else { "[" });
            out.push_str(members);
            out.push(']');
        }
    };
    match next {
        'd' | 'D' => class("0-9", next == 'D'),
        'w' | 'W' => class("A-Za-z0-9_", next == 'W'),
        's' | 'S' => class(SPACE, next == 'S'),
        'b' if in_class => out.push_str(r"\x08"),
        'b' | 'B' => out.push_str(if next == 'b' { r"(?-u:\b)" } else { r"(?-u:\B)" }),
        't' | 'n' | 'r' | 'f' | 'v' | 'x' | 'p' | 'P' => {
            out.push('\\');
            out.push(next);
        }
        'u' => unit(left, out)?,
        'c' => match left.next() {
            Some(letter) if letter.is_ascii_alphabetic() => {
                out.push_str(&format!("\\x{:02X}", letter as u32 % 32));
            }
            _ => return Err("has a control character that is none"),
        },
        '0' if !left.peek().is_some_and(char::is_ascii_digit) => out.push_str(r"\x00"),
        '0'..='9' | 'k' => return Err("refers back, which takes time without bound"),
        _ if next.is_alphabetic() => return Err("has an escape that there is not"),
        _ => out.push_str(&match next {
            '-' => r"\-".to_owned(),
            '&' | '~' => format!("\\{next}"),
            _ => regex::escape(next.encode_utf8(&mut [0; 4])),
        }),
    }
    Ok(())
}

/// A character by its number; one beyond the first 65,536 by two.
fn unit(left: &mut Left<'_>, out: &mut String) -> Result<(), &'static str> {
    const NONE: &str = "has a character that is none";
    if left.peek() == Some(&'{') {
        out.push_str(r"\u");
        return Ok(());
    }
    let four = |left: &mut Left<'_>| {
        let digits: String = left.by_ref().take(4).collect();
        u32::from_str_radix(&digits, 16).map_err(|_| NONE)
    };
    let mut number = four(left)?;
    if (0xD800..0xDC00).contains(&number) {
        if left.next() != Some('\\') || left.next() != Some('u') {
            return Err(NONE);
        }
        let low = four(left)?.checked_sub(0xDC00).filter(|low| *low < 0x400).ok_or(NONE)?;
        number = 0x10000 + (number - 0xD800) * 0x400 + low;
    }
    if char::from_u32(number).is_none() {
        return Err(NONE);
    }
    out.push_str(&format!("\\u{{{number:X}}}"));
    Ok(())
}
