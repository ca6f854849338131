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
//! Rows that were granted to the caller stand among their own, in the order of all.
//!
//! A page begins behind the last row of the one before, by the columns of the order, so that rows
//! which come and go move no others. What was not asked for leaves no trace in the statement:
//! each combination is one of its own, planned by itself, and so runs along the index that fits.
//! Where none does, the list says why that is right, or is refused.

use std::borrow::Cow;

use buffa::EnumValue;
use stoa_contract::{Paged, Resource, Words};

use crate::query::{Filter, Order, Text};
use crate::table::Table;
use crate::value::{Param, Value};
use crate::{Access, Error, Page, Result, View};

/// A list on its way: what is in it.
pub struct List<'a, T> {
    view: &'a View<'a>,
    order: Cow<'static, str>,
    filters: Vec<Filter<'a>>,
    whole: Option<&'static str>,
    seen: Access,
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
        List { seen: self.access::<T>(), ..self.list_all(order) }
    }

    /// Lists rows whoever they belong to: what the contract shows to all who may call.
    pub fn list_all<T: Table>(&'a self, order: &'static str) -> List<'a, T> {
        self.list_by(Cow::Borrowed(order))
    }

    /// Lists rows in the order of their keys.
    pub(crate) fn list_by_key<T: Table>(&'a self) -> List<'a, T> {
        self.list_by(Cow::Owned(T::KEY.join(", ")))
    }

    fn list_by<T: Table>(&'a self, order: Cow<'static, str>) -> List<'a, T> {
        List {
            view: self,
            order,
            filters: Vec::new(),
            whole: None,
            seen: Access::All,
            row: std::marker::PhantomData,
        }
    }
}

impl<'a, T: Table> List<'a, T> {
    /// Only rows whose column has a value, if one was given.
    #[must_use]
    pub fn only(mut self, column: &'static str, value: impl Wanted + 'a) -> Self {
        if value.is_given() {
            self.filters.push(match value.literal() {
                Some(word) => Filter::word(column, word),
                None => Filter::is(column, value),
            });
        }
        self
    }

    /// Only rows that fulfil a condition without parameters, if `wanted`.
    #[must_use]
    pub fn only_if(mut self, wanted: bool, condition: &'static str) -> Self {
        if wanted {
            self.filters.push(Filter::said(condition));
        }
        self
    }

    /// Only rows whose column begins with a text.
    #[must_use]
    pub fn starting_with(mut self, column: &'static str, prefix: String) -> Self {
        if !prefix.is_empty() {
            // No text that begins with the prefix sorts behind it and the last character.
            let end = format!("{prefix}\u{10ffff}");
            self.filters.push(Filter::at_least(column, prefix));
            self.filters.push(Filter::below(column, end));
        }
        self
    }

    /// Only rows of one owner, if one was given.
    #[must_use]
    pub fn owned_by(self, owner: &'a str) -> Self {
        self.only(T::OWNER, owner)
    }

    /// Says why it is right to pass over rows that are not asked for, where no index has those
    /// that are.
    #[must_use]
    pub fn whole(mut self, why: &'static str) -> Self {
        self.whole = Some(why);
        self
    }

    /// Only rows that hold something about a person.
    pub(crate) fn about(mut self, subject: &'a str) -> Self {
        let fields = <T as Table>::PERSONAL.map_or(&[][..], |personal| personal.fields);
        let mut columns: Vec<_> = fields.iter().map(|field| T::COLUMNS[field.subject]).collect();
        columns.dedup();
        let mut about: Vec<_> =
            columns.into_iter().map(|column| Filter::is(column, subject)).collect();
        self.filters.extend(match about.len() {
            0 | 1 => about.pop(),
            _ => Some(Filter::any(about)),
        });
        self
    }

    /// The page that a request asks for, and the token of the next one: empty on the last.
    ///
    /// # Errors
    /// `request.invalid` at `page_size` or `page_token`, and those of [`View::rows`].
    pub fn page(self, request: &impl Paged) -> Result<(Vec<T>, String)> {
        let page = self.view.page(request, self.order.split(", ").count())?;
        self.show(&page)
    }

    /// A page that was asked for.
    pub(crate) fn show(mut self, page: &Page) -> Result<(Vec<T>, String)> {
        let order = Order::read::<T>(&self.order)?;
        if page.after.is_some() {
            let keys = (0..order.columns.len()).map(|place| untold(page.key(place)));
            let keys = keys.collect::<Option<Vec<_>>>().ok_or_else(foreign)?;
            self.filters.push(Filter::behind(&order, keys));
        }
        let limit = page.limit();
        let mut text = Text::default();
        match &self.seen {
            Access::All => text.select::<T>(&self.filters, &order, &limit)?,
            Access::Granted(owner) => {
                text.select_granted::<T>(&self.filters, owner, &order, &limit)?;
            }
            Access::Own(owner) if !T::OWNER.is_empty() => {
                self.filters.push(Filter::is(T::OWNER, owner.clone()));
                text.select::<T>(&self.filters, &order, &limit)?;
            }
            Access::Own(_) | Access::None => return Ok((Vec::new(), String::new())),
        }
        text.whole(self.whole);
        let mut rows: Vec<T> = text.rows(self.view)?;
        let token = page.cut(&mut rows, |row| order.of(row, told))?;
        Ok((rows, token))
    }
}

/// A value in a token, its type first.
fn told(value: Value<'_>) -> String {
    match value {
        Value::Int(number) => format!("i{number}"),
        Value::Text(text) => format!("t{text}"),
        Value::Bool(truth) => format!("b{}", u8::from(truth)),
        // Neither sorts the same way on both engines.
        _ => String::new(),
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
