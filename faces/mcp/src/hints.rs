//! What a method does to what there is, as far as its contract tells: its kind, the method of HTTP
//! under which REST serves it, and the verb that its name begins with.

use rmcp::model::ToolAnnotations;
use stoa_contract::{Kind, Method};

/// Verbs of methods that add something and change nothing that was there.
const ADD: [&str; 37] = [
    "Add",
    "Annotate",
    "Append",
    "Book",
    "Check",
    "Count",
    "Create",
    "Deliver",
    "Ensure",
    "Enqueue",
    "Export",
    "Follow",
    "Get",
    "Grant",
    "Import",
    "Introspect",
    "Invite",
    "Issue",
    "List",
    "Notify",
    "Open",
    "Place",
    "Post",
    "Preview",
    "Publish",
    "Quote",
    "Receive",
    "Record",
    "Register",
    "Request",
    "Reserve",
    "Retry",
    "Schedule",
    "Send",
    "Share",
    "Submit",
    "Upload",
];
/// Verbs of methods that take away what there was, or what somebody may.
const TAKE: [&str; 30] = [
    "Archive",
    "Ban",
    "Cancel",
    "Clear",
    "Close",
    "Delete",
    "Destroy",
    "Disable",
    "Discard",
    "Drop",
    "Erase",
    "Evict",
    "Expire",
    "Forget",
    "Prune",
    "Purge",
    "Refund",
    "Reject",
    "Remove",
    "Reset",
    "Retire",
    "Reverse",
    "Revoke",
    "Suspend",
    "Terminate",
    "Uninstall",
    "Unshare",
    "Void",
    "Wipe",
    "Withdraw",
];

/// The words of a method's name. What is done to many is done to each: `Batch` is none of them.
fn words(name: &str) -> Vec<&str> {
    let mut starts: Vec<usize> =
        name.match_indices(|letter: char| letter.is_ascii_uppercase()).map(|(at, _)| at).collect();
    starts.push(name.len());
    let words = starts.windows(2).map(|ends| &name[ends[0]..ends[1]]);
    words.filter(|word| *word != "Batch").collect()
}

fn verb(method: &Method) -> &str {
    words(method.name).first().copied().unwrap_or_default()
}

/// Whether a method takes something away that is not had back by calling another one.
pub(crate) fn takes_away(method: &Method) -> bool {
    let deletes = method.http.iter().any(|binding| binding.http_method == "DELETE");
    method.kind != Kind::Query && (deletes || TAKE.contains(&verb(method)))
}

/// The hints of a method. Without an idempotency key, a second call with the same arguments comes to
/// nothing more only where HTTP says so of the way that REST serves it.
pub(crate) fn of(method: &Method) -> ToolAnnotations {
    let hints = ToolAnnotations::with_title(title(method))
        .read_only(method.kind == Kind::Query)
        .open_world(method.kind == Kind::Effect);
    if method.kind == Kind::Query {
        return hints;
    }
    let repeats = |method: &&str| matches!(*method, "PUT" | "DELETE");
    let mut verbs = method.http.iter().map(|binding| binding.http_method).peekable();
    let is_idempotent = verbs.peek().is_some() && verbs.all(|verb| repeats(&verb));
    hints.destructive(takes_away(method) || !ADD.contains(&verb(method))).idempotent(is_idempotent)
}

/// A name as people read it: `Create transfer`.
pub(crate) fn title(method: &Method) -> String {
    let mut title = String::new();
    for (place, word) in method.name.char_indices() {
        if word.is_ascii_uppercase() && place > 0 {
            title.push(' ');
            title.push(word.to_ascii_lowercase());
        } else {
            title.push(word);
        }
    }
    title
}
