//! The contract's functions.

use stoa_kit::{Ctx, Error, Reason as _, Result, Tx, View};
use stoa_scheduler_v1::{
    BatchGetSchedulesRequest, BatchGetSchedulesResponse, CreateScheduleRequest,
    CreateScheduleResponse, DeleteExpiredRequest, DeleteExpiredResponse, DeleteScheduleRequest,
    DeleteScheduleResponse, FindScheduleRequest, FindScheduleResponse, FireDueRequest,
    FireDueResponse, GetScheduleRequest, GetScheduleResponse, ListOccurrencesRequest,
    ListOccurrencesResponse, ListSchedulesRequest, ListSchedulesResponse, Misfire, Occurrence,
    Overlap, PauseScheduleRequest, PauseScheduleResponse, Reason, ResumeScheduleRequest,
    ResumeScheduleResponse, RunOccurrenceRequest, RunOccurrenceResponse, Schedule, ScheduleState,
    SchedulerService, TriggerScheduleRequest, TriggerScheduleResponse,
};

use crate::{fire, model, run, store};

/// Whoever was granted this stops anybody's schedules.
const STOP_ALL: &str = "scheduler.schedules.stop_all";

/// Keeps the promises of `stoa.scheduler.v1`.
pub(crate) struct Scheduler;

impl SchedulerService for Scheduler {
    fn create_schedule(
        &self, tx: &mut Tx, request: CreateScheduleRequest,
    ) -> Result<CreateScheduleResponse> {
        let owner = tx.owner()?.to_owned();
        if store::count(tx, &owner)? >= model::SCHEDULES_MAX {
            let message = format!("nobody has more than {} schedules", model::SCHEDULES_MAX);
            return Err(Reason::TooMany.because(message));
        }
        let schedule = written(tx, owner, request)?;
        let method = tx.check_invocation(&model::invocation(&schedule))?;
        let next = model::first(&schedule, tx.now())?;
        let schedule = Schedule {
            method: method.short_name(),
            state: ScheduleState::Active.into(),
            next_time: next.timestamp(),
            ..schedule
        };
        let schedule = tx.add_new(schedule, "owner, name")?;
        let taken = || Reason::NameTaken.because("another schedule of yours has this name");
        Ok(CreateScheduleResponse { schedule: schedule.ok_or_else(taken)?.into() })
    }

    fn get_schedule(
        &self, view: &View, request: GetScheduleRequest,
    ) -> Result<GetScheduleResponse> {
        Ok(GetScheduleResponse { schedule: view.load::<Schedule>(&request.id)?.into() })
    }

    fn batch_get_schedules(
        &self, view: &View, request: BatchGetSchedulesRequest,
    ) -> Result<BatchGetSchedulesResponse> {
        Ok(BatchGetSchedulesResponse { schedules: view.load_many(&request.ids)? })
    }

    fn list_schedules(
        &self, view: &View, request: ListSchedulesRequest,
    ) -> Result<ListSchedulesResponse> {
        let (schedules, next_page_token) = view
            .list::<Schedule>("name, id")
            .owned_by(&request.owner)
            .only("state", request.state)
            .page(&request)?;
        Ok(ListSchedulesResponse { schedules, next_page_token })
    }

    fn pause_schedule(
        &self, tx: &mut Tx, request: PauseScheduleRequest,
    ) -> Result<PauseScheduleResponse> {
        let schedule = stoppable(tx, &request.id)?;
        let schedule = match schedule.state == ScheduleState::Active {
            true => tx.save(run::paused(schedule, ""))?,
            false => schedule,
        };
        Ok(PauseScheduleResponse { schedule: schedule.into() })
    }

    fn resume_schedule(
        &self, tx: &mut Tx, request: ResumeScheduleRequest,
    ) -> Result<ResumeScheduleResponse> {
        let schedule = own(tx, &request.id)?;
        if schedule.state == ScheduleState::Active {
            return Ok(ResumeScheduleResponse { schedule: schedule.into() });
        }
        if schedule.state == ScheduleState::Ended {
            return Err(Reason::Ended.because("its one time has come"));
        }
        let next = model::first(&schedule, tx.now())?;
        let schedule = tx.save(Schedule {
            state: ScheduleState::Active.into(),
            pause_reason: String::new(),
            next_time: next.timestamp(),
            ..schedule
        })?;
        Ok(ResumeScheduleResponse { schedule: schedule.into() })
    }

    fn trigger_schedule(
        &self, tx: &mut Tx, request: TriggerScheduleRequest,
    ) -> Result<TriggerScheduleResponse> {
        let schedule = own(tx, &request.id)?;
        let occurrence = fire::occur(tx, &schedule, tx.now(), None)?;
        let occurrence = occurrence.ok_or_else(|| {
            Error::unavailable("scheduler.at_once", "it fires in this very moment")
        })?;
        Ok(TriggerScheduleResponse { occurrence: occurrence.into() })
    }

    fn delete_schedule(
        &self, tx: &mut Tx, request: DeleteScheduleRequest,
    ) -> Result<DeleteScheduleResponse> {
        let schedule = stoppable(tx, &request.id)?;
        tx.delete::<Schedule>(&schedule.id)?;
        Ok(DeleteScheduleResponse {})
    }

    fn list_occurrences(
        &self, view: &View, request: ListOccurrencesRequest,
    ) -> Result<ListOccurrencesResponse> {
        let schedule = view.load::<Schedule>(&request.schedule_id)?;
        let (occurrences, next_page_token) = view
            .list_all::<Occurrence>("planned_time DESC")
            .only("schedule_id", schedule.id.as_str())
            .page(&request)?;
        Ok(ListOccurrencesResponse { occurrences, next_page_token })
    }

    fn fire_due(&self, tx: &mut Tx, _: FireDueRequest) -> Result<FireDueResponse> {
        fire::due(tx)?;
        Ok(FireDueResponse {})
    }

    async fn run_occurrence(
        &self, ctx: &Ctx, request: RunOccurrenceRequest,
    ) -> Result<RunOccurrenceResponse> {
        run::run(ctx, request).await
    }

    fn find_schedule(
        &self, view: &View, request: FindScheduleRequest,
    ) -> Result<FindScheduleResponse> {
        let schedule = store::schedule_of(view, &request.occurrence_id)?;
        Ok(FindScheduleResponse { schedule: schedule.into() })
    }

    fn delete_expired(
        &self, tx: &mut Tx, _: DeleteExpiredRequest,
    ) -> Result<DeleteExpiredResponse> {
        tx.sweep::<Occurrence>("expire_time")?;
        Ok(DeleteExpiredResponse {})
    }
}

/// A schedule as it was asked for, in the name of whoever asked.
fn written(tx: &Tx, owner: String, request: CreateScheduleRequest) -> Result<Schedule> {
    let principal = tx.caller().principal();
    let misfire = request.misfire.as_known().unwrap_or_default();
    let misfire = if misfire == Misfire::Unspecified { Misfire::Once } else { misfire };
    let overlap = match request.overlap.as_known().unwrap_or_default() {
        // Whoever wants a call for each time wants none of them skipped.
        Overlap::Unspecified if misfire == Misfire::All => Overlap::Buffer,
        Overlap::Unspecified => Overlap::Skip,
        overlap => overlap,
    };
    let zone = match (request.cron.as_str(), request.time_zone.as_str()) {
        ("", "") => "",
        ("", _) => {
            let message = "only a cron expression has one";
            return Err(Error::field("time_zone", "schedule.one_way", message));
        }
        (_, "") => "UTC",
        (_, zone) => zone,
    };
    Ok(Schedule {
        id: tx.new_id("sch"),
        owner,
        name: request.name,
        cron: request.cron,
        time_zone: zone.to_owned(),
        every: request.every,
        at: request.at,
        method: request.method,
        request: request.request,
        misfire: misfire.into(),
        overlap: overlap.into(),
        subject: principal.subject,
        key_id: principal.credential,
        ..Schedule::default()
    })
}

/// A schedule of the caller's own.
fn own(view: &View, id: &str) -> Result<Schedule> {
    let schedule = view.load::<Schedule>(id)?;
    match view.owner()? == schedule.owner {
        true => Ok(schedule),
        false => Err(Reason::NotYours.because("it calls in the name of somebody else")),
    }
}

/// A schedule that the caller may stop.
fn stoppable(view: &View, id: &str) -> Result<Schedule> {
    let schedule = view.load::<Schedule>(id)?;
    if view.caller().may(STOP_ALL) { Ok(schedule) } else { own(view, id) }
}
