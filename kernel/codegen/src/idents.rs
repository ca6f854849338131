//! Rust names of things in a contract. They must equal the names that `buffa` gives.

/// The keywords of every edition up to 2024, reserved ones included.
const KEYWORDS: &str = " as break const continue crate else enum extern false fn for if impl in \
    let loop match mod move mut pub ref return self Self static struct super trait true type \
    unsafe use where while async await dyn gen abstract become box do final macro override priv \
    try typeof unsized virtual yield ";

/// A name as an identifier: `type` becomes `r#type`, `self` becomes `self_`.
pub(crate) fn ident(name: &str) -> String {
    match name {
        "self" | "Self" | "super" | "crate" => format!("{name}_"),
        _ if KEYWORDS.contains(&format!(" {name} ")) => format!("r#{name}"),
        _ => name.to_owned(),
    }
}

/// `create_time` becomes `CreateTime`.
pub(crate) fn pascal(name: &str) -> String {
    name.split('_')
        .map(|part| {
            let mut chars = part.chars();
            chars.next().map_or_else(String::new, |first| {
                first.to_uppercase().collect::<String>() + chars.as_str()
            })
        })
        .collect()
}

/// `CreateTransfer` becomes `create_transfer`, `HTTPResponse` becomes `http_response`.
pub(crate) fn snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (index, c) in chars.iter().enumerate() {
        if c.is_uppercase() && index > 0 {
            let before = chars[index - 1];
            let word_ends = chars.get(index + 1).is_some_and(|next| next.is_lowercase());
            if before.is_lowercase() || (before.is_uppercase() && word_ends) {
                out.push('_');
            }
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// Whether a name is `<service>.<noun>` with any number of further lower-case segments.
pub(crate) fn is_dotted(name: &str, service: &str) -> bool {
    let segments: Vec<&str> = name.split('.').collect();
    segments.len() >= 2
        && segments[0] == service
        && segments.iter().all(|segment| {
            segment.starts_with(|c: char| c.is_ascii_lowercase())
                && segment
                    .bytes()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
        })
}
