//! Watches on a WebSocket.

use std::collections::HashMap;

use futures::StreamExt;
use futures::stream::{AbortHandle, BoxStream, SelectAll, abortable, once};
use serde_json::{Value, json};
use stoa_kit::{Code, Error, Result};
use stoa_node::socket::{Message, Socket};

use crate::asked::{self, Said, WATCHES_MAX, Watching, too_many};
use crate::follow::{failed, follow};

/// What is spoken, by its name as a subprotocol.
pub(crate) const PROTOCOL: &str = "stoa.live.v1";

/// What is watched on one connection.
#[derive(Default)]
struct Watches {
    /// How each is ended.
    known: HashMap<String, AbortHandle>,
    /// What is told of all of them, by their names; nothing at the end of each.
    told: SelectAll<BoxStream<'static, (String, Option<String>)>>,
}

/// Has the conversation.
pub(crate) async fn talk(mut socket: Socket) {
    let mut watches = Watches::default();
    loop {
        let said = tokio::select! {
            message = socket.next() => match message {
                Some(message) => watches.hear(&mut socket, message).await,
                None => return,
            },
            Some((id, told)) = watches.told.next(), if !watches.told.is_empty() => {
                if told.is_none() {
                    watches.known.remove(&id);
                }
                told
            }
        };
        if let Some(said) = said
            && socket.send(Message::Text(said)).await.is_err()
        {
            return;
        }
    }
}

impl Watches {
    /// Does what a message asks for; gives what is to be said at once.
    async fn hear(&mut self, socket: &mut Socket, message: Message) -> Option<String> {
        let Message::Text(text) = message else {
            return Some(failed(None, &not_text()));
        };
        match asked::said(&text) {
            Ok(Said::SignIn { authorization }) => {
                let signed_in = socket.guest.sign_in(&authorization).await;
                let said = json!({"type": "signed_in"}).to_string();
                Some(signed_in.map_or_else(|error| failed(None, &error), |()| said))
            }
            Ok(Said::Watch(watching)) => {
                let id = Value::String(watching.id.clone());
                self.begin(socket, watching).err().map(|error| failed(Some(&id), &error))
            }
            Ok(Said::Unwatch { id }) => {
                if let Some(watch) = self.known.remove(&id) {
                    watch.abort();
                }
                None
            }
            Err(error) => Some(failed(None, &error)),
        }
    }

    fn begin(&mut self, socket: &Socket, watching: Watching) -> Result<()> {
        if self.known.contains_key(&watching.id) {
            let message = format!("`{}` is watched already", watching.id);
            return Err(Error::new(Code::AlreadyExists, "live.id_taken", message)
                .help("Give each watch of a connection a name of its own."));
        }
        if self.known.len() >= WATCHES_MAX {
            return Err(too_many());
        }
        let id = watching.id.clone();
        let told = follow(socket.guest.clone(), watching).map(Some);
        let named = id.clone();
        let told = told.chain(once(async { None })).map(move |told| (named.clone(), told));
        let (told, watch) = abortable(told);
        self.known.insert(id, watch);
        self.told.push(told.boxed());
        Ok(())
    }
}

fn not_text() -> Error {
    Error::new(Code::InvalidArgument, "json.malformed", "what is said here is JSON, as text")
        .help("Send what docs/faces.md shows for /live.")
}
