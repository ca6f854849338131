//! The few pages that people see on the way: no script, nothing from elsewhere, nothing that frames them.

use stoa_kit::v1::HttpResponse;

use super::words::with;

const STYLE: &str = "\
body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f6f6f4;color:#1a1a19}\
main{max-width:26rem;margin:12vh auto;padding:2rem;background:#fff;border:1px solid #dcdcd8;border-radius:8px}\
h1{font-size:1.25rem;margin:0 0 1rem}ul{padding-left:1.2rem}\
button,input{font:inherit;padding:.5rem 1rem;border-radius:6px;border:1px solid #8a8a85;background:#fff}\
button.main{background:#1a1a19;color:#fff}form{display:flex;gap:.5rem;margin-top:1.5rem;flex-wrap:wrap}\
@media(prefers-color-scheme:dark){body{background:#161615;color:#ecece8}main{background:#1f1f1e;border-color:#3a3a38}\
button,input{background:#1f1f1e;color:inherit}button.main{background:#ecece8;color:#161615}}";

/// How pages look.
pub(super) fn style() -> HttpResponse {
    let said = HttpResponse { status: 200, body: STYLE.into(), ..HttpResponse::default() };
    let said = with(said, "content-type", "text/css; charset=utf-8");
    with(with(said, "cache-control", "public, max-age=3600"), "x-content-type-options", "nosniff")
}

/// A page: its title, what stands below it as HTML, and the origin that its form may lead to in the end.
pub(super) fn page(status: i32, title: &str, content: &str, leads_to: &str) -> HttpResponse {
    let title = escaped(title);
    let body = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <link rel=\"stylesheet\" href=\"/oauth2/page.css\"></head>\
         <body><main><h1>{title}</h1>{content}</main></body></html>"
    );
    framed(status, body, &format!("'self' {leads_to}"))
}

/// A page that goes on to an address of this node by itself: a browser that another site sent here keeps its
/// cookie to itself, and sends it along when a page from here asks.
pub(super) fn onward(address: &str) -> HttpResponse {
    let address = escaped(address);
    let body = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>…</title>\
         <meta http-equiv=\"refresh\" content=\"0;url={address}\"></head>\
         <body><a href=\"{address}\">Continue</a></body></html>"
    );
    framed(200, body, "'none'")
}

fn framed(status: i32, body: String, form_action: &str) -> HttpResponse {
    let said = HttpResponse { status, body: body.into_bytes(), ..HttpResponse::default() };
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action {form_action}; frame-ancestors 'none'; \
         base-uri 'none'"
    );
    [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("content-security-policy", &*policy),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ]
    .into_iter()
    .fold(said, |said, (name, value)| with(said, name, value))
}

/// What somebody is asked to grant: who asks, who they are, and what for.
pub(super) fn wants(client: &str, handle: &str, scopes: &[String]) -> String {
    let each: String =
        scopes.iter().map(|scope| format!("<li>{}</li>", escaped(&meaning(scope)))).collect();
    format!(
        "<p><strong>{}</strong> asks for this of you, {}:</p><ul>{each}</ul>",
        escaped(client),
        escaped(handle)
    )
}

fn meaning(scope: &str) -> String {
    match scope {
        "openid" => "to know who you are".into(),
        "profile" => "your name, language and time zone".into(),
        "email" => "your e-mail address".into(),
        "offline_access" => "to go on when you are signed out".into(),
        other => other.to_owned(),
    }
}

/// The buttons of a question, in a form that is sent to an address of this node.
pub(super) fn decide(action: &str, hidden: &[(&str, &str)], yes: &str, no: &str) -> String {
    let button = |value: &str, class: &str, text: &str| {
        format!("<button name=\"decision\" value=\"{value}\"{class}>{}</button>", escaped(text))
    };
    let no = if no.is_empty() { String::new() } else { button("deny", "", no) };
    format!(
        "<form method=\"post\" action=\"{}\">{}{}{no}</form>",
        escaped(action),
        fields(hidden),
        button("allow", " class=\"main\"", yes)
    )
}

fn fields(hidden: &[(&str, &str)]) -> String {
    let field = |(name, value): &(&str, &str)| {
        format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escaped(value))
    };
    hidden.iter().map(field).collect()
}

/// Where somebody types what a device shows.
pub(super) fn type_code(action: &str) -> String {
    format!(
        "<form method=\"get\" action=\"{}\"><input name=\"user_code\" autocomplete=\"off\" \
         autocapitalize=\"characters\" aria-label=\"Code\" placeholder=\"XXXX-XXXX\" required>\
         <button class=\"main\">Next</button></form>",
        escaped(action)
    )
}

/// A paragraph.
pub(super) fn text(text: &str) -> String {
    format!("<p>{}</p>", escaped(text))
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}
