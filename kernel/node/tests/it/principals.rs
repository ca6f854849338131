//! What was asked for and happens later happens on somebody's behalf, as they are then, and in one
//! trace with what led to it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use stoa_contract::{Check, Contract, Job, Kind, Method, Permission, Shape};
use stoa_kit::v1::Money;
use stoa_kit::{
    Authenticator, Caller, Cause, Error, Invocation, JobOptions, MAIN, Message, Methods, Micros,
    Migration, Principal, Request, Result, Service, Struct, View,
};
use stoa_node::Call;
use stoa_testkit::{Engine, Node, both, run};

use crate::echo::{self, rows};
use crate::messages::{Enqueue, Say};

crate::on_both!(
    a_job_runs_as_who_asked_for_it_is_by_then,
    what_is_invoked_is_asked_once_and_as_who_it_is_for,
);

const CONTRACT: &Contract = &Contract {
    name: "deeds",
    full_name: "stoa.deeds.v1.DeedsService",
    doc: "Does what somebody asked for.",
    methods: &[Ask::METHOD, Do::METHOD, Press::METHOD],
    events: &[],
    descriptors: &[],
};

const TABLES: &[Migration] = &[Migration::expand(
    "0001_deeds",
    "CREATE TABLE deeds_may (tenant TEXT NOT NULL, subject TEXT NOT NULL, time BIGINT NOT NULL,
         PRIMARY KEY (tenant, subject));",
)];

const JOB: Job = Job {
    max_attempts: 5,
    backoff_ms: 1_000,
    backoff_max_ms: 60_000,
    timeout_ms: 30_000,
    at_once: 2,
};

macro_rules! deed {
    ($name:ident, $kind:ident, $permission:expr, $job:expr) => {
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        struct $name(Money);

        stoa_testkit::wraps!($name);

        impl Message for $name {
            const NAME: &'static str = concat!("stoa.deeds.v1.", stringify!($name));
            const SHAPE: &'static Shape = Money::SHAPE;

            fn check(&self, _: &mut Check) {}
        }

        impl Request for $name {
            type Reply = Money;
            const METHOD: &'static Method = &Method {
                path: concat!("stoa.deeds.v1.DeedsService/", stringify!($name)),
                service: "deeds",
                name: stringify!($name),
                doc: "",
                kind: Kind::$kind,
                streams: false,
                takes_stream: None,
                permission: $permission,
                job: $job,
                prompt: false,
                price: None,
                step_up: None,
                http: &[],
                batch_gets: None,
                request: Money::SHAPE,
                reply: Money::SHAPE,
            };
        }
    };
}

deed!(Ask, Command, Permission::Authenticated, None);
deed!(Do, Effect, Permission::Named("deeds.do"), Some(JOB));
deed!(Press, Effect, Permission::Authenticated, None);

/// Whoever has a row may; whoever is called `gone` is nobody any more.
fn principal(view: &View, subject: &str, _: &str) -> Result<Option<Caller>> {
    const MAY: &str = "SELECT time FROM deeds_may WHERE tenant = :tenant AND subject = $1";
    let may = view.row::<(i64,)>(MAY, (subject,))?.is_some();
    let permissions: &[&str] = if may { &["deeds.do"] } else { &[] };
    let caller = Caller::of(&view.caller().tenant, subject, permissions);
    Ok((subject != "user:gone").then_some(caller))
}

fn service(done: Arc<Mutex<Vec<String>>>) -> Service {
    const ADD: &str = "INSERT INTO deeds_may (tenant, subject, time) VALUES (:tenant, $1, $2)";
    let methods = Methods::new(CONTRACT)
        .command(|tx, ask: Ask| {
            let words = ask.0.currency.clone();
            if let Some(subject) = words.strip_prefix("allow ") {
                let now = tx.now();
                tx.execute(ADD, (subject, now.0))?;
            } else {
                let on_behalf = Some(words).filter(|words| !words.is_empty());
                tx.enqueue(&Do::default(), JobOptions { on_behalf, ..JobOptions::default() })?;
            }
            Ok(Money::default())
        })
        .effect(move |ctx, _: Do| {
            done.lock().unwrap().push(ctx.caller().subject.to_string());
            async { Ok(Money::default()) }
        })
        .effect(|ctx, press: Press| async move {
            let principal = Principal { subject: press.0.currency, credential: String::new() };
            let asked = Invocation::new("deeds.Do", Struct::default()).on_behalf(principal);
            ctx.invoke(asked).await?;
            match press.0.amount {
                0 => Ok(Money::default()),
                _ => Err(Error::unavailable("deeds.jammed", "what came of it was not kept")),
            }
        });
    Service::new(methods).invokes().migrations(TABLES).authenticates(Authenticator {
        tenant: |_| Some(MAIN),
        run: |_, _| Ok(None),
        principal,
        prepare: |_, _| Ok(false),
    })
}

fn ask(words: &str) -> Ask {
    Ask(Money { amount: 0, currency: words.to_owned() })
}

fn a_job_runs_as_who_asked_for_it_is_by_then(engine: Engine) {
    let done = Arc::new(Mutex::new(Vec::new()));
    let services = vec![service(Arc::clone(&done))];
    run(engine, services, |node| async move {
        let [may, may_not, gone] = ["may", "not", "gone"].map(|id| node.user(id));
        for caller in [&may, &may_not, &gone] {
            node.call(caller, ask("")).await.unwrap();
        }
        // Whoever asks names somebody else, who is looked up in the same way.
        node.call(&may_not, ask("user:may")).await.unwrap();
        // What they may is decided when it runs, not when it was asked for.
        node.call(&may, ask("allow user:may")).await.unwrap();
        node.advance(Duration::from_secs(1)).await;
        assert_eq!(*done.lock().unwrap(), ["user:may", "user:may"]);
        let dead = node.ask(&node.admin(), "ListJobs", json!({"state": "dead"})).await.unwrap();
        let dead = dead["jobs"].as_array().unwrap();
        let found = |behalf: &str| {
            let job = dead.iter().find(|job| job["onBehalf"] == behalf).expect("it is dead");
            assert_eq!(job["attempts"], "1", "nothing is gained by trying again");
            job["error"].as_str().unwrap().to_owned()
        };
        assert!(found("user:not").contains("auth.permission_denied"), "{dead:?}");
        assert!(found("user:gone").contains("job.principal"), "{dead:?}");
        assert_eq!(dead.len(), 2);
    });
}

fn what_is_invoked_is_asked_once_and_as_who_it_is_for(engine: Engine) {
    let done = Arc::new(Mutex::new(Vec::new()));
    let services = vec![service(Arc::clone(&done))];
    run(engine, services, |node| async move {
        let presser = node.user("presser");
        let press =
            |subject: &str, jammed| Press(Money { amount: jammed, currency: subject.into() });
        node.call(&presser, ask("allow user:may")).await.unwrap();
        for (subject, reason) in
            [("user:not", "auth.permission_denied"), ("user:gone", "job.principal")]
        {
            let error = node.call(&presser, press(subject, 0)).await.unwrap_err();
            assert_eq!(error.reason(), reason);
        }
        assert!(done.lock().unwrap().is_empty());
        let pressed =
            async |key: &str| node.call_with_key(&presser, key, press("user:may", 1)).await;
        for key in ["k", "k", "l"] {
            assert_eq!(pressed(key).await.unwrap_err().reason(), "deeds.jammed");
        }
        assert_eq!(*done.lock().unwrap(), ["user:may", "user:may"], "once for each key");
    });
}

fn services() -> Vec<Service> {
    vec![echo::service()]
}

/// Calls in a trace.
async fn traced<R: Request>(node: &Node, caller: &Caller, request: R) {
    let call = Call {
        method: R::METHOD.path.to_owned(),
        caller: caller.clone(),
        request: Box::new(request),
        key: None,
        fence: None,
        trace: TRACE.to_owned(),
        deadline: None,
        cause: Cause::Request,
        address: String::new(),
        position: None,
        dry_run: false,
    };
    node.inner().call(call).await.unwrap();
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

both! {
    async fn a_request_and_what_follows_it_are_one_trace(node: Node) {
        const RECORDS: &str = "SELECT method, caller, trace, time FROM stoa_commit \
             WHERE tenant = :tenant ORDER BY position /* whole: a test */";
        let user = node.user("usr_1");
        traced(&node, &user, Say::new("it", 1)).await;
        traced(&node, &user, Enqueue::new(echo::ECHOED, 1)).await;
        node.advance(Duration::from_secs(1)).await;
        type Record = (String, String, String, i64);
        let records = rows::<Record>(node.inner(), RECORDS).await;
        let short = |method: &str| method.rsplit('/').next().unwrap().to_owned();
        let mut seen = Vec::new();
        for (method, caller, trace, time) in &records {
            assert_eq!(trace, TRACE, "{method}");
            assert!(Micros(*time) > Micros(0));
            seen.push((short(method), caller.as_str()));
        }
        seen.sort();
        let by_job = "service:echo on behalf of user:usr_1";
        // The outcome of the job says something, and that is heard in the same trace.
        let wanted = [
            ("Enqueue", "user:usr_1"),
            ("Say", "user:usr_1"),
            ("Work", by_job),
            ("hear", "system"),
            ("hear", "system"),
        ];
        assert_eq!(seen, wanted.map(|(method, caller)| (method.to_owned(), caller)));
    }
}
