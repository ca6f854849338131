//! Messages: what they are called, what they look like, which rules they obey.

use std::fmt;

use crate::Check;

/// A message of some contract.
pub trait Message:
    buffa::Message
    + serde::Serialize
    + serde::de::DeserializeOwned
    + Clone
    + Default
    + Send
    + Sync
    + 'static
{
    /// Its full name: `stoa.ledger.v1.Account`.
    const NAME: &'static str;

    /// Its fields, as JSON names them.
    const SHAPE: &'static Shape;

    /// Whether a field of its own is personal.
    const PERSONAL: bool = false;

    /// Puts texts into the one form in which its contract takes them.
    fn form(&mut self) {}

    /// Reports every rule of its contract that it breaks.
    fn check(&self, check: &mut Check);

    /// Takes what is personal out of it: for each person their identifier, and a message with
    /// nothing but what is about them. To read one after the other gives the whole again.
    fn take_personal(&mut self) -> Vec<(String, Self)> {
        Vec::new()
    }
}

/// The forms that a contract may ask of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Without white space around it.
    Trimmed,
    /// The same, its ASCII letters in upper case.
    Upper,
    /// The same, its ASCII letters in lower case.
    Lower,
}

impl Form {
    /// Puts a text into this form. What is trimmed is Unicode's white space.
    pub fn take(self, text: &mut String) {
        let trimmed = text.trim();
        if trimmed.len() < text.len() {
            *text = trimmed.to_owned();
        }
        match self {
            Self::Trimmed => {}
            Self::Upper => text.make_ascii_uppercase(),
            Self::Lower => text.make_ascii_lowercase(),
        }
    }
}

/// The fields of a message.
#[derive(Debug)]
pub struct Shape {
    /// The message's full name.
    pub name: &'static str,
    /// Its fields, in the order of the contract.
    pub fields: &'static [Field],
}

/// One field of a message.
#[derive(Debug)]
pub struct Field {
    /// Its name in the contract: `create_time`.
    pub name: &'static str,
    /// Its name in JSON: `createTime`.
    pub json: &'static str,
    /// What it holds.
    pub value: Value,
    /// It holds a secret: never logged, never stored with a reply.
    pub redact: bool,
    /// It is about a person: never logged, never stored but sealed.
    pub personal: bool,
}

/// What a field holds, as far as reading JSON is concerned.
#[derive(Clone, Copy)]
pub enum Value {
    /// A scalar, an enum or a well-known type.
    Leaf(Leaf),
    /// A list of them.
    Leaves(Leaf),
    /// A map of them.
    LeafMap(Leaf),
    /// A message.
    Message(&'static Shape),
    /// A list of messages.
    List(&'static Shape),
    /// A map whose values are messages.
    Map(&'static Shape),
}

/// A scalar, an enum or a well-known type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaf {
    /// `true` or `false`, without quotes.
    Bool,
    /// What JSON may write as text: also numbers, times and names of enums.
    Text,
    /// Any value of JSON, of which no contract says what is in it.
    Json,
}

impl Value {
    fn is_json(&self) -> bool {
        matches!(
            self,
            Self::Leaf(Leaf::Json) | Self::Leaves(Leaf::Json) | Self::LeafMap(Leaf::Json)
        )
    }
}

impl fmt::Debug for Value {
    /// Names the message instead of showing it: messages may hold each other in a circle.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaf(leaf) => write!(f, "Leaf({leaf:?})"),
            Self::Leaves(leaf) => write!(f, "Leaves({leaf:?})"),
            Self::LeafMap(leaf) => write!(f, "LeafMap({leaf:?})"),
            Self::Message(shape) => write!(f, "Message({})", shape.name),
            Self::List(shape) => write!(f, "List({})", shape.name),
            Self::Map(shape) => write!(f, "Map({})", shape.name),
        }
    }
}

impl Shape {
    /// Whether any field within reach is marked `debug_redact`.
    pub fn redacts(&self) -> bool {
        self.any(8, |field| field.redact)
    }

    /// Whether any field within reach is about a person, or may be: nobody knows what is in JSON.
    pub fn is_personal(&self) -> bool {
        self.any(8, |field| field.personal || field.value.is_json())
    }

    /// Whether a field within reach is a [`Content`](crate::v1::Content).
    pub fn has_content(&self) -> bool {
        self.any(8, |field| match field.value {
            Value::Message(shape) | Value::List(shape) | Value::Map(shape) => shape.is_content(),
            Value::Leaf(_) | Value::Leaves(_) | Value::LeafMap(_) => false,
        })
    }

    /// Whether this is [`Content`](crate::v1::Content) itself.
    pub fn is_content(&self) -> bool {
        self.name == crate::v1::Content::NAME
    }

    fn any(&self, depth: u8, is: fn(&Field) -> bool) -> bool {
        self.fields.iter().any(|field| {
            is(field)
                || match field.value {
                    Value::Leaf(_) | Value::Leaves(_) | Value::LeafMap(_) => false,
                    Value::Message(shape) | Value::List(shape) | Value::Map(shape) => {
                        depth > 0 && shape.any(depth - 1, is)
                    }
                }
        })
    }
}

/// A message that is appended to the cell's log by the commit that caused it.
pub trait Event: Message {
    /// The topic: `<service>.<noun>`.
    const TOPIC: &'static str;

    /// What it is about. Events of one subject are delivered in order.
    fn subject(&self) -> &str;
}

/// A message that stands for a row with an identifier, and where it has one an owner.
pub trait Resource: Message {
    /// Its type: `<service>.<noun>`.
    const TYPE: &'static str;

    /// The permission that shows every row; empty where there is none.
    const WIDE: &'static str;

    /// Whether rows have owners. Where they have none, and no permission shows them, who may call the
    /// method sees them all.
    const OWNED: bool;

    /// As what a row can be granted to somebody else; none where it cannot.
    const RELATIONS: &'static [&'static str];

    /// Its identifier.
    fn id(&self) -> &str;

    /// Its owner, a user's id; empty where it has none.
    fn owner(&self) -> &str;
}

/// A request for one page of a list.
pub trait Paged: Message {
    /// How many rows to show at the most; 0 for the usual number.
    fn page_size(&self) -> i32;

    /// Where to go on: what the page before gave; empty for the first page.
    fn page_token(&self) -> &str;

    /// The same request for whichever page.
    #[must_use]
    fn of_any_page(&self) -> Self;
}

/// An enum whose values have words, in which tables keep them: `ORDER_STATE_PLACED` is `placed`.
pub trait Words: buffa::Enumeration + 'static {
    /// The values and their words; the word of the value that is none is empty.
    const WORDS: &'static [(Self, &'static str)];

    /// A value's word.
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(value, _)| *value == self).map_or("", |(_, word)| word)
    }

    /// The value of a word.
    fn of_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, known)| *known == word).map(|(value, _)| *value)
    }
}
