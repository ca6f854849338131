//! The node's own contract, `stoa.system.v1`: it reads the kernel's tables, and is the one
//! service that may.

mod settings;
mod subjects;
mod tenants;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use stoa_contract::{Kind, Permission};
use stoa_kit::session::Session;
use stoa_kit::{Ctx, Error, Micros, Reason as _, Result, Service, Stream, Tx, View};
use stoa_store::kernel;

use crate::background::partition_of;
use crate::contract::{self as system, *};
use crate::{Node, Position};

/// The manifest of the kernel.
pub(crate) fn service() -> Service {
    Service::kernel(system::serve(System))
}

struct System;

/// Events sent in one message, unless one commit has more.
const EVENTS_MAX: i64 = 256;
/// Dead jobs tried again in one commit.
const RETRIED_MAX: i64 = 1_000;

impl SystemService for System {
    fn list_services(&self, view: &View, _: ListServicesRequest) -> Result<ListServicesResponse> {
        let services = view.registry().services().iter().filter_map(|service| {
            let contract = service.contract?;
            let shown = contract.methods.iter().filter(|m| m.permission != Permission::Internal);
            Some(system::Service {
                name: contract.name.to_owned(),
                full_name: contract.full_name.to_owned(),
                doc: contract.doc.to_owned(),
                needs: service.needs.iter().map(|need| (*need).to_owned()).collect(),
                methods: shown.map(|method| describe(method)).collect(),
            })
        });
        Ok(ListServicesResponse { services: services.collect() })
    }

    fn get_commit(&self, view: &View, request: GetCommitRequest) -> Result<GetCommitResponse> {
        const COMMIT: &str = "SELECT time, cause, caller, method, trace, tables, touched, \
             duration_us FROM stoa_commit WHERE tenant = :tenant AND position = $1";
        const EVENTS: &str = "SELECT position, ordinal, topic, message, subject, payload \
             FROM stoa_event WHERE tenant = :tenant AND position = $1 ORDER BY ordinal";
        const JOBS: &str = "SELECT id, method, state, attempts, run_at, error, position, behalf \
             FROM stoa_job WHERE tenant = :tenant AND position = $1 ORDER BY id";
        type Row = (i64, String, String, String, String, String, String, i64);
        let position = Position::parse(&request.position)?;
        let row = view.row::<Row>(COMMIT, (position.0,))?;
        let (time, cause, caller, method, trace, tables, touched, duration_us) =
            row.ok_or_else(|| Error::not_found("commit", &request.position))?;
        let tables: Vec<TableChange> = tables.split_whitespace().filter_map(table).collect();
        let services: BTreeSet<String> = tables
            .iter()
            .filter_map(|change| change.table.split_once('_'))
            .map(|(service, _)| service.to_owned())
            .collect();
        let events = view.rows::<EventRow>(EVENTS, (position.0,))?;
        let jobs = view.rows::<JobRow>(JOBS, (position.0,))?;
        let commit = Commit {
            position: position.to_string(),
            time: Micros(time).timestamp(),
            cause,
            caller,
            method,
            trace,
            services: services.into_iter().collect(),
            tables,
            touched: touched.split_whitespace().map(str::to_owned).collect(),
            events: events.into_iter().map(event).collect(),
            jobs: jobs.into_iter().map(job).collect(),
            duration_us,
        };
        Ok(GetCommitResponse { commit: commit.into() })
    }

    fn list_jobs(&self, view: &View, request: ListJobsRequest) -> Result<ListJobsResponse> {
        const LIST: &str = "SELECT id, method, state, attempts, run_at, error, position, behalf \
             FROM stoa_job WHERE tenant = :tenant AND ($1 = '' OR state = $1) \
             AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3 \
         /* whole: a day of jobs, for people who look */";
        let page = view.page(&request, 1)?;
        let rows = view.rows::<JobRow>(LIST, (&request.state, page.after(), page.limit()))?;
        let mut jobs = rows.into_iter().map(job).collect();
        let next_page_token = page.cut(&mut jobs, |job: &Job| vec![job.id.clone()])?;
        Ok(ListJobsResponse { jobs, next_page_token })
    }

    fn retry_job(&self, tx: &mut Tx, request: RetryJobRequest) -> Result<RetryJobResponse> {
        const RETRY: &str = "UPDATE stoa_job SET state = 'ready', attempts = 0, run_at = $2, \
             time = $2 WHERE tenant = :tenant AND id = $1 AND state = 'dead'";
        let now = tx.now();
        if tx.execute(RETRY, (&request.id, now.0))? == 0 {
            return Err(Reason::JobNotDead.because("there is no dead job of this name"));
        }
        Ok(RetryJobResponse {})
    }

    fn retry_jobs(&self, tx: &mut Tx, request: RetryJobsRequest) -> Result<RetryJobsResponse> {
        const RETRY: &str = "UPDATE stoa_job SET state = 'ready', attempts = 0, run_at = $2, \
             time = $2 WHERE tenant = :tenant AND id IN (SELECT id FROM stoa_job \
             WHERE tenant = :tenant AND state = 'dead' AND method = $1 ORDER BY id LIMIT $3)";
        const LEFT: &str = "SELECT COUNT(*) FROM stoa_job \
             WHERE tenant = :tenant AND state = 'dead' AND method = $1";
        let now = tx.now();
        let retried = tx.execute(RETRY, (&request.method, now.0, RETRIED_MAX))?;
        let left = tx.row::<(i64,)>(LEFT, (&request.method,))?.map_or(0, |(count,)| count);
        Ok(RetryJobsResponse { retried: i64::try_from(retried).unwrap_or(i64::MAX), left })
    }

    fn list_subscriptions(
        &self, view: &View, _: ListSubscriptionsRequest,
    ) -> Result<ListSubscriptionsResponse> {
        const LIST: &str = "SELECT subscription, generation, partition, position, ordinal, \
             CASE WHEN state = '' AND fill <> '' THEN 'filling' ELSE state END, \
             holder FROM stoa_cursor WHERE tenant = :tenant AND state <> 'replaced' \
             ORDER BY subscription, generation, partition \
         /* whole: there are as many as partitions of subscriptions */";
        type Row = (String, i64, i64, i64, i64, String, String);
        let rows = view.rows::<Row>(LIST, ())?;
        let mut subscriptions = Vec::new();
        for same in rows.chunk_by(|one, next| one.0 == next.0) {
            for (name, _, partition, position, ordinal, state, holder) in same.iter().cloned() {
                let lag = match state.as_str() {
                    "" => lag(view, &name, (position, ordinal), (partition, same.len()))?,
                    _ => 0,
                };
                let position = Position(position).to_string();
                subscriptions.push(Subscription { name, partition, position, lag, state, holder });
            }
        }
        Ok(ListSubscriptionsResponse { subscriptions })
    }

    fn resume_subscription(
        &self, tx: &mut Tx, request: ResumeSubscriptionRequest,
    ) -> Result<ResumeSubscriptionResponse> {
        const FLOOR: &str = "SELECT position FROM stoa_floor WHERE tenant = :tenant";
        const RESUME: &str = "UPDATE stoa_cursor SET state = '', \
             ordinal = CASE WHEN position < $2 THEN $3 ELSE ordinal END, \
             position = CASE WHEN position < $2 THEN $2 ELSE position END \
             WHERE tenant = :tenant AND subscription = $1 AND state = 'lost'";
        let floor = tx.row::<(i64,)>(FLOOR, ())?.map_or(0, |(floor,)| floor);
        let resumed = tx.execute(RESUME, (&request.subscription, floor, i64::MAX))?;
        if resumed == 0 {
            return Err(Reason::NotLost.because("no partition of this subscription is lost"));
        }
        Ok(ResumeSubscriptionResponse { resumed: i64::try_from(resumed).unwrap_or(i64::MAX) })
    }

    fn list_parked(&self, view: &View, request: ListParkedRequest) -> Result<ListParkedResponse> {
        const LIST: &str = "SELECT subscription, subject, position, ordinal, error, time \
             FROM stoa_parked WHERE tenant = :tenant \
             AND (subscription, subject, position, ordinal) > ($1, $2, $3, $4) \
             ORDER BY subscription, subject, position, ordinal LIMIT $5";
        let page = view.page(&request, 4)?;
        type Row = (String, String, i64, i64, String, i64);
        let (subscription, subject) = (page.key(0), page.key(1));
        let (position, ordinal) = (page.number(2, 0)?, page.number(3, 0)?);
        let rows =
            view.rows::<Row>(LIST, (subscription, subject, position, ordinal, page.limit()))?;
        let parked = rows.into_iter().map(|row| {
            let (subscription, subject, position, ordinal, error, time) = row;
            Parked {
                subscription,
                subject,
                position: Position(position).to_string(),
                ordinal,
                error,
                park_time: Micros(time).timestamp(),
            }
        });
        let mut parked = parked.collect();
        let next_page_token = page.cut(&mut parked, |last: &Parked| {
            let position = Position::parse(&last.position).map_or(0, |position| position.0);
            let (position, ordinal) = (position.to_string(), last.ordinal.to_string());
            vec![last.subscription.clone(), last.subject.clone(), position, ordinal]
        })?;
        Ok(ListParkedResponse { parked, next_page_token })
    }

    fn release_parked(
        &self, tx: &mut Tx, request: ReleaseParkedRequest,
    ) -> Result<ReleaseParkedResponse> {
        let released = release(tx, &request.subscription, &request.subject)?;
        if released == 0 {
            return Err(Reason::NotParked.because("nothing of this subject is parked there"));
        }
        Ok(ReleaseParkedResponse { released })
    }

    fn drop_parked(&self, tx: &mut Tx, request: DropParkedRequest) -> Result<DropParkedResponse> {
        const FIRST: &str = "SELECT position, ordinal FROM stoa_parked WHERE tenant = :tenant \
             AND subscription = $1 AND subject = $2 ORDER BY position, ordinal LIMIT 1";
        const DROP: &str = "DELETE FROM stoa_parked WHERE tenant = :tenant \
             AND subscription = $1 AND subject = $2 AND position = $3 AND ordinal = $4";
        let first = tx.row::<(i64, i64)>(FIRST, (&request.subscription, &request.subject))?;
        let Some((position, ordinal)) = first else {
            return Err(Reason::NotParked.because("nothing of this subject is parked there"));
        };
        tx.execute(DROP, (&request.subscription, &request.subject, position, ordinal))?;
        let released = release(tx, &request.subscription, &request.subject)?;
        Ok(DropParkedResponse { released })
    }

    fn list_timers(&self, view: &View, _: ListTimersRequest) -> Result<ListTimersResponse> {
        const LIST: &str = "SELECT c.name, COALESCE(t.last, 0), c.next, c.schedule \
             FROM stoa_timer AS c LEFT JOIN stoa_timer AS t ON t.tenant = :tenant \
             AND t.name = c.name WHERE c.tenant = '' ORDER BY c.name \
             /* whole: there are as many as timers */";
        let rows = view.rows::<(String, i64, i64, String)>(LIST, ())?;
        let time = |at| match at {
            0 => Default::default(),
            at => Micros(at).timestamp(),
        };
        let timers = rows.into_iter().map(|(name, last, next, schedule)| Timer {
            name,
            last_time: time(last),
            next_time: time(next),
            schedule,
        });
        Ok(ListTimersResponse { timers: timers.collect() })
    }

    fn list_settings(
        &self, view: &View, request: ListSettingsRequest,
    ) -> Result<ListSettingsResponse> {
        settings::list(view, &request.service)
    }

    fn update_setting(
        &self, tx: &mut Tx, request: UpdateSettingRequest,
    ) -> Result<UpdateSettingResponse> {
        settings::update(tx, &request)
    }

    fn reset_setting(
        &self, tx: &mut Tx, request: ResetSettingRequest,
    ) -> Result<ResetSettingResponse> {
        settings::reset(tx, &request)
    }

    fn list_personal_tables(
        &self, view: &View, _: ListPersonalTablesRequest,
    ) -> Result<ListPersonalTablesResponse> {
        Ok(subjects::tables(view))
    }

    fn export_subject(
        &self, view: &View, request: ExportSubjectRequest,
    ) -> Result<ExportSubjectResponse> {
        subjects::export(view, &request)
    }

    fn erase_subject(
        &self, tx: &mut Tx, request: EraseSubjectRequest,
    ) -> Result<EraseSubjectResponse> {
        subjects::erase(tx, request)
    }

    fn annotate(&self, tx: &mut Tx, request: AnnotateRequest) -> Result<AnnotateResponse> {
        tx.emit(&Annotated { subject: request.subject, text: request.text });
        Ok(AnnotateResponse {})
    }

    async fn create_tenant(
        &self, ctx: &Ctx, request: CreateTenantRequest,
    ) -> Result<CreateTenantResponse> {
        tenants::create(ctx, request).await
    }

    fn get_tenant(&self, view: &View, request: GetTenantRequest) -> Result<GetTenantResponse> {
        tenants::get(view, &request)
    }

    fn list_tenants(
        &self, view: &View, request: ListTenantsRequest,
    ) -> Result<ListTenantsResponse> {
        tenants::list(view, &request)
    }

    fn update_tenant(
        &self, tx: &mut Tx, request: UpdateTenantRequest,
    ) -> Result<UpdateTenantResponse> {
        tenants::update(tx, &request)
    }

    fn suspend_tenant(
        &self, tx: &mut Tx, request: SuspendTenantRequest,
    ) -> Result<SuspendTenantResponse> {
        tenants::suspend(tx, &request)
    }

    fn resume_tenant(
        &self, tx: &mut Tx, request: ResumeTenantRequest,
    ) -> Result<ResumeTenantResponse> {
        tenants::resume(tx, &request)
    }

    async fn renew_setup_code(
        &self, ctx: &Ctx, request: RenewSetupCodeRequest,
    ) -> Result<RenewSetupCodeResponse> {
        tenants::renew_setup_code(ctx, request).await
    }

    fn add_tenant(&self, tx: &mut Tx, request: AddTenantRequest) -> Result<AddTenantResponse> {
        tenants::add(tx, request)
    }

    fn keep_setup_code(
        &self, tx: &mut Tx, request: KeepSetupCodeRequest,
    ) -> Result<KeepSetupCodeResponse> {
        tenants::keep_setup_code(tx, &request)
    }

    async fn follow_events(
        &self, ctx: &Ctx, request: FollowEventsRequest,
    ) -> Result<Stream<FollowEventsResponse>> {
        let node = Arc::clone(ctx.node::<Arc<Node>>()?);
        let from = match request.position.as_str() {
            "" => node.store().settled().await?,
            text => Position::parse(text)?.0,
        };
        let seconds = if request.heartbeat_seconds == 0 { 10 } else { request.heartbeat_seconds };
        let follower = Follower {
            notices: node.store().notices(),
            stopping: node.stopping.subscribe(),
            node,
            tenant: Arc::clone(&ctx.caller().tenant),
            from,
            topic: request.topic,
            heartbeat: Duration::from_secs(seconds.unsigned_abs().into()),
        };
        // Who is too far behind learns it before anything is streamed.
        follower.check().await?;
        let steps = futures::stream::unfold(Some(follower), |follower| async {
            let mut follower = follower?;
            match follower.next().await {
                Ok(batch) => Some((Ok(batch), Some(follower))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(steps.boxed())
    }
}

/// Somebody who follows the log.
struct Follower {
    node: Arc<Node>,
    notices: tokio::sync::broadcast::Receiver<stoa_store::Notice>,
    stopping: tokio::sync::watch::Receiver<bool>,
    tenant: Arc<str>,
    from: i64,
    topic: String,
    heartbeat: Duration,
}

impl Follower {
    /// The next events, or none once the heartbeat is due.
    async fn next(&mut self) -> Result<FollowEventsResponse> {
        let mut beat = self.node.world().sleep(self.heartbeat);
        loop {
            let events = self.read().await?;
            if !events.is_empty() {
                return Ok(self.batch(events));
            }
            tokio::select! {
                () = &mut beat => return Ok(self.batch(Vec::new())),
                () = told(&mut self.stopping) => return Err(stopping()),
                () = news(&mut self.notices, &self.tenant) => {}
            }
        }
    }

    /// Refuses who asks from where the log has been swept.
    async fn check(&self) -> Result<()> {
        let (tenant, from) = (Arc::clone(&self.tenant), self.from);
        self.node.read(None, move |session, _| above_floor(session, &tenant, from)).await
    }

    /// Reads what comes next and moves on behind it. Commits are read whole: a position is a place
    /// between two of them, and who comes back with one has seen all of what lies before it.
    async fn read(&mut self) -> Result<Vec<Event>> {
        const FULL: &str = "SELECT position FROM stoa_event WHERE tenant = :tenant \
             AND position > $1 AND position <= $2 AND ($3 = '' OR topic = $3) \
             ORDER BY position, ordinal LIMIT 1 OFFSET $4";
        const READ: &str = "SELECT position, ordinal, topic, message, subject, payload \
             FROM stoa_event WHERE tenant = :tenant \
             AND position > $1 AND position <= $2 AND ($3 = '' OR topic = $3) \
             ORDER BY position, ordinal";
        let settled = self.node.store().settled().await?;
        let (tenant, from) = (Arc::clone(&self.tenant), self.from);
        let topic = self.topic.clone();
        let (end, rows) = self
            .node
            .read(None, move |session, _| {
                // The same snapshot: nothing is swept between the look at the floor and the events.
                above_floor(session, &tenant, from)?;
                let full = (from, settled, &topic, EVENTS_MAX - 1);
                let full = kernel::rows::<(i64,)>(session, &tenant, FULL, full)?;
                let end = full.first().map_or(settled, |(position,)| *position);
                let rows = kernel::rows::<EventRow>(session, &tenant, READ, (from, end, &topic))?;
                Ok((end, rows))
            })
            .await?;
        self.from = self.from.max(end);
        Ok(rows.into_iter().map(event).collect())
    }

    fn batch(&self, events: Vec<Event>) -> FollowEventsResponse {
        FollowEventsResponse { events, position: Position(self.from).to_string() }
    }
}

fn above_floor(session: &mut dyn Session, tenant: &str, from: i64) -> Result<()> {
    const FLOOR: &str = "SELECT position FROM stoa_floor WHERE tenant = :tenant";
    let floor = kernel::rows::<(i64,)>(session, tenant, FLOOR, ())?;
    if floor.first().is_some_and(|(floor,)| from < *floor) {
        return Err(Reason::Behind.because("the log no longer holds what follows here"));
    }
    Ok(())
}

fn stopping() -> Error {
    Error::unavailable("node.stopping", "this node was told to stop")
        .help("Follow from the last position you saw, on another node or when this one is back.")
}

/// Waits until the node is told to stop.
async fn told(stopping: &mut tokio::sync::watch::Receiver<bool>) {
    if stopping.wait_for(|stopping| *stopping).await.is_err() {
        // Nobody is left who could tell.
        std::future::pending().await
    }
}

async fn news(
    notices: &mut tokio::sync::broadcast::Receiver<stoa_store::Notice>, tenant: &Arc<str>,
) {
    use tokio::sync::broadcast::error::RecvError;
    loop {
        match notices.recv().await {
            Ok(notice) if notice.events.contains(tenant) => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Events that wait for one of so many partitions of a subscription.
fn lag(view: &View, name: &str, from: (i64, i64), (own, all): (i64, usize)) -> Result<i64> {
    const WAITING: &str = "SELECT subject FROM stoa_event WHERE tenant = :tenant \
         AND position >= $1 AND (position > $1 OR ordinal > $2) AND ($3 = '' OR topic = $3) \
         ORDER BY position, ordinal LIMIT 1000";
    let services = view.registry().services().iter();
    let subscriptions =
        services.flat_map(|service| service.subscriptions.iter().map(move |one| (service, one)));
    let mut known = subscriptions.filter(|(service, one)| {
        name.split_once('.').is_some_and(|name| name == (service.name, one.name))
    });
    let Some((_, subscription)) = known.next() else { return Ok(0) };
    let topic = subscription.topic.unwrap_or("");
    let waiting = view.rows::<(String,)>(WAITING, (from.0, from.1, topic))?;
    let is_own = |(subject,): &&(String,)| partition_of(subject, all) as i64 == own;
    Ok(waiting.iter().filter(is_own).count() as i64)
}

type EventRow = (i64, i64, String, String, String, Vec<u8>);
type JobRow = (String, String, String, i64, i64, String, i64, String);

fn event((position, ordinal, topic, message, subject, payload): EventRow) -> Event {
    Event { position: Position(position).to_string(), ordinal, topic, subject, message, payload }
}

fn job((id, method, state, attempts, run_at, error, position, on_behalf): JobRow) -> Job {
    Job {
        id,
        method,
        state,
        attempts,
        run_time: Micros(run_at).timestamp(),
        error,
        position: Position(position).to_string(),
        on_behalf,
    }
}

fn table(text: &str) -> Option<TableChange> {
    let (table, rows) = text.split_once(':')?;
    Some(TableChange { table: table.to_owned(), rows: rows.parse().ok()? })
}

fn release(tx: &mut Tx, subscription: &str, subject: &str) -> Result<i64> {
    const RELEASE: &str = "UPDATE stoa_parked SET attempts = -1 \
         WHERE tenant = :tenant AND subscription = $1 AND subject = $2";
    let released = tx.execute(RELEASE, (subscription, subject))?;
    Ok(i64::try_from(released).unwrap_or(i64::MAX))
}

fn describe(method: &stoa_contract::Method) -> Method {
    Method {
        name: method.name.to_owned(),
        kind: match method.kind {
            Kind::Query => "query",
            Kind::Command => "command",
            Kind::Effect => "effect",
        }
        .to_owned(),
        permission: match method.permission {
            Permission::Public => "public",
            Permission::Authenticated => "authenticated",
            Permission::Internal => "internal",
            Permission::Named(name) => name,
        }
        .to_owned(),
        doc: method.doc.to_owned(),
    }
}
