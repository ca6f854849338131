//! Requests as they came, and answers as they go out.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::Value;
use stoa_kit::v1::{HttpHeader, HttpRequest, HttpResponse};
use stoa_kit::{Reason as _, Result};
use stoa_oidc_v1::{ClientProof, Reason, Settings};
use url::form_urlencoded;

const FORM: &str = "application/x-www-form-urlencoded";
/// More parameters than any request of these protocols has.
const PARAMETERS_MAX: usize = 64;

/// Parameters, in the order in which they came. One that is empty is none (RFC 6749, 3.1).
#[derive(Debug, Default, Clone)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn read(text: &[u8]) -> Result<Self> {
        let all: Vec<_> =
            form_urlencoded::parse(text).into_owned().take(PARAMETERS_MAX + 1).collect();
        if all.len() > PARAMETERS_MAX {
            return Err(Reason::InvalidRequest.because("there are more than 64 parameters"));
        }
        Ok(Self(all.into_iter().filter(|(_, value)| !value.is_empty()).collect()))
    }

    /// A parameter; an empty text where it is not there.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The same as a text of its own.
    pub(super) fn text(&self, name: &str) -> String {
        self.get(name).to_owned()
    }

    /// A parameter that is there twice.
    pub(super) fn repeated(&self) -> Option<&str> {
        let names = || self.0.iter().map(|(name, _)| name.as_str());
        names()
            .enumerate()
            .find(|(at, name)| names().take(*at).any(|other| other == *name))
            .map(|(_, name)| name)
    }

    /// As they stand in an address, but for some, and with others.
    pub(super) fn written(&self, but: &[&str], with: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let kept = self.0.iter().filter(|(name, _)| !but.contains(&name.as_str()));
        query.extend_pairs(kept).extend_pairs(with);
        query.finish()
    }
}

/// A request.
pub(super) struct Asked<'a> {
    http: &'a HttpRequest,
    /// What stands in its address.
    pub(super) query: Parameters,
    /// What stands in its body, where that is a form.
    pub(super) form: Parameters,
}

impl<'a> Asked<'a> {
    pub(super) fn read(http: &'a HttpRequest) -> Result<Self> {
        let mut asked = Self {
            http,
            query: Parameters::read(http.query.as_bytes())?,
            form: Parameters::default(),
        };
        let kind = asked.header("content-type").split(';').next().unwrap_or_default().trim();
        if http.method == "POST" && kind.eq_ignore_ascii_case(FORM) {
            asked.form = Parameters::read(&http.body)?;
        }
        Ok(asked)
    }

    /// A header; an empty text where there is none.
    pub(super) fn header(&self, name: &str) -> &'a str {
        let found = self.http.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map_or("", |header| &header.value)
    }

    /// Parameters from wherever a browser sends them.
    pub(super) fn browsers(&self) -> &Parameters {
        if self.http.method == "POST" { &self.form } else { &self.query }
    }

    /// The form of a program: one that names a parameter twice, or says in its address what nobody is to
    /// read there, is refused.
    pub(super) fn programs(&self) -> Result<&Parameters> {
        if let Some(name) = self.form.repeated() {
            let name: String = name.chars().filter(char::is_ascii_graphic).take(64).collect();
            return Err(Reason::InvalidRequest.because(format!("`{name}` is there twice")));
        }
        let secrets = [
            "client_secret",
            "code",
            "refresh_token",
            "code_verifier",
            "token",
            "access_token",
            "device_code",
            "client_assertion",
        ];
        if secrets.iter().any(|name| !self.query.get(name).is_empty()) {
            return Err(Reason::InvalidRequest.because("secrets belong into the body"));
        }
        Ok(&self.form)
    }

    /// Who a program says that it is, in one way (RFC 6749, 2.3.1).
    pub(super) fn client(&self) -> Result<ClientProof> {
        let form = self.programs()?;
        let (client_id, secret) = (form.text("client_id"), form.text("client_secret"));
        let said = ClientProof { client_id, secret, signed: false };
        let Some(basic) = scheme(self.header("authorization"), "basic") else {
            return Ok(said);
        };
        let wrong = || Reason::InvalidClient.because("the `Authorization` is not readable");
        let bytes = BASE64.decode(basic).map_err(|_| wrong())?;
        let text = String::from_utf8(bytes).map_err(|_| wrong())?;
        let (id, secret) = text.split_once(':').ok_or_else(wrong)?;
        let plain = |text: &str| {
            // Both are written as forms write values.
            let pair = format!("v={text}");
            form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
        };
        let (id, secret) = (plain(id).unwrap_or_default(), plain(secret).unwrap_or_default());
        if !said.secret.is_empty() || !(said.client_id.is_empty() || said.client_id == id) {
            return Err(Reason::InvalidRequest.because("the application says twice who it is"));
        }
        Ok(ClientProof { client_id: id, secret, signed: false })
    }

    /// A bearer token.
    pub(super) fn bearer(&self) -> &'a str {
        scheme(self.header("authorization"), "bearer").unwrap_or_default()
    }

    /// What the cookie of a session is called: browsers keep one of a name for all ports of a host.
    pub(super) fn cookie_name(&self) -> String {
        let host = self.header("host");
        let port = host
            .rsplit_once(':')
            .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        match port {
            Some((_, port)) if !port.is_empty() => format!("stoa_session_{port}"),
            _ => "stoa_session".to_owned(),
        }
    }

    /// The cookie that makes a browser keep a session, or with an empty text forget it.
    pub(super) fn session_cookie(&self, token: &str, seconds: u64, settings: &Settings) -> String {
        let secure = if settings.issuer.starts_with("https:") { "; Secure" } else { "" };
        let name = self.cookie_name();
        format!("{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
    }

    /// The session of a browser; an empty text where it has none.
    pub(super) fn session_token(&self) -> String {
        self.cookie(&self.cookie_name())
    }

    /// A cookie; an empty text where there is none.
    pub(super) fn cookie(&self, wanted: &str) -> String {
        let lines =
            self.http.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("cookie"));
        let mut pairs =
            lines.flat_map(|line| line.value.split(';')).filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(name, _)| name.trim() == wanted)
            .map(|(_, value)| value.trim().to_owned())
            .unwrap_or_default()
    }

    /// Whether another site sent the browser here, so that it kept its cookie to itself.
    pub(super) fn is_from_elsewhere(&self) -> bool {
        matches!(self.header("sec-fetch-site"), "cross-site" | "same-site")
    }

    pub(super) fn is_get(&self) -> bool {
        self.http.method != "POST"
    }
}

fn scheme<'a>(authorization: &'a str, wanted: &str) -> Option<&'a str> {
    let (scheme, rest) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then(|| rest.trim())
}

/// A text in the characters that descriptions may have (RFC 6749, 5.2).
pub(super) fn description(text: &str) -> String {
    let may = |letter: &char| matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\');
    text.chars().filter(may).take(300).collect()
}

/// JSON that nobody keeps.
pub(super) fn answer(status: i32, body: &Value) -> HttpResponse {
    let said =
        HttpResponse { status, body: body.to_string().into_bytes(), ..HttpResponse::default() };
    let said = with(said, "content-type", "application/json");
    with(with(said, "cache-control", "no-store"), "pragma", "no-cache")
}

/// Sends a browser somewhere; whatever it sent, it asks there with `GET`.
pub(super) fn see(address: &str) -> HttpResponse {
    let said = HttpResponse { status: 303, ..HttpResponse::default() };
    let said = with(with(said, "location", address), "cache-control", "no-store");
    with(said, "referrer-policy", "no-referrer")
}

pub(super) fn with(mut said: HttpResponse, name: &str, value: &str) -> HttpResponse {
    said.headers.push(HttpHeader { name: name.into(), value: value.into() });
    said
}
