//! SMTP: hands mail to a mail server (RFC 5321).
//!
//! This driver is the port [`Mailer`] and nothing else: it makes a message of plain text, sends
//! it, and says whether trying again may help. It keeps no queue, and decides nothing about who
//! is told what: that is the service `notify`, whose jobs call it.
//!
//! **Invariant:** a mail that is tried again has the same Message-ID, so that it can be told from
//! a new one.
//!
//! **Invariant:** mail and passwords travel in the clear only where the URL says `tls=none`.
//!
//! **Invariant:** no address and no text of a mail stands in an error.

#![forbid(unsafe_code)]

use std::time::Duration;

use futures::future::BoxFuture;
use lettre::message::{Mailbox, Message, SinglePart};
use lettre::transport::smtp;
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use stoa_kit::ports::{Mail, Mailer};
use stoa_kit::{Code, Error, Result};

/// Codes of a server that refuses the node, and not the mail: to sign in is needed, or failed.
const SIGN_IN: [u16; 4] = [530, 534, 535, 538];

/// How long a mail server is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For one mail. A server may take ten minutes to say that it has a mail which was handed over
    /// whole (RFC 5321, 4.5.3.2.6); who does not wait for that hands it over twice.
    pub mail: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(15), mail: Duration::from_secs(12 * 60) }
    }
}

/// A mail server.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    name: String,
    patience: Patience,
}

impl Smtp {
    /// A mail server by its URL, `smtp://user:password@host:port?tls=starttls`.
    ///
    /// User and password can be left out. `tls` is `starttls`, as without it, or `none`; a URL
    /// that begins with `smtps` speaks TLS from the first byte. `from` is the address that mail
    /// comes from; `name` is who greets the server and the right part of every Message-ID, the
    /// domain of `from` if it is empty.
    ///
    /// # Errors
    /// `smtp.configuration`, saying what is wrong.
    pub fn new(url: &str, from: &str, name: &str, patience: Patience) -> Result<Self> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let url = match (query, base.starts_with("smtps://")) {
            ("" | "tls=starttls", false) => format!("{base}?tls=required"),
            ("tls=none", false) | ("", true) => base.to_owned(),
            _ => return Err(configuration("`tls` is neither `none` nor `starttls`")),
        };
        let from: Mailbox =
            from.parse().map_err(|_| configuration("mail must come from an address"))?;
        let name = if name.is_empty() { from.email.domain() } else { name }.to_owned();
        if !is_host(&name) {
            return Err(configuration("the name of this node is none of a host"));
        }
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&url)
            .map_err(|_| configuration("its URL is not like `smtp://host:port`"))?
            .timeout(Some(patience.connect))
            .hello_name(ClientId::Domain(name.clone()))
            .build();
        Ok(Self { transport, from, name, patience })
    }

    fn message(&self, mail: Mail) -> Result<Message> {
        let to = mail.to.parse().map_err(|_| refused("the recipient's address is none"))?;
        Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(mail.subject)
            .message_id(Some(format!("<{}@{}>", mail.id, self.name)))
            // A part, and not a bare body: with it goes `MIME-Version`.
            .singlepart(SinglePart::plain(mail.text))
            .map_err(|_| refused("the mail cannot be put into a message"))
    }
}

impl Mailer for Smtp {
    fn deliver(&self, mail: Mail) -> BoxFuture<'static, Result<()>> {
        let (message, transport) = (self.message(mail), self.transport.clone());
        let patience = self.patience;
        Box::pin(async move {
            // The transport's own limit is for connecting; a server can also fall silent later.
            match tokio::time::timeout(patience.mail, transport.send(message?)).await {
                Ok(sent) => sent.map(|_| ()).map_err(|error| failed(&error)),
                Err(_) => Err(too_slow()),
            }
        })
    }
}

/// Whether this can stand after EHLO and behind the `@` of a Message-ID.
fn is_host(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    !name.is_empty() && name.len() <= 253 && name.bytes().all(good)
}

/// What a failure means. The server's own words may hold addresses, so only its code is kept.
fn failed(error: &smtp::Error) -> Error {
    let code = error.status().map(u16::from);
    let status = code.map(|code| format!(" ({code})")).unwrap_or_default();
    if code.is_some_and(|code| SIGN_IN.contains(&code)) {
        let what = format!("the mail server does not let this node in{status}");
        return Error::unavailable("smtp.sign_in", what)
            .help("Correct user and password of the mail server in the node's configuration.");
    }
    // 5yz is said of this mail, and for good; 4yz is said of now (RFC 5321, 4.2.1).
    if error.is_permanent() {
        return refused(format!("the mail server refuses the mail{status}"));
    }
    if error.is_timeout() {
        return too_slow();
    }
    let what = format!("the mail server does not take the mail now{status}");
    Error::unavailable("smtp.unavailable", what)
}

fn too_slow() -> Error {
    Error::unavailable("smtp.unavailable", "the mail server does not answer in time")
}

fn refused(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Code::FailedPrecondition, "smtp.refused", what)
        .help("Correct the address or the mail; sending the same again will fail again.")
}

fn configuration(what: &str) -> Error {
    let message = format!("the mail server is not configured right: {what}");
    Error::new(Code::FailedPrecondition, "smtp.configuration", message)
        .help("Write it like `smtp://host:587?tls=starttls` or `smtp://localhost:1025?tls=none`.")
}
