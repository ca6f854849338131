//! Lists: pages of a table's rows that the caller may see, in an order, narrowed by what was
//! asked for.
//!
//! ```ignore
//! let (orders, next_page_token) = view
//!     .list::<Order>("create_time DESC, id DESC")
//!     .owned_by(&request.customer_id)
//!     .only("state", request.state)
//!     .page(&request)?;
//! ```
//!
//! A page begins behind the last row of the one before, by the columns of the order, so that rows
//! which come and go move no others. What was not asked for leaves no trace in the statement:
//! each combination is one of its own, planned by itself, and so runs along the index that fits.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::{LazyLock, Mutex, PoisonError};

use buffa::EnumValue;
use stoa_contract::{Paged, Resource, Words};

use crate::table::Table;
use crate::value::{Param, Params, Value};
use crate::{Access, Error, Page, Result, View};

/// A list on its way: what is in it.
pub struct List<'a, T> {
    view: &'a View<'a>,
    order: &'static str,
    conditions: String,
    params: Vec<Box<dyn Param + 'a>>,
    /// Whether nothing can be in it.
    empty: bool,
    row: std::marker::PhantomData<T>,
}

/// What a list can be narrowed by: a value that was given, or not.
pub trait Wanted: Param {
    /// Whether it was given: a text that is not empty, an enum's value that is one.
    fn is_given(&self) -> bool;

    /// A word that stands in the statement itself, so that an index of some rows only is known to
    /// hold those that are wanted.
    fn literal(&self) -> Option<&'static str> {
        None
    }
}

impl Wanted for &str {
    fn is_given(&self) -> bool {
        !self.is_empty()
    }
}

impl Wanted for &String {
    fn is_given(&self) -> bool {
        !self.is_empty()
    }
}

impl<E: Words> Wanted for EnumValue<E> {
    fn is_given(&self) -> bool {
        self.to_i32() != 0
    }

    fn literal(&self) -> Option<&'static str> {
        self.as_known().map(Words::word)
    }
}

impl Wanted for Option<i64> {
    fn is_given(&self) -> bool {
        self.is_some()
    }
}

impl Wanted for Option<bool> {
    fn is_given(&self) -> bool {
        self.is_some()
    }
}

impl<'a> View<'a> {
    /// Lists rows that the caller may see, in an order: columns of the table, all ascending or
    /// all `DESC`, that together name one row.
    pub fn list<T: Table + Resource>(&'a self, order: &'static str) -> List<'a, T> {
        let mut list = self.list_all(order);
        list.visible();
        list
    }

    /// Lists rows whoever they belong to: what the contract shows to all who may call.
    pub fn list_all<T: Table>(&'a self, order: &'static str) -> List<'a, T> {
        List {
            view: self,
            order,
            conditions: String::new(),
            params: Vec::new(),
            empty: false,
            row: std::marker::PhantomData,
        }
    }
}

impl<'a, T: Table> List<'a, T> {
    /// Only rows whose column has a value, if one was given.
    #[must_use]
    pub fn only(mut self, column: &'static str, value: impl Wanted + 'a) -> Self {
        if value.is_given() {
            match value.literal() {
                Some(word) => self.say(&format!("{column} = '{word}'")),
                None => self.bind(column, "=", Box::new(value)),
            }
        }
        self
    }

    /// Only rows that fulfil a condition without parameters, if `wanted`.
    #[must_use]
    pub fn only_if(mut self, wanted: bool, condition: &'static str) -> Self {
        if wanted {
            self.say(condition);
        }
        self
    }

    /// Only rows whose column begins with a text.
    #[must_use]
    pub fn starting_with(mut self, column: &'static str, prefix: String) -> Self {
        if !prefix.is_empty() {
            // No text that begins with the prefix sorts behind it and the last character.
            let end = format!("{prefix}\u{10ffff}");
            self.bind(column, ">=", Box::new(prefix));
            self.bind(column, "<", Box::new(end));
        }
        self
    }

    /// Only rows of one owner, if one was given.
    #[must_use]
    pub fn owned_by(self, owner: &'a str) -> Self {
        self.only(T::OWNER, owner)
    }

    /// The page that a request asks for, and the token of the next one: empty on the last.
    ///
    /// # Errors
    /// `request.invalid` at `page_size` or `page_token`, and those of [`View::rows`].
    pub fn page(mut self, request: &impl Paged) -> Result<(Vec<T>, String)> {
        let order = Order::read::<T>(self.order)?;
        let page = self.view.page(request, order.columns.len())?;
        if self.empty {
            return Ok((Vec::new(), String::new()));
        }
        if page.after.is_some() {
            self.behind(&page, &order)?;
        }
        self.params.push(Box::new(page.limit()));
        let sql = format!(
            "{}{}{} ORDER BY {} LIMIT ${}",
            T::SELECT,
            if self.conditions.is_empty() { "TRUE" } else { "" },
            self.conditions,
            self.order,
            self.params.len()
        );
        let mut rows: Vec<T> = self.view.rows(interned(sql), All(&self.params))?;
        let token = page.cut(&mut rows, |row| order.keys(row))?;
        Ok((rows, token))
    }

    fn say(&mut self, condition: &str) {
        let and = if self.conditions.is_empty() { "" } else { " AND " };
        let _ = write!(self.conditions, "{and}{condition}");
    }

    fn bind(&mut self, column: &str, operator: &str, value: Box<dyn Param + 'a>) {
        self.params.push(value);
        let number = self.params.len();
        self.say(&format!("{column} {operator} ${number}"));
    }

    /// Only what stands behind the last row of the page before.
    fn behind(&mut self, page: &Page, order: &Order) -> Result<()> {
        let mut places = Vec::new();
        for place in 0..order.columns.len() {
            self.params.push(untold(page.key(place)).ok_or_else(foreign)?);
            places.push(format!("${}", self.params.len()));
        }
        let (columns, operator) = (order.columns.join(", "), order.operator);
        self.say(&format!("({columns}) {operator} ({})", places.join(", ")));
        Ok(())
    }
}

impl<T: Table + Resource> List<'_, T> {
    /// Leaves out what [`View::visible`] would not show.
    fn visible(&mut self) {
        match self.view.access::<T>() {
            Access::All => {}
            Access::Own(owner) if !T::OWNER.is_empty() => {
                self.bind(T::OWNER, "=", Box::new(owner));
            }
            Access::Own(_) | Access::None => self.empty = true,
        }
    }
}

/// The order of a list.
struct Order {
    columns: Vec<&'static str>,
    /// Where the columns stand among those of the table.
    places: Vec<usize>,
    operator: &'static str,
}

impl Order {
    fn read<T: Table>(text: &'static str) -> Result<Self> {
        let down = text.contains(" DESC");
        let mut order = Self {
            columns: Vec::new(),
            places: Vec::new(),
            operator: if down { "<" } else { ">" },
        };
        for part in text.split(", ") {
            let column = part.strip_suffix(" DESC").unwrap_or(part);
            let place = T::COLUMNS.iter().position(|known| *known == column);
            let same_way = (column.len() < part.len()) == down;
            let Some(place) = place.filter(|_| same_way) else {
                let name = T::NAME;
                return Err(Error::internal(format!("{name} cannot be listed by `{text}`")));
            };
            order.columns.push(column);
            order.places.push(place);
        }
        Ok(order)
    }

    /// What a row has in the columns of the order.
    fn keys<T: Table>(&self, row: &T) -> Vec<String> {
        row.with(|values| self.places.iter().map(|&place| told(values[place])).collect())
    }
}

/// A value in a token, its type first.
fn told(value: Value<'_>) -> String {
    match value {
        Value::Int(number) => format!("i{number}"),
        Value::Text(text) => format!("t{text}"),
        Value::Bool(truth) => format!("b{}", u8::from(truth)),
        // Neither sorts the same way on both engines.
        Value::Float(_) | Value::Bytes(_) | Value::Null(_) => String::new(),
    }
}

fn untold(key: &str) -> Option<Box<dyn Param>> {
    let (kind, rest) = (key.get(..1)?, key.get(1..)?);
    Some(match kind {
        "i" => Box::new(rest.parse::<i64>().ok()?),
        "t" => Box::new(rest.to_owned()),
        "b" => Box::new(rest == "1"),
        _ => return None,
    })
}

fn foreign() -> Error {
    Error::field("page_token", "page_token", "was not given by this method")
}

/// Parameters that came together at run time.
struct All<'a>(&'a [Box<dyn Param + 'a>]);

impl Params for All<'_> {
    fn with<R>(&self, body: impl FnOnce(&[Value<'_>]) -> R) -> R {
        let values: Vec<Value<'_>> = self.0.iter().map(|param| param.value()).collect();
        body(&values)
    }
}

/// A statement that is kept for ever: there are as many as combinations of what lists of the code
/// can be narrowed by.
fn interned(sql: String) -> &'static str {
    static KNOWN: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(same) = known.get(sql.as_str()) {
        return same;
    }
    let sql: &'static str = Box::leak(sql.into_boxed_str());
    known.insert(sql);
    sql
}
