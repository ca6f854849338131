//! The language of conditions.

use std::collections::BTreeMap;

use super::{Condition, How, ITEMS_MAX, Operand, Value};

/// How deep brackets and `not` may be nested.
const DEPTH_MAX: usize = 16;
/// Words of the language, which are no names.
const WORDS: [&str; 8] = ["and", "or", "not", "in", "has", "begins", "true", "false"];

/// A word, and where it begins.
#[derive(Debug, Clone, PartialEq)]
enum Word<'a> {
    Name(&'a str),
    Sign(&'a str),
    Literal(Value),
}

pub(super) fn read(text: &str) -> Result<Condition, String> {
    let mut reader = Reader { words: words(text)?, next: 0, end: text.len(), depth: 0 };
    let condition = reader.any()?;
    match reader.words.get(reader.next) {
        None => typed(&condition).map(|()| condition),
        Some((place, _)) => Err(at(*place, "`and`, `or` or the end is expected")),
    }
}

/// A name of an attribute.
pub(super) fn is_name(word: &str) -> bool {
    let begins = word.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.".contains(&byte);
    begins && word.len() <= 63 && word.bytes().all(fits)
}

fn at(place: usize, what: &str) -> String {
    format!("at {}: {what}", place + 1)
}

fn words(text: &str) -> Result<Vec<(usize, Word<'_>)>, String> {
    let (mut words, mut place) = (Vec::new(), 0);
    while let Some(letter) = text[place..].chars().next() {
        if letter.is_whitespace() {
            place += letter.len_utf8();
            continue;
        }
        let (word, length) = word(&text[place..]).map_err(|wrong| at(place, &wrong))?;
        words.push((place, word));
        place += length;
    }
    Ok(words)
}

/// The first word of a text, and how long it is.
fn word(text: &str) -> Result<(Word<'_>, usize), String> {
    const SIGNS: [&str; 11] = ["==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ","];
    if let Some(sign) = SIGNS.into_iter().find(|sign| text.starts_with(sign)) {
        return Ok((Word::Sign(sign), sign.len()));
    }
    if text.starts_with('"') {
        let (literal, length) = quoted(text)?;
        return Ok((Word::Literal(Value::Text(literal)), length));
    }
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    let length = text.find(|letter: char| !fits(letter)).unwrap_or(text.len());
    let word = &text[..length];
    match word {
        "true" | "false" => Ok((Word::Literal(Value::Truth(word == "true")), length)),
        word if is_name(word) => Ok((Word::Name(word), length)),
        word => match word.parse::<f64>() {
            Ok(number) if number.is_finite() && is_number(word) => {
                Ok((Word::Literal(Value::Number(number)), length))
            }
            _ => Err("no word of conditions begins here".into()),
        },
    }
}

fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let fits =
        |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    fits(whole) && fits(part)
}

/// A text in quotes, in which `\` stands before `"` and itself.
fn quoted(text: &str) -> Result<(String, usize), String> {
    let (mut literal, mut escaped) = (String::new(), false);
    for (place, letter) in text.char_indices().skip(1) {
        match letter {
            '"' if !escaped => return Ok((literal, place + 1)),
            '\\' if !escaped => escaped = true,
            '"' | '\\' => {
                literal.push(letter);
                escaped = false;
            }
            _ if escaped => return Err("`\\` stands before `\"` and `\\` alone".into()),
            _ => literal.push(letter),
        }
    }
    Err("a text is not closed".into())
}

struct Reader<'a> {
    words: Vec<(usize, Word<'a>)>,
    next: usize,
    end: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn is(&mut self, wanted: &str) -> bool {
        let is = match self.words.get(self.next) {
            Some((_, Word::Name(word) | Word::Sign(word))) => *word == wanted,
            _ => false,
        };
        self.next += usize::from(is);
        is
    }

    fn wrong<T>(&self, what: &str) -> Result<T, String> {
        let place = self.words.get(self.next).map_or(self.end, |(place, _)| *place);
        Err(at(place, what))
    }

    fn any(&mut self) -> Result<Condition, String> {
        let mut all = vec![self.all()?];
        while self.is("or") {
            all.push(self.all()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::Any(all) })
    }

    fn all(&mut self) -> Result<Condition, String> {
        let mut all = vec![self.one()?];
        while self.is("and") {
            all.push(self.one()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::All(all) })
    }

    fn one(&mut self) -> Result<Condition, String> {
        let (not, bracket) = (self.is("not"), self.is("("));
        if !not && !bracket {
            return self.test();
        }
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return self.wrong("it is nested too deep");
        }
        let inner = match (not, bracket) {
            (_, true) => {
                let inner = self.any()?;
                if !self.is(")") {
                    return self.wrong("`)` is expected");
                }
                inner
            }
            _ => self.one()?,
        };
        self.depth -= 1;
        Ok(if not { Condition::Not(Box::new(inner)) } else { inner })
    }

    fn test(&mut self) -> Result<Condition, String> {
        if self.is("has") {
            return match self.operand()? {
                Operand::Attribute(name) => Ok(Condition::Has(name)),
                Operand::Literal(_) => self.wrong("`has` is asked of an attribute"),
            };
        }
        let left = self.operand()?;
        if self.is("in") {
            return Ok(Condition::In(left, self.operand()?));
        }
        if self.is("begins") {
            return Ok(Condition::Begins(left, self.operand()?));
        }
        const HOW: [(&str, How); 6] = [
            ("==", How::Equal),
            ("!=", How::Unequal),
            ("<=", How::AtMost),
            (">=", How::AtLeast),
            ("<", How::Less),
            (">", How::More),
        ];
        match HOW.into_iter().find(|(sign, _)| self.is(sign)) {
            Some((_, how)) => Ok(Condition::Compare(left, how, self.operand()?)),
            None => self.wrong("a comparison is expected"),
        }
    }

    fn operand(&mut self) -> Result<Operand, String> {
        if self.is("[") {
            return self.list();
        }
        let operand = match self.words.get(self.next) {
            Some((_, Word::Literal(value))) => Operand::Literal(value.clone()),
            Some((_, Word::Name(name))) if !WORDS.contains(name) => {
                Operand::Attribute((*name).to_owned())
            }
            _ => {
                return self
                    .wrong("an attribute, a number, a text in quotes, or `true` is expected");
            }
        };
        self.next += 1;
        Ok(operand)
    }

    /// The items of a list, up to its end.
    fn list(&mut self) -> Result<Operand, String> {
        let mut items = Vec::<Value>::new();
        loop {
            match self.words.get(self.next) {
                Some((_, Word::Literal(item))) if items.iter().all(|it| it.is_like(item)) => {
                    items.push(item.clone());
                }
                _ => return self.wrong("a list has numbers, texts, or truths, of one kind"),
            }
            self.next += 1;
            if items.len() > ITEMS_MAX {
                return self.wrong("a list is too long");
            }
            if self.is("]") {
                return Ok(Operand::Literal(Value::List(items)));
            }
            if !self.is(",") {
                return self.wrong("`,` or `]` is expected");
            }
        }
    }
}

/// Refuses what can never be answered: an attribute that would have to be of two types, and comparisons of
/// what cannot be compared.
fn typed(condition: &Condition) -> Result<(), String> {
    fn look<'a>(
        condition: &'a Condition, known: &mut BTreeMap<&'a str, &'static str>,
    ) -> Result<(), String> {
        let mut is = |operand: &'a Operand, kind: &'static str| match operand {
            Operand::Literal(value) if kind_of(value) == kind => Ok(()),
            Operand::Literal(_) => Err(format!("{kind} is expected beside a comparison of it")),
            Operand::Attribute(name) => match known.insert(name, kind) {
                Some(before) if before != kind => {
                    Err(format!("`{name}` would be {before} and {kind}"))
                }
                _ => Ok(()),
            },
        };
        match condition {
            Condition::All(all) | Condition::Any(all) => {
                all.iter().try_for_each(|one| look(one, known))
            }
            Condition::Not(one) => look(one, known),
            Condition::Has(_) => Ok(()),
            Condition::Begins(left, right) => is(left, "a text").and_then(|()| is(right, "a text")),
            Condition::In(left, right) => {
                is(right, "a list")?;
                match right {
                    Operand::Literal(Value::List(items)) => {
                        items.first().map_or(Ok(()), |item| is(left, kind_of(item)))
                    }
                    _ => Ok(()),
                }
            }
            Condition::Compare(left, How::Equal | How::Unequal, right) => {
                for (one, other) in [(left, right), (right, left)] {
                    if let Operand::Literal(value) = one {
                        if matches!(value, Value::List(_)) {
                            return Err("a list is asked by `in`".into());
                        }
                        is(other, kind_of(value))?;
                    }
                }
                Ok(())
            }
            Condition::Compare(left, _, right) => {
                is(left, "a number").and_then(|()| is(right, "a number"))
            }
        }
    }
    look(condition, &mut BTreeMap::new())
}

fn kind_of(value: &Value) -> &'static str {
    value.kind()
}
