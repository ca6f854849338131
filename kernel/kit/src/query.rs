//! Queries that are put together at run time: what people look for, as far as it is known only when
//! they do.
//!
//! ```ignore
//! let large = Filter::at_least("total_amount", 100_000_i64);
//! let here = Filter::among("location", &request.locations);
//! let orders: Vec<Order> =
//!     view.query("create_time DESC, id DESC").filter(Filter::any([large, here])).rows(100)?;
//! ```
//!
//! **Invariant:** a value is a parameter, and a name is that of a column of the table: whatever
//! people write, neither becomes part of the statement.
//!
//! **Invariant:** what is put together goes by the same rules as a literal: it stays with its tenant
//! and its service, and reads more than what it gives only where it says so.

use std::fmt::Write as _;
use std::marker::PhantomData;

use crate::session::Sql;
use crate::table::Table;
use crate::value::{Param, Params, Value};
use crate::{Code, Error, Result, View};

/// Conditions of one query.
const FILTERS_MAX: usize = 128;

/// A query on its way: which rows of a table, in an order.
pub struct Query<'a, T> {
    view: &'a View<'a>,
    order: &'a str,
    filters: Vec<Filter<'a>>,
    whole: Option<&'static str>,
    row: PhantomData<T>,
}

/// A condition.
pub struct Filter<'a>(Node<'a>);

enum Node<'a> {
    Compare(&'a str, Operator, Box<dyn Param + 'a>),
    Among(&'a str, Box<dyn Param + 'a>),
    /// A word that stands in the statement itself, so that an index of some rows only is known to
    /// hold those that are wanted.
    Word(&'a str, &'static str),
    /// A condition of the code.
    Said(&'static str),
    /// Columns that together stand behind, or before, what a row has in them.
    Behind(Vec<&'static str>, &'static str, Vec<Box<dyn Param + 'a>>),
    All(Vec<Filter<'a>>),
    Any(Vec<Filter<'a>>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Is,
    IsNot,
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl<'a> Filter<'a> {
    /// The column has this value; NULL if it is none.
    pub fn is(column: &'a str, value: impl Param + 'a) -> Self {
        Self(Node::Compare(column, Operator::Is, Box::new(value)))
    }

    /// The column has another value; any if it is none.
    pub fn is_not(column: &'a str, value: impl Param + 'a) -> Self {
        Self(Node::Compare(column, Operator::IsNot, Box::new(value)))
    }

    /// The column has less.
    pub fn below(column: &'a str, value: impl Param + 'a) -> Self {
        Self(Node::Compare(column, Operator::Below, Box::new(value)))
    }

    /// The column has this or less.
    pub fn at_most(column: &'a str, value: impl Param + 'a) -> Self {
        Self(Node::Compare(column, Operator::AtMost, Box::new(value)))
    }

    /// The column has more.
    pub fn above(column: &'a str, value: impl Param + 'a) -> Self {
        Self(Node::Compare(column, Operator::Above, Box::new(value)))
    }

    /// The column has this or more.
    pub fn at_least(column: &'a str, value: impl Param + 'a) -> Self {
        Self(Node::Compare(column, Operator::AtLeast, Box::new(value)))
    }

    /// The column has one of these values: a slice of texts or integers.
    pub fn among(column: &'a str, values: impl Param + 'a) -> Self {
        Self(Node::Among(column, Box::new(values)))
    }

    /// All of these hold.
    pub fn all(filters: impl IntoIterator<Item = Self>) -> Self {
        Self(Node::All(filters.into_iter().collect()))
    }

    /// One of these holds.
    pub fn any(filters: impl IntoIterator<Item = Self>) -> Self {
        Self(Node::Any(filters.into_iter().collect()))
    }

    pub(crate) fn word(column: &'a str, word: &'static str) -> Self {
        Self(Node::Word(column, word))
    }

    pub(crate) fn said(condition: &'static str) -> Self {
        Self(Node::Said(condition))
    }

    pub(crate) fn behind(order: &Order, values: Vec<Box<dyn Param + 'a>>) -> Self {
        Self(Node::Behind(order.columns.clone(), order.operator, values))
    }
}

impl<'a> View<'a> {
    /// Rows of a table that fulfil conditions which are known only now, in an order: columns of the
    /// table, all ascending or all `DESC`.
    pub fn query<T: Table>(&'a self, order: &'a str) -> Query<'a, T> {
        Query { view: self, order, filters: Vec::new(), whole: None, row: PhantomData }
    }
}

impl<'a, T: Table> Query<'a, T> {
    /// Only rows that fulfil a condition.
    #[must_use]
    pub fn filter(mut self, filter: Filter<'a>) -> Self {
        self.filters.push(filter);
        self
    }

    /// Says why it is right to read more rows than are given, where no index leads to them.
    #[must_use]
    pub fn whole(mut self, why: &'static str) -> Self {
        self.whole = Some(why);
        self
    }

    /// The first rows, so many at the most.
    ///
    /// # Errors
    /// `query.column` for a name that is no column of the table, `query.too_long`, and those of
    /// [`View::rows`].
    pub fn rows(self, most: i64) -> Result<Vec<T>> {
        let order = Order::read::<T>(self.order)?;
        let mut text = Text::default();
        text.select::<T>(&self.filters, &order, &most)?;
        text.whole(self.whole);
        text.rows(self.view)
    }
}

/// A statement while it is put together.
#[derive(Default)]
pub(crate) struct Text<'q> {
    sql: String,
    params: Vec<&'q dyn Param>,
}

impl<'q> Text<'q> {
    /// The first rows that fulfil all conditions.
    pub(crate) fn select<T: Table>(
        &mut self, filters: &'q [Filter<'_>], order: &Order, most: &'q i64,
    ) -> Result<()> {
        // With no condition there is nothing to join the last word of it to.
        let filtered =
            if filters.is_empty() { T::SELECT.trim_end_matches(" AND ") } else { T::SELECT };
        self.sql.push_str(filtered);
        self.joined::<T>(filters, " AND ", "")?;
        self.first(order, most);
        Ok(())
    }

    /// The first rows that fulfil all conditions and belong to somebody, or were granted to them:
    /// each is a range of an index of its own, as both together are of none.
    pub(crate) fn select_granted<T: Table>(
        &mut self, filters: &'q [Filter<'_>], owner: &'q String, order: &Order, most: &'q i64,
    ) -> Result<()> {
        let (own, id, kind) = (T::OWNER, T::KEY[0], T::GRANTED);
        let _ = write!(self.sql, "SELECT * FROM (SELECT * FROM ({}{own} = ", T::SELECT);
        self.bind(owner);
        self.further::<T>(filters)?;
        self.first(order, most);
        let _ = write!(self.sql, ") AS own UNION ALL SELECT * FROM ({}{id} IN ", T::SELECT);
        self.sql.push_str("(SELECT g.id FROM stoa_grant AS g WHERE g.tenant = :tenant ");
        let _ = write!(self.sql, "AND g.type = '{kind}' AND g.grantee = ");
        self.bind(owner);
        let _ = write!(self.sql, ") AND COALESCE({own}, '') <> ");
        self.bind(owner);
        self.further::<T>(filters)?;
        self.first(order, most);
        self.sql.push_str(") AS granted) AS seen");
        self.first(order, most);
        Ok(())
    }

    fn further<T: Table>(&mut self, filters: &'q [Filter<'_>]) -> Result<()> {
        self.sql.push_str(if filters.is_empty() { "" } else { " AND " });
        self.joined::<T>(filters, " AND ", "")
    }

    /// The first of what was said so far.
    fn first(&mut self, order: &Order, most: &'q i64) {
        let _ = write!(self.sql, " ORDER BY {} LIMIT ", order.text);
        self.bind(most);
    }

    /// Says why it reads what it reads, if anybody does.
    pub(crate) fn whole(&mut self, why: Option<&'static str>) {
        if let Some(why) = why {
            let _ = write!(self.sql, " /* whole: {why} */");
        }
    }

    /// The rows that it gives.
    pub(crate) fn rows<T: Table>(self, view: &View) -> Result<Vec<T>> {
        if self.params.len() > FILTERS_MAX {
            return Err(Error::new(
                Code::InvalidArgument,
                "query.too_long",
                format!("the query compares with more than {FILTERS_MAX} values"),
            )
            .help("Ask for less at once, or compare a column with a list of values."));
        }
        view.rows_of(Sql::Made(&self.sql), All(&self.params))
    }

    fn bind(&mut self, value: &'q dyn Param) {
        self.params.push(value);
        let _ = write!(self.sql, "${}", self.params.len());
    }

    fn joined<T: Table>(&mut self, filters: &'q [Filter<'_>], by: &str, none: &str) -> Result<()> {
        if filters.is_empty() {
            self.sql.push_str(none);
        }
        for (place, filter) in filters.iter().enumerate() {
            self.sql.push_str(if place == 0 { "" } else { by });
            self.condition::<T>(&filter.0)?;
        }
        Ok(())
    }

    fn condition<T: Table>(&mut self, node: &'q Node<'_>) -> Result<()> {
        match node {
            Node::Compare(column, operator, value) => {
                self.column::<T>(column)?;
                match (operator, value.value()) {
                    (Operator::Is, Value::Null(_)) => self.sql.push_str(" IS NULL"),
                    (Operator::IsNot, Value::Null(_)) => self.sql.push_str(" IS NOT NULL"),
                    _ => {
                        self.sql.push_str(operator.sql());
                        self.bind(&**value);
                    }
                }
            }
            Node::Among(column, values) => {
                self.column::<T>(column)?;
                self.sql.push_str(" = ANY (");
                self.bind(&**values);
                self.sql.push(')');
            }
            Node::Word(column, word) => {
                self.column::<T>(column)?;
                let _ = write!(self.sql, " = '{word}'");
            }
            Node::Said(condition) => self.sql.push_str(condition),
            Node::Behind(columns, operator, values) => {
                let _ = write!(self.sql, "({}) {operator} (", columns.join(", "));
                for (place, value) in values.iter().enumerate() {
                    self.sql.push_str(if place == 0 { "" } else { ", " });
                    self.bind(&**value);
                }
                self.sql.push(')');
            }
            Node::All(filters) => self.group::<T>(filters, " AND ", "TRUE")?,
            Node::Any(filters) => self.group::<T>(filters, " OR ", "FALSE")?,
        }
        Ok(())
    }

    fn group<T: Table>(&mut self, filters: &'q [Filter<'_>], by: &str, none: &str) -> Result<()> {
        self.sql.push('(');
        self.joined::<T>(filters, by, none)?;
        self.sql.push(')');
        Ok(())
    }

    fn column<T: Table>(&mut self, name: &str) -> Result<()> {
        self.sql.push_str(T::COLUMNS[place::<T>(name)?]);
        Ok(())
    }
}

impl Operator {
    fn sql(self) -> &'static str {
        match self {
            Self::Is => " = ",
            Self::IsNot => " <> ",
            Self::Below => " < ",
            Self::AtMost => " <= ",
            Self::Above => " > ",
            Self::AtLeast => " >= ",
        }
    }
}

/// The order of rows.
pub(crate) struct Order {
    pub(crate) columns: Vec<&'static str>,
    /// Where the columns stand among those of the table.
    places: Vec<usize>,
    operator: &'static str,
    text: String,
}

impl Order {
    pub(crate) fn read<T: Table>(text: &str) -> Result<Self> {
        let down = text.contains(" DESC");
        let operator = if down { "<" } else { ">" };
        let (mut columns, mut places) = (Vec::new(), Vec::new());
        for part in text.split(", ") {
            let column = part.strip_suffix(" DESC").unwrap_or(part);
            let place = place::<T>(column)?;
            if (column.len() < part.len()) != down {
                let both = format!("`{text}` goes up and down: all columns go the same way");
                return Err(Error::new(Code::InvalidArgument, "query.order", both)
                    .help("Sort by columns that all ascend, or that all descend."));
            }
            columns.push(T::COLUMNS[place]);
            places.push(place);
        }
        let way = if down { " DESC" } else { "" };
        let text: Vec<String> = columns.iter().map(|column| format!("{column}{way}")).collect();
        Ok(Self { columns, places, operator, text: text.join(", ") })
    }

    /// What a row has in the columns of the order.
    pub(crate) fn of<T: Table, R>(&self, row: &T, tell: impl Fn(Value<'_>) -> R) -> Vec<R> {
        row.with(|values| self.places.iter().map(|&place| tell(values[place])).collect())
    }
}

/// Where a column stands by which rows can be found and sorted: what is sealed tells nothing.
fn place<T: Table>(name: &str) -> Result<usize> {
    let place = T::COLUMNS.iter().position(|column| *column == name);
    let place = place.ok_or_else(|| unknown::<T>(name))?;
    let sealed = <T as Table>::PERSONAL.map_or(&[][..], |personal| personal.fields);
    if sealed.iter().any(|field| field.place == place) {
        let what = format!("`{name}` of {} is personal: nothing is found or sorted by it", T::NAME);
        return Err(Error::new(Code::InvalidArgument, "query.personal", what)
            .help("Look for a fingerprint that is kept beside it, or for something else."));
    }
    Ok(place)
}

fn unknown<T: Table>(name: &str) -> Error {
    let what = format!("`{name:.64}` is no column of {}", T::NAME);
    Error::new(Code::InvalidArgument, "query.column", what)
        .help(format!("Name one of {}.", T::COLUMNS.join(", ")))
}

/// Parameters that came together at run time.
struct All<'a>(&'a [&'a dyn Param]);

impl Params for All<'_> {
    fn with<R>(&self, body: impl FnOnce(&[Value<'_>]) -> R) -> R {
        let values: Vec<Value<'_>> = self.0.iter().map(|param| param.value()).collect();
        body(&values)
    }
}
