//! Examples by way of the command line: words are read as the binary reads them, and what it would
//! send is sent.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use clap::Command;
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::Value;
use stoa::client::{Call, Client, heard};
use stoa_cli::{Ask as Asked, Contracts, Format, Page, commands};
use stoa_contract::Words;
use stoa_node::Face;
use stoa_testkit::Node;
use stoa_testkit::compliance::{Ask, Refusal, Speaker};

static CONTRACTS: LazyLock<Contracts> =
    LazyLock::new(|| stoa::Catalogue::standard().contracts().unwrap());

pub(super) struct Cli;

impl Speaker for Cli {
    fn name(&self) -> &str {
        "the command line"
    }

    fn faces(&self, _: &Node) -> Vec<Arc<dyn Face>> {
        Vec::new()
    }

    fn says(&self, ask: &Ask) -> bool {
        !ask.method.streams
    }

    fn request(&self, ask: &Ask) -> Request<Bytes> {
        let asked = words(ask);
        let client = Client::new("http://127.0.0.1:8080", ask.token.clone()).unwrap();
        let body = serde_json::to_vec(&asked.request).unwrap();
        let call = Call::new(asked.method.path(), body).under(ask.key.as_deref());
        let request = client.request(&call).unwrap();
        request.map(|body| {
            let whole = futures::executor::block_on(body.collect());
            whole.unwrap().to_bytes()
        })
    }

    fn heard(&self, ask: &Ask, answer: Response<Bytes>) -> Result<Value, Refusal> {
        match heard(answer) {
            Ok(reply) => {
                let page = Page { format: Format::Json, width: None, colour: false };
                let method = words(ask).method;
                let printed = page.write(&method, &reply.body).unwrap();
                Ok(serde_json::from_str(&printed).unwrap())
            }
            Err(error) => {
                let paths = error.violations().iter().map(|violation| violation.path.clone());
                let (code, reason) = (error.code().word().to_owned(), error.reason().to_owned());
                Err(Refusal { code, reason, paths: paths.collect() })
            }
        }
    }
}

/// A question as it is typed, read back.
fn words(ask: &Ask) -> Asked {
    let service = CONTRACTS.service(ask.method.service).unwrap();
    let method = service.methods.iter().find(|known| known.path() == ask.method.path).unwrap();
    let mut typed = vec![service.name.clone(), method.command.clone()];
    typed.extend(method.words(ask.request.as_object().unwrap()));
    let commands = commands(&CONTRACTS, &typed, |_| Vec::new(), jiff::Timestamp::UNIX_EPOCH);
    let root = Command::new("stoa").no_binary_name(true).subcommands(commands);
    let matches = root.try_get_matches_from(&typed);
    let matches = matches.unwrap_or_else(|error| panic!("{typed:?}\n{error}"));
    let (name, of_service) = matches.subcommand().unwrap();
    Asked::read(&CONTRACTS, name, of_service).unwrap().unwrap()
}
