//! Events before they are appended.

use serde_json::Value;
use stoa_cases_v1::*;
use stoa_kit::{Error, Reason as _, Result, Struct};

/// What is known of an event that is to be appended.
pub(crate) struct Coming {
    pub(crate) event: NewEvent,
    /// What tells it from others under its identifier.
    pub(crate) digest: [u8; 16],
}

/// What is the same of an event that is sent again.
pub(crate) fn text(case: &str, event: &NewEvent) -> String {
    let NewEvent { id, source, r#type, schema_id, data, .. } = event;
    let data = Value::Object(data.as_option().map(|data| data.0.clone()).unwrap_or_default());
    Value::from(vec![
        case.into(),
        source.as_str().into(),
        id.as_str().into(),
        r#type.as_str().into(),
        schema_id.as_str().into(),
        data,
    ])
    .to_string()
}

/// The identifier of a schema, alone or at the end of an address.
pub(crate) fn schema_id(dataschema: &str) -> Result<String> {
    let id = dataschema.rsplit('/').next().unwrap_or_default();
    if !dataschema.is_empty() && (id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit())) {
        let said = "does not end with the identifier of a schema";
        return Err(Error::field("dataschema", "dataschema", said));
    }
    Ok(id.to_owned())
}

/// Puts a reference in the place of a text.
///
/// # Errors
/// `internal` where there is none.
pub(crate) fn replace(data: &mut Struct, pointer: &str, by: &str) -> Result<String> {
    let mut whole = Value::Object(std::mem::take(&mut data.0));
    let found = whole.pointer_mut(pointer).map(|place| std::mem::replace(place, by.into()));
    if let Value::Object(all) = whole {
        data.0 = all;
    }
    match found {
        Some(Value::String(text)) => Ok(text),
        _ => Err(Error::internal("what is to be wrapped is no text")),
    }
}

/// What is answered to events that are there already, if they are: the sequence of the last one.
///
/// # Errors
/// `cases.half_known`, and `cases.event_id_taken` for events that are not the same.
pub(crate) fn repeated(
    case: &str, coming: &[Coming], known: &[Option<(Event, Vec<u8>)>],
) -> Result<Option<i64>> {
    let there: Vec<_> = known.iter().flatten().collect();
    let Some((first, _)) = there.first() else { return Ok(None) };
    let other = |(event, digest): &&&(Event, Vec<u8>), coming: &Coming| {
        // Of somebody who was erased nothing is left to compare.
        event.case_id != case || (!digest.is_empty() && digest[..] != coming.digest)
    };
    let known = known.iter().zip(coming).filter_map(|(one, coming)| Some((one.as_ref()?, coming)));
    if let Some((taken, _)) = known.clone().find(|(one, coming)| other(&one, coming)) {
        let said = format!("there is another event `{}` of this source", taken.0.id);
        return Err(Reason::EventIdTaken.because(said));
    }
    let together = there.len() == coming.len()
        && (first.seq..).zip(&there).all(|(seq, (event, _))| event.seq == seq)
        && (first.batch_first_seq, first.batch_last_seq)
            == (first.seq, first.seq + there.len() as i64 - 1);
    match there.last() {
        Some((last, _)) if together => Ok(Some(last.seq)),
        _ => {
            let said = "some of these events are there, and were not appended with the others";
            Err(Reason::HalfKnown.because(said))
        }
    }
}
