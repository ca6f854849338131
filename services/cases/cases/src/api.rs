//! The contract's functions.

use std::time::Duration;

use stoa_cases_v1::*;
use stoa_kit::{Error, Reason as _, Result, Tx, View};
use stoa_schemas_v1::{ValidateRequest, ValidateResponse};
use stoa_secrets_v1::WrapRequest;

use crate::model::{self, Coming};
use crate::store;

/// How long what was refused is kept.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// What events that are shown at once come to at the most, in bytes, but for the last one.
const SHOWN_MAX: usize = 1 << 20;
/// How many are read at once.
const CHUNK: i64 = 16;

/// What keeps each promise of the contract.
pub(crate) struct Cases;

impl CasesService for Cases {
    fn post_event(&self, tx: &mut Tx, request: PostEventRequest) -> Result<PostEventResponse> {
        let event = NewEvent {
            schema_id: model::schema_id(&request.dataschema)?,
            id: request.id,
            source: request.source,
            r#type: request.r#type,
            time: request.time,
            data: request.data,
        };
        let (case_id, expected) = (request.subject, request.expectedseq);
        let blame = |_| "data".to_owned();
        let seq = append(tx, &case_id, &request.person, expected, vec![event], blame)?;
        Ok(PostEventResponse { seq, case_id })
    }

    fn append_events(
        &self, tx: &mut Tx, request: AppendEventsRequest,
    ) -> Result<AppendEventsResponse> {
        let AppendEventsRequest { case_id, expected_seq, events, person } = request;
        let blame = |place| format!("events[{place}].data");
        let last_seq = append(tx, &case_id, &person, Some(expected_seq), events, blame)?;
        Ok(AppendEventsResponse { last_seq })
    }

    fn list_events(&self, view: &View, request: ListEventsRequest) -> Result<ListEventsResponse> {
        let case = view.load::<Case>(&request.case_id)?;
        let limit = if request.limit == 0 { 50 } else { request.limit as usize };
        let (mut events, mut size) = (Vec::<Event>::new(), 0);
        while events.len() < limit && size < SHOWN_MAX {
            let behind = events.last().map_or(request.after_seq, |last| last.seq);
            let more = store::behind(view, &case.id, behind, CHUNK)?;
            if more.is_empty() {
                break;
            }
            for event in more {
                if events.len() < limit && size < SHOWN_MAX {
                    size += serde_json::to_vec(&event).map_err(Error::internal)?.len();
                    events.push(event);
                }
            }
        }
        Ok(ListEventsResponse { events, last_seq: case.last_seq })
    }

    fn get_case(&self, view: &View, request: GetCaseRequest) -> Result<GetCaseResponse> {
        Ok(GetCaseResponse { case: view.load::<Case>(&request.id)?.into() })
    }

    fn batch_get_cases(
        &self, view: &View, request: BatchGetCasesRequest,
    ) -> Result<BatchGetCasesResponse> {
        Ok(BatchGetCasesResponse { cases: view.load_many(&request.ids)? })
    }

    fn list_cases(&self, view: &View, request: ListCasesRequest) -> Result<ListCasesResponse> {
        let (cases, next_page_token) = view
            .list::<Case>("update_time DESC, id DESC")
            .only("person", request.person.as_str())
            .page(&request)?;
        Ok(ListCasesResponse { cases, next_page_token })
    }

    fn list_rejected(
        &self, view: &View, request: ListRejectedRequest,
    ) -> Result<ListRejectedResponse> {
        let (rejected, next_page_token) = view
            .list_all::<Rejected>("update_time DESC, source DESC, event_id DESC")
            .only("case_id", request.case_id.as_str())
            .page(&request)?;
        Ok(ListRejectedResponse { rejected, next_page_token })
    }

    fn reject_event(
        &self, tx: &mut Tx, request: RejectEventRequest,
    ) -> Result<RejectEventResponse> {
        let RejectEventRequest { case_id, source, event_id, r#type, schema_id, violations } =
            request;
        let before = tx.get::<Rejected>((&source, &event_id))?;
        let is_new = before.is_none();
        let before = before.unwrap_or_default();
        let rejected = Rejected {
            source,
            event_id,
            case_id,
            r#type,
            schema_id,
            violations,
            attempts: before.attempts.saturating_add(1),
            caller: tx.caller().subject.to_string(),
            expire_time: tx.after(KEPT).timestamp(),
            ..before
        };
        if is_new {
            tx.add(rejected)?
        } else {
            tx.save(rejected)?
        };
        Ok(RejectEventResponse {})
    }

    fn delete_expired(
        &self, tx: &mut Tx, _: DeleteExpiredRequest,
    ) -> Result<DeleteExpiredResponse> {
        tx.sweep::<Rejected>("expire_time")?;
        Ok(DeleteExpiredResponse {})
    }
}

/// Appends events to a case, and gives the sequence of the last one.
fn append(
    tx: &mut Tx, case: &str, person: &str, expected: Option<i64>, events: Vec<NewEvent>,
    blame: impl Fn(usize) -> String,
) -> Result<i64> {
    let mut coming = Vec::with_capacity(events.len());
    let mut known = Vec::with_capacity(events.len());
    for event in events {
        let named =
            |other: &Coming| (&other.event.source, &other.event.id) == (&event.source, &event.id);
        if coming.iter().any(named) {
            return Err(Reason::EventIdTaken.because("two of these events have one identifier"));
        }
        known.push(store::known(tx, &event.source, &event.id)?);
        let digest = tx.fingerprint("event", &model::text(case, &event))?;
        coming.push(Coming { event, digest });
    }
    // Whether it was there is asked before how far the case has come: what is sent again expects what
    // held the first time.
    if let Some(last) = model::repeated(case, &coming, &known)? {
        return Ok(last);
    }
    let before = tx.get::<Case>((case,))?;
    let last = before.as_ref().map_or(0, |case| case.last_seq);
    if expected.is_some_and(|expected| expected != last) {
        let said = format!("the last sequence of `{case}` is {last}, and another one was expected");
        return Err(Reason::SequenceConflict.because(said));
    }
    if let Some(before) = &before
        && !person.is_empty()
        && before.person != person
    {
        return Err(Reason::OtherPerson.because(format!("`{case}` is about somebody else")));
    }
    let checked = check(tx, case, &mut coming, blame)?;
    let is_new = before.is_none();
    let before = before.unwrap_or_else(|| Case {
        id: case.to_owned(),
        person: if person.is_empty() { case.to_owned() } else { person.to_owned() },
        ..Case::default()
    });
    write(tx, before, is_new, coming, &checked)
}

/// Checks events against their schemas; all of them before anything of them is kept.
fn check(
    tx: &mut Tx, case: &str, coming: &mut [Coming], blame: impl Fn(usize) -> String,
) -> Result<Vec<ValidateResponse>> {
    let mut checked = Vec::with_capacity(coming.len());
    let mut wrong = Vec::new();
    for (place, Coming { event, .. }) in coming.iter_mut().enumerate() {
        let by_type = event.schema_id.is_empty();
        let data = event.data.as_option().cloned().unwrap_or_default();
        let mut request = ValidateRequest {
            schema_id: event.schema_id.clone(),
            subject: if by_type { event.r#type.clone() } else { String::new() },
            ..ValidateRequest::default()
        };
        request.data.get_or_insert_default().0 = data.0.into();
        let reply = tx.call(request)?;
        event.schema_id.clone_from(&reply.schema_id);
        wrong.extend(reply.violations.iter().map(|one| stoa_kit::Violation {
            path: format!("{}{}", blame(place), one.pointer),
            rule: one.keyword.clone().into(),
            message: format!("does not keep `{}` of its schema", one.keyword),
        }));
        checked.push(reply);
    }
    if wrong.is_empty() {
        return Ok(checked);
    }
    for (Coming { event, .. }, reply) in coming.iter().zip(&checked) {
        if !reply.valid {
            tx.call(RejectEventRequest {
                case_id: case.to_owned(),
                source: event.source.clone(),
                event_id: event.id.clone(),
                r#type: event.r#type.clone(),
                schema_id: reply.schema_id.clone(),
                violations: reply.violations.iter().map(told).collect(),
            })?;
        }
    }
    Err(Error::invalid(wrong).remembered())
}

fn told(one: &stoa_schemas_v1::Violation) -> Violation {
    Violation { pointer: one.pointer.clone(), keyword: one.keyword.clone() }
}

fn write(
    tx: &mut Tx, mut case: Case, is_new: bool, coming: Vec<Coming>, checked: &[ValidateResponse],
) -> Result<i64> {
    // The case first: of two that append at once, one waits here for the other, and reads again.
    let batch_first_seq = case.last_seq + 1;
    case.last_seq += coming.len() as i64;
    let added = if is_new { tx.add_new(case, "id")? } else { Some(tx.save(case)?) };
    let case = added.ok_or_else(|| Error::internal("a case that was not there is there"))?;
    let caller = tx.caller().subject.to_string();
    for (seq, (Coming { event, digest }, reply)) in
        (batch_first_seq..).zip(coming.into_iter().zip(checked))
    {
        let NewEvent { id, source, r#type, time, schema_id, data } = event;
        let mut data = data.into_option().unwrap_or_default();
        for secret in &reply.secrets {
            let value = model::replace(&mut data, &secret.pointer, "")?;
            let wrap = WrapRequest {
                kind: secret.kind.clone(),
                value,
                subject: case.person.clone(),
                purposes: secret.purposes.clone(),
                ttl_seconds: 0,
            };
            let reference = tx.call(wrap)?.reference.id.clone();
            model::replace(&mut data, &secret.pointer, &reference)?;
        }
        let event = Event {
            case_id: case.id.clone(),
            seq,
            id,
            source,
            r#type,
            time: if time.is_set() { time } else { tx.now().timestamp() },
            schema_id,
            person: case.person.clone(),
            data: data.into(),
            batch_first_seq,
            batch_last_seq: case.last_seq,
            caller: caller.clone(),
            ..Event::default()
        };
        let event = tx.add_with(event, "digest", (&digest[..],))?;
        tx.emit(&EventAppended {
            case_id: event.case_id,
            seq: event.seq,
            r#type: event.r#type,
            schema_id: event.schema_id,
            id: event.id,
            source: event.source,
        });
    }
    Ok(case.last_seq)
}
