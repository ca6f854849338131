//! The language of models: that of OpenFGA, schema 1.1, without conditions and modules.

use std::collections::BTreeMap;

use crate::model::{Kind, Model, Rule, Which};

/// Types, relations and rules of one model at the most.
const NAMES_MAX: usize = 2_000;
/// How deep rules may be nested in brackets.
const DEPTH_MAX: usize = 16;

/// Reads a model.
///
/// # Errors
/// What is wrong, and in which line.
pub(crate) fn read(text: &str) -> Result<Model, String> {
    let mut model = Model::default();
    let (mut current, mut names) = (None::<String>, 0);
    let mut headed = false;
    for (number, line) in text.lines().enumerate() {
        let words = line_of(line);
        let wrong = |what: String| format!("line {}: {what}", number + 1);
        let Some((word, rest)) = first(words) else { continue };
        names += 1;
        if names > NAMES_MAX {
            return Err(wrong(format!("a model has {NAMES_MAX} lines at the most")));
        }
        match (word, rest) {
            ("model", "") if model.types.is_empty() => headed = true,
            ("schema", "1.1") if headed => {}
            ("schema", _) => return Err(wrong("the schema has to be 1.1".into())),
            ("type", name) if is_name(name) => {
                if model.types.insert(name.to_owned(), BTreeMap::new()).is_some() {
                    return Err(wrong(format!("`{name}` is there twice")));
                }
                current = Some(name.to_owned());
            }
            ("relations", "") if current.is_some() => {}
            ("define", rest) => {
                let relations = current.as_ref().and_then(|name| model.types.get_mut(name));
                let relations = relations.ok_or_else(|| wrong("no type is begun".into()))?;
                let (name, rule) = rest.split_once(':').ok_or_else(|| wrong("no `:`".into()))?;
                let name = name.trim();
                if !is_name(name) {
                    return Err(wrong(format!("`{name}` is no name")));
                }
                let rule = Tokens::of(rule).rule().map_err(wrong)?;
                if relations.insert(name.to_owned(), rule).is_some() {
                    return Err(wrong(format!("`{name}` is there twice")));
                }
            }
            ("condition" | "module" | "extend", _) => {
                return Err(wrong(format!("`{word}` is not understood here")));
            }
            _ => return Err(wrong(format!("`{word}` is not expected here"))),
        }
    }
    model.check()?;
    Ok(model)
}

/// A model as text.
pub(crate) fn write(model: &Model) -> String {
    let mut lines = vec!["model".to_owned(), "  schema 1.1".to_owned()];
    for (name, relations) in &model.types {
        lines.push(format!("type {name}"));
        lines.extend((!relations.is_empty()).then(|| "  relations".to_owned()));
        let define = |(name, rule): (&String, &Rule)| format!("    define {name}: {}", of(rule));
        lines.extend(relations.iter().map(define));
    }
    lines.join("\n") + "\n"
}

/// A rule as text.
fn of(rule: &Rule) -> String {
    let all = |rules: &[Rule], word: &str| rules.iter().map(inner).collect::<Vec<_>>().join(word);
    match rule {
        Rule::Written(kinds) => {
            let kinds: Vec<String> = kinds.iter().map(Kind::to_string).collect();
            format!("[{}]", kinds.join(", "))
        }
        Rule::Same(relation) => relation.clone(),
        Rule::From { relation, through } => format!("{relation} from {through}"),
        Rule::Any(rules) => all(rules, " or "),
        Rule::All(rules) => all(rules, " and "),
        Rule::Unless(rule, but) => format!("{} but not {}", inner(rule), inner(but)),
    }
}

/// A rule as a part of another.
fn inner(rule: &Rule) -> String {
    match rule {
        Rule::Any(_) | Rule::All(_) | Rule::Unless(..) => format!("({})", of(rule)),
        Rule::Written(_) | Rule::Same(_) | Rule::From { .. } => of(rule),
    }
}

/// A line without its comment: a `#` that nothing stands before, unlike that of `group#member`.
fn line_of(line: &str) -> &str {
    let comment = line.char_indices().find(|(place, letter)| {
        *letter == '#' && line[..*place].chars().next_back().is_none_or(char::is_whitespace)
    });
    line[..comment.map_or(line.len(), |(place, _)| place)].trim()
}

/// The first word and what follows it.
fn first(line: &str) -> Option<(&str, &str)> {
    match line.split_once(char::is_whitespace) {
        Some((word, rest)) => Some((word, rest.trim())),
        None => (!line.is_empty()).then_some((line, "")),
    }
}

fn is_name(word: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    !word.is_empty() && word.len() <= 254 && word.chars().all(fits)
}

/// The words of a rule.
struct Tokens<'a> {
    words: Vec<&'a str>,
    next: usize,
    depth: usize,
}

impl<'a> Tokens<'a> {
    fn of(text: &'a str) -> Self {
        let (mut words, mut begin) = (Vec::new(), None);
        for (place, letter) in text.char_indices() {
            let alone = "()[],".contains(letter);
            if alone || letter.is_whitespace() {
                words.extend(begin.take().map(|begin| &text[begin..place]));
                words.extend(alone.then(|| &text[place..place + 1]));
            } else if begin.is_none() {
                begin = Some(place);
            }
        }
        words.extend(begin.map(|begin| &text[begin..]));
        Self { words, next: 0, depth: 0 }
    }

    fn peek(&self) -> &'a str {
        self.words.get(self.next).copied().unwrap_or_default()
    }

    fn take(&mut self) -> &'a str {
        let word = self.peek();
        self.next += 1;
        word
    }

    fn is(&mut self, word: &str) -> bool {
        let is = self.peek() == word;
        self.next += usize::from(is);
        is
    }

    /// All of the words, as one rule.
    fn rule(&mut self) -> Result<Rule, String> {
        let rule = self.expression()?;
        match self.peek() {
            "" => Ok(rule),
            other => {
                Err(format!("`{other}` is not expected: put brackets around what belongs together"))
            }
        }
    }

    /// Terms that one of `or`, `and` and `but not` holds together.
    fn expression(&mut self) -> Result<Rule, String> {
        let term = self.term()?;
        let word = self.peek();
        let mut terms = vec![term];
        while matches!(word, "or" | "and") && self.is(word) {
            terms.push(self.term()?);
        }
        if self.is("but") {
            let whole = terms.pop().filter(|_| terms.is_empty() && self.is("not"));
            let whole = whole.ok_or("`but not` stands behind one term: use brackets")?;
            return Ok(Rule::Unless(Box::new(whole), Box::new(self.term()?)));
        }
        Ok(match (word, terms.len()) {
            (_, 1) => terms.remove(0),
            ("and", _) => Rule::All(terms),
            _ => Rule::Any(terms),
        })
    }

    fn term(&mut self) -> Result<Rule, String> {
        match self.take() {
            "(" => {
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    return Err("brackets are nested too deep".into());
                }
                let rule = self.expression()?;
                self.depth -= 1;
                self.is(")").then_some(rule).ok_or_else(|| "a bracket is not closed".into())
            }
            "[" => self.kinds().map(Rule::Written),
            relation if is_name(relation) => match self.is("from") {
                true => {
                    let through = self.take().to_owned();
                    Ok(Rule::From { relation: relation.to_owned(), through })
                }
                false => Ok(Rule::Same(relation.to_owned())),
            },
            other => Err(format!("`{other}` is no relation")),
        }
    }

    fn kinds(&mut self) -> Result<Vec<Kind>, String> {
        let mut kinds = Vec::new();
        loop {
            let word = self.take();
            let (of, which) = match (word.split_once('#'), word.strip_suffix(":*")) {
                (Some((of, relation)), _) => (of, Which::Having(relation.to_owned())),
                (None, Some(of)) => (of, Which::All),
                (None, None) => (word, Which::One),
            };
            if !is_name(of) || matches!(&which, Which::Having(relation) if !is_name(relation)) {
                return Err(format!("`{word}` is no type of users"));
            }
            kinds.push(Kind { of: of.to_owned(), which });
            match self.take() {
                "," => {}
                "]" => return Ok(kinds),
                "with" => return Err("conditions are not understood here".into()),
                other => return Err(format!("`{other}` is not expected in `[…]`")),
            }
        }
    }
}
