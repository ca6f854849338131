//! Several things of one kind, each on a line.

use prost_reflect::{FieldDescriptor, MessageDescriptor};
use serde_json::{Map, Value as Json};
use unicode_width::UnicodeWidthStr;

use super::Page;
use super::cell::{cell, is_number, is_simple};
use crate::value::Holds;

/// The widest cell where a line has an end.
const CELL_MAX: usize = 40;
/// What stands between two columns.
const GAP: &str = "  ";

struct Column {
    name: String,
    from_right: bool,
    cells: Vec<String>,
    width: usize,
}

/// A table of messages: their simple fields first, as many as fit, and all of them where it is wide.
pub(super) fn table(
    page: &Page, message: &MessageDescriptor, rows: &[Json], around: &str,
) -> String {
    let (simple, other): (Vec<_>, Vec<_>) = message.fields().partition(is_simple);
    let fields = if page.is_wide() { [simple, other].concat() } else { simple };
    let columns = fields.iter().map(|field| Column::new(page, field, rows, around));
    let mut columns: Vec<Column> =
        columns.filter(|column| column.cells.iter().any(|cell| !cell.is_empty())).collect();
    let hidden = match page.width {
        Some(width) if !page.is_wide() => fit(&mut columns, width),
        _ => 0,
    };
    let mut out = String::new();
    let names: Vec<String> = columns.iter().map(|column| column.padded(&column.name)).collect();
    out += &format!("{}\n", page.heading(names.join(GAP).trim_end()));
    for row in 0..rows.len() {
        let cells = columns.iter().map(|column| column.padded(&column.cells[row]));
        out += &format!("{}\n", cells.collect::<Vec<_>>().join(GAP).trim_end());
    }
    if hidden > 0 {
        out += &format!("… {hidden} more columns: -o wide\n");
    }
    out
}

/// Leaves columns out, the last ones first, until a line fits; gives how many.
fn fit(columns: &mut Vec<Column>, width: usize) -> usize {
    let (mut taken, before) = (0, columns.len());
    let fits = columns.iter().take_while(|column| {
        taken += column.width + GAP.len();
        taken <= width + GAP.len()
    });
    let fits = fits.count().max(1);
    columns.truncate(fits);
    before - columns.len()
}

impl Column {
    fn new(page: &Page, field: &FieldDescriptor, rows: &[Json], around: &str) -> Self {
        let nothing = Map::new();
        let cells = rows.iter().map(|row| {
            let text = cell(field, row.as_object().unwrap_or(&nothing), around);
            match Holds::of(&field.kind()) {
                _ if page.is_wide() => text,
                Holds::Timestamp => to_the_second(&text),
                _ => clipped(text),
            }
        });
        let cells: Vec<String> = cells.collect();
        let name = field.name().replace('_', " ").to_uppercase();
        let width = cells.iter().map(|cell| cell.width()).max().unwrap_or(0).max(name.width());
        Self { name, from_right: is_number(field), cells, width }
    }

    fn padded(&self, text: &str) -> String {
        let space = " ".repeat(self.width.saturating_sub(text.width()));
        if self.from_right { format!("{space}{text}") } else { format!("{text}{space}") }
    }
}

/// A time without what is less than a second: `2026-11-29T12:00:00Z`.
fn to_the_second(time: &str) -> String {
    time.split_once('.').map_or_else(|| time.to_owned(), |(seconds, _)| format!("{seconds}Z"))
}

fn clipped(text: String) -> String {
    if text.width() <= CELL_MAX {
        return text;
    }
    let mut short = String::new();
    for sign in text.chars() {
        if short.width() + 2 > CELL_MAX {
            break;
        }
        short.push(sign);
    }
    short + "…"
}
