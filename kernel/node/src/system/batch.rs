//! Several calls in one commit.

use stoa_contract::Kind;
use stoa_kit::registry::{Bound, ServiceId};
use stoa_kit::{Error, Reason as _, Result, Struct, Tx};

use crate::contract::{BatchCall, BatchRequest, BatchResponse, Reason};

pub(super) fn run(tx: &mut Tx, request: BatchRequest) -> Result<BatchResponse> {
    let mut at = 0;
    let outcome = tx.attempt(|tx| {
        let calls = request.calls.iter().enumerate().map(|(index, call)| {
            at = index;
            one(tx, call)
        });
        calls.collect()
    });
    let outcome = match outcome {
        Err(error) if error.is_remembered() => Err(alone(tx, &request.calls[at])),
        outcome => outcome,
    };
    let replies = outcome.map_err(|error| error.within(&format!("calls[{at}].request")))?;
    Ok(BatchResponse { replies })
}

fn one(tx: &mut Tx, call: &BatchCall) -> Result<Struct> {
    let (path, request) = {
        let bound = tx.registry().called(&call.method)?;
        belongs(bound)?;
        let none = Struct::default();
        (bound.method.path, bound.request_of(call.request.as_option().unwrap_or(&none))?)
    };
    let reply = tx.call_as_caller(path, request)?;
    tx.registry().find(path)?.shown(reply.as_ref())
}

/// Refuses what a commit cannot undo, and what its reply must not be kept with.
fn belongs(bound: &Bound) -> Result<()> {
    let method = bound.method;
    let why = if method.kind == Kind::Effect {
        "it is an effect, which nothing undoes"
    } else if method.reply.redacts() {
        "it shows a secret, once"
    } else if method.price.is_some() {
        "it has a price"
    } else if bound.service == ServiceId::KERNEL && method.name == "Batch" {
        "it is a batch itself"
    } else {
        return Ok(());
    };
    Err(Reason::NotInBatch.because(format!("`{}`: {why}", method.short_name())))
}

/// Why a call refuses that leaves something behind with its refusal: it is undone with the others, and
/// asked once more by itself, so that nobody guesses uncounted.
fn alone(tx: &mut Tx, call: &BatchCall) -> Error {
    match one(tx, call) {
        Err(error) if error.is_remembered() => error,
        _ => Reason::NotInBatch.because("it refuses only behind what stands before it"),
    }
}
