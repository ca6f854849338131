//! A query that is watched: what it says now, and again whenever a commit changes that.

use std::io::IsTerminal;
use std::time::Duration;

use serde_json::{Value, json};
use stoa_cli::{Ask, Contracts, Format, Page, Screen};
use stoa_kit::{Code, Error, Result};

use crate::ask::{block_on, note, say, while_somebody_reads};
use crate::client::{ATTEMPTS_MAX, BACKOFF, Call, lost, pause};
use crate::profile::Profile;

/// How often a node says that it is there, where it says nothing else.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// The longest wait before another attempt to come back.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// What stands below what is drawn.
const ENDS: &str = "Ctrl-C ends it";

/// A watch, wherever its connection is.
struct Watch<'a> {
    contracts: &'a Contracts,
    ask: &'a Ask,
    target: &'a Profile,
    page: Page,
    screen: Screen,
    /// The reply that was seen last, and its etag; empty before the first.
    seen: Value,
    etag: String,
    /// Attempts since something was heard.
    failed: u32,
}

/// Watches until Ctrl-C, or until nobody reads.
///
/// # Errors
/// What the query fails with, and that its watcher may not ask it any more.
pub(crate) fn run(contracts: &Contracts, ask: &Ask, target: &Profile, page: Page) -> Result<()> {
    let (screen, seen, etag) = Default::default();
    let mut watch = Watch { contracts, ask, target, page, screen, seen, etag, failed: 0 };
    block_on(async {
        tokio::select! {
            outcome = while_somebody_reads(watch.go_on()) => outcome,
            interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Error::internal),
        }
    })
}

impl Watch<'_> {
    /// Watches on one connection after another.
    async fn go_on(&mut self) -> Result<()> {
        loop {
            let Err(error) = self.listen().await;
            self.failed += 1;
            let may_pass = match self.etag.is_empty() {
                true => error.code() == Code::Unavailable && self.failed < ATTEMPTS_MAX,
                // Whoever was served will be again.
                false => matches!(error.code(), Code::Unavailable | Code::ResourceExhausted),
            };
            if !may_pass {
                return Err(error);
            }
            if self.failed == 1 && !self.etag.is_empty() {
                self.tell_of(&error)?;
            }
            let wait = BACKOFF * 2u32.saturating_pow(self.failed - 1);
            pause(wait.min(BACKOFF_MAX)).await;
        }
    }

    /// Watches on one connection, from what was seen last.
    async fn listen(&mut self) -> Result<std::convert::Infallible> {
        let system = self.contracts.service("system");
        let method = system.and_then(|system| system.method("watch"));
        let method = method.ok_or_else(|| Error::internal("a node lets queries be watched"))?;
        let request = json!({
            "method": self.ask.method.path(),
            "request": self.ask.request.to_string(),
            "etag": self.etag,
            "heartbeatSeconds": HEARTBEAT.as_secs(),
        });
        let mut client = self.target.client()?;
        let mut told = client.follow(&Call::new(method.path(), request.to_string())).await?;
        loop {
            // A connection that broke off without a word is silent.
            let next = tokio::time::timeout(3 * HEARTBEAT, told.next()).await;
            let next = next.map_err(|_| lost("nothing was heard for a while"))??;
            let state = next.ok_or_else(|| lost("the node ended the watch"))?;
            let was_lost = std::mem::take(&mut self.failed) > 0;
            let reply = state["reply"].as_str().unwrap_or("");
            if !reply.is_empty() {
                self.seen = serde_json::from_str(reply).map_err(Error::internal)?;
                self.etag = state["etag"].as_str().unwrap_or("").to_owned();
                self.show()?;
            } else if was_lost && self.is_drawn() {
                self.draw(ENDS)?;
            }
        }
    }

    /// Whether people look: what they see is drawn in the place of what they saw.
    fn is_drawn(&self) -> bool {
        let for_people = matches!(self.page.format, Format::Table | Format::Wide);
        for_people && std::io::stdout().is_terminal()
    }

    fn show(&mut self) -> Result<()> {
        if self.is_drawn() {
            return self.draw(ENDS);
        }
        let text = self.page.one_of_many(&self.ask.method, &self.seen)?;
        let gap = if matches!(self.page.format, Format::Table | Format::Wide) { "\n" } else { "" };
        say(&format!("{text}{gap}"))
    }

    /// Draws what was seen last, and a line below it.
    fn draw(&mut self, below: &str) -> Result<()> {
        let size = terminal_size::terminal_size();
        let (columns, rows) = size.map_or((80, 24), |(width, height)| (width.0, height.0));
        self.page.width = Some(columns.into());
        let text = self.page.one_of_many(&self.ask.method, &self.seen)?;
        let text = format!("{text}\n{below}\n");
        say(&self.screen.draw(&text, (columns.into(), rows.into())))
    }

    fn tell_of(&mut self, error: &Error) -> Result<()> {
        let line = format!("{}; trying again", error.message());
        if self.is_drawn() { self.draw(&line) } else { note(&line) }
    }
}
