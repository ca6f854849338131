//! The rules of single values, as calls of `stoa_contract::check`.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, Value};

/// A value to check and how Rust reaches it.
pub(crate) struct Scalar<'a> {
    /// The path of `stoa-contract`.
    pub(crate) contract: &'a str,
    pub(crate) kind: &'a Kind,
    /// The name reported; empty for the items of a list.
    pub(crate) name: &'a str,
    /// An expression for a reference to the value.
    pub(crate) reference: &'a str,
    /// An expression for the value.
    pub(crate) value: &'a str,
}

const TEXT: &str =
    "len, min_len, max_len, min_bytes, max_bytes, pattern, prefix, in, email, uuid, uri";
const NUMBER: &str = "const, gt, gte, lt, lte, in";
/// The rules of lists and maps.
pub(crate) const MANY: &str =
    "min_items, max_items and items for lists; min_pairs, max_pairs, keys and values for maps";

/// The rules that a type can have.
pub(crate) fn supported(kind: &Kind) -> &'static str {
    match kind {
        Kind::String => TEXT,
        Kind::Bytes => "len, min_len, max_len",
        Kind::Enum(_) => "defined_only, in, not_in",
        Kind::Bool => "required",
        _ => NUMBER,
    }
}

/// The name of a type's rules in `buf.validate`.
pub(crate) fn rules_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Double => "double",
        Kind::Float => "float",
        Kind::Int32 => "int32",
        Kind::Int64 => "int64",
        Kind::Uint32 => "uint32",
        Kind::Uint64 => "uint64",
        Kind::Sint32 => "sint32",
        Kind::Sint64 => "sint64",
        Kind::Fixed32 => "fixed32",
        Kind::Fixed64 => "fixed64",
        Kind::Sfixed32 => "sfixed32",
        Kind::Sfixed64 => "sfixed64",
        Kind::Bool => "bool",
        Kind::String => "string",
        Kind::Bytes => "bytes",
        Kind::Enum(_) => "enum",
        Kind::Message(_) => "message",
    }
}

/// A condition: the value is not its type's zero.
pub(crate) fn is_set(kind: &Kind, value: &str) -> String {
    match kind {
        Kind::String | Kind::Bytes => format!("!{value}.is_empty()"),
        Kind::Bool => value.to_owned(),
        Kind::Enum(_) => format!("{value}.to_i32() != 0"),
        Kind::Double | Kind::Float => format!("{value} != 0.0"),
        _ => format!("{value} != 0"),
    }
}

/// A bound on the length of a list or map.
pub(crate) fn count(
    field: &FieldDescriptor, rule: &str, wanted: &Value, access: &str,
) -> Option<String> {
    let (rule, comparison, words) = match (field.is_map(), rule) {
        (false, "min_items") => ("repeated.min_items", ">=", "at least"),
        (false, "max_items") => ("repeated.max_items", "<=", "at most"),
        (true, "min_pairs") => ("map.min_pairs", ">=", "at least"),
        (true, "max_pairs") => ("map.max_pairs", "<=", "at most"),
        _ => return None,
    };
    let wanted = wanted.as_u64()?;
    Some(format!(
        "check.count({:?}, {rule:?}, {access}.len() as u64 {comparison} {wanted}, \
         \"{words} {wanted}\");\n",
        field.name()
    ))
}

/// Why no number satisfies both bounds, if none does.
pub(crate) fn empty_range(rules: &DynamicMessage) -> Option<String> {
    let bound = |names: [&str; 2]| {
        let (rule, value) = rules.fields().find(|(rule, _)| names.contains(&rule.name()))?;
        Some((rule.name().len() == 3, number(value)?))
    };
    let ((at_least, low), (at_most, high)) = (bound(["gt", "gte"])?, bound(["lt", "lte"])?);
    let holds = if at_least && at_most { low <= high } else { low < high };
    // Protovalidate reads bounds the wrong way round as "outside"; nobody reads them so.
    (!holds).then(|| "no number lies between its bounds".to_owned())
}

/// Numbers beyond 2^53 lose their last digits here, which only matters to `empty_range`.
fn number(value: &Value) -> Option<f64> {
    literal(value)?.parse().ok()
}

/// A number as Rust writes it.
fn literal(value: &Value) -> Option<String> {
    match value {
        Value::I32(number) => Some(number.to_string()),
        Value::I64(number) => Some(number.to_string()),
        Value::U32(number) => Some(number.to_string()),
        Value::U64(number) => Some(number.to_string()),
        Value::F32(number) if number.is_finite() => Some(format!("{number:?}")),
        Value::F64(number) if number.is_finite() => Some(format!("{number:?}")),
        _ => None,
    }
}

fn literals(value: &Value) -> Option<Vec<String>> {
    value.as_list()?.iter().map(literal).collect()
}

impl Scalar<'_> {
    /// The statement of one rule; nothing if there is no such rule here, an error if the rule
    /// says nonsense.
    pub(crate) fn rule(&self, rule: &str, wanted: &Value) -> Result<Option<String>, String> {
        match self.kind {
            Kind::String => self.text(rule, wanted),
            Kind::Bytes => Ok(self.bytes(rule, wanted)),
            Kind::Enum(_) => Ok(self.choice(rule, wanted)),
            Kind::Bool | Kind::Message(_) => Ok(None),
            _ => Ok(self.number(rule, wanted)),
        }
    }

    fn text(&self, rule: &str, wanted: &Value) -> Result<Option<String>, String> {
        let Self { name, reference, contract, .. } = self;
        let line = match (rule, wanted) {
            ("email" | "uuid" | "uri", Value::Bool(false)) => String::new(),
            ("email" | "uuid" | "uri", _) => format!("check.{rule}({name:?}, {reference});"),
            ("min_len" | "max_len", Value::U64(n)) => {
                format!("check.{rule}({name:?}, {reference}, {n});")
            }
            ("len", Value::U64(n)) => self.bound(
                "string.len",
                &format!("({reference}).chars().count() as u64 == {n}"),
                &format!("exactly {n} characters long"),
            ),
            ("min_bytes" | "max_bytes", Value::U64(n)) => {
                format!("check.{rule}({name:?}, \"string.{rule}\", ({reference}).as_bytes(), {n});")
            }
            ("prefix", Value::String(prefix)) => self.bound(
                "string.prefix",
                &format!("({reference}).starts_with({prefix:?})"),
                &format!("a text that starts with `{prefix}`"),
            ),
            ("in", Value::List(allowed)) => {
                let allowed: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
                format!("check.one_of({name:?}, {reference}, &{allowed:?});")
            }
            ("pattern", Value::String(pattern)) => {
                regex::Regex::new(pattern).map_err(|error| error.to_string())?;
                format!(
                    "{{\nstatic PATTERN: {contract}::check::Pattern =\n\
                     {contract}::check::pattern(|| {contract}::check::compile({pattern:?}));\n\
                     check.matches({name:?}, {reference}, &PATTERN, {pattern:?});\n}}"
                )
            }
            _ => return Ok(None),
        };
        Ok(Some(if line.is_empty() { line } else { line + "\n" }))
    }

    fn bytes(&self, rule: &str, wanted: &Value) -> Option<String> {
        let Self { name, reference, .. } = self;
        let n = wanted.as_u64()?;
        if rule == "len" {
            let holds = format!("({reference}).len() as u64 == {n}");
            return Some(
                self.bound("bytes.len", &holds, &format!("exactly {n} bytes long")) + "\n",
            );
        }
        let call = match rule {
            "min_len" => "min_bytes",
            "max_len" => "max_bytes",
            _ => return None,
        };
        Some(format!("check.{call}({name:?}, \"bytes.{rule}\", {reference}, {n});\n"))
    }

    fn number(&self, rule: &str, wanted: &Value) -> Option<String> {
        let value = self.value;
        let full = format!("{}.{rule}", rules_name(self.kind));
        if rule == "in" {
            let allowed = literals(wanted)?.join(", ");
            let holds = format!("[{allowed}].contains(&({value}))");
            return Some(self.bound(&full, &holds, &format!("one of {allowed}")) + "\n");
        }
        let (comparison, words) = match rule {
            "const" => ("==", ""),
            "gt" => (">", "greater than "),
            "gte" => (">=", "at least "),
            "lt" => ("<", "less than "),
            "lte" => ("<=", "at most "),
            _ => return None,
        };
        let wanted = literal(wanted)?;
        let holds = format!("{value} {comparison} {wanted}");
        Some(self.bound(&full, &holds, &format!("{words}{wanted}")) + "\n")
    }

    fn choice(&self, rule: &str, wanted: &Value) -> Option<String> {
        let Self { name, reference, kind, .. } = self;
        if rule == "defined_only" {
            let defined = format!("check.defined({name:?}, ({reference}).is_known());\n");
            return Some(if wanted.as_bool() == Some(true) { defined } else { String::new() });
        }
        let listed = literals(wanted)?.join(", ");
        let names: Vec<String> = wanted
            .as_list()?
            .iter()
            .filter_map(|number| {
                let value = kind.as_enum()?.get_value(number.as_i32()?)?;
                Some(value.name().to_owned())
            })
            .collect();
        let names = names.join(", ");
        let among = format!("[{listed}].contains(&({reference}).to_i32())");
        let line = match rule {
            "in" => self.bound("enum.in", &among, &format!("one of {names}")),
            "not_in" => {
                self.bound("enum.not_in", &format!("!{among}"), &format!("other than {names}"))
            }
            _ => return None,
        };
        Some(line + "\n")
    }

    fn bound(&self, rule: &str, holds: &str, words: &str) -> String {
        format!("check.bound({:?}, {rule:?}, {holds}, {words:?});", self.name)
    }
}
