//! Values are shown for their purposes, and lie nowhere as they are.

use std::time::Duration;

use stoa_kit::{Caller, Error, Result, Service, Tx};
use stoa_secrets_v1::*;
use stoa_testkit::{Node, both};

const NUMBER: &str = "191212121212-canary";
const REASON: &str = "case 1177, canary";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn services() -> Vec<Service> {
    crate::services()
}

fn wrapping(subject: &str, value: &str) -> WrapRequest {
    WrapRequest {
        kind: "person_number".into(),
        value: value.into(),
        subject: subject.into(),
        purposes: vec!["credit.check".into(), "tax.report".into()],
        ttl_seconds: 0,
    }
}

async fn wrap(node: &Node, request: WrapRequest) -> Reference {
    (*node.call(&node.admin(), request).await.unwrap().reference).clone()
}

fn looking(reference: &Reference, purpose: &str) -> UnwrapRequest {
    UnwrapRequest { id: reference.id.clone(), purpose: purpose.into(), reason: REASON.into() }
}

async fn look(node: &Node, caller: &Caller, reference: &Reference) -> Result<String> {
    node.call(caller, looking(reference, "credit.check")).await.map(|reply| reply.value)
}

async fn known(node: &Node, request: ListReferencesRequest) -> Vec<Reference> {
    node.call(&node.admin(), request).await.unwrap().references
}

async fn fingerprint(node: &Node, caller: &Caller, kind: &str, value: &str) -> String {
    let request = FingerprintRequest { kind: kind.into(), value: value.into() };
    node.call(caller, request).await.unwrap().fingerprint
}

/// Puts what is sealed of two references of one subject each into the place of the other.
fn exchange(tx: &mut Tx) -> Result<u64> {
    let kept = tx.rows::<(String, Vec<u8>)>(
        "SELECT reference_id, value FROM secrets_content \
         WHERE tenant = :tenant AND subject = 'usr_1' ORDER BY kind, reference_id",
        (),
    )?;
    let ((one, a), (other, b)) = (&kept[0], &kept[1]);
    let put = "UPDATE secrets_content SET value = $1 \
         WHERE tenant = :tenant AND kind = 'person_number' AND reference_id = $2";
    Ok(tx.execute(put, (b.as_slice(), one))? + tx.execute(put, (a.as_slice(), other))?)
}

both! {
    async fn a_value_is_shown_for_its_purposes_and_every_look_is_told(node: Node) {
        let reference = wrap(&node, wrapping("usr_1", NUMBER)).await;
        let clerk = node.user_with("usr_9", &["secrets.references.*"]);
        assert_eq!(look(&node, &clerk, &reference).await.unwrap(), NUMBER);
        let refused = node.fails(&clerk, looking(&reference, "credit")).await;
        assert_eq!(refused.reason(), "secrets.wrong_purpose");
        // Who sees no reference of others is not told that there is one, and nobody else is.
        let stranger = node.user_with("usr_8", &["secrets.references.unwrap"]);
        let unseen = node.fails(&stranger, looking(&reference, "credit")).await;
        assert_eq!(unseen.reason(), "resource.not_found");

        let shown = node.events::<ReferenceUnwrapped>().await;
        let told = (&*shown[0].reference_id, &*shown[0].caller, &*shown[0].purpose);
        assert_eq!(told, (&*reference.id, "user:usr_9", "credit.check"));
        let refused = node.events::<UnwrapRefused>().await;
        let told = (&*refused[0].reference_id, &*refused[0].caller, &*refused[0].purpose);
        assert_eq!(told, (&*reference.id, "user:usr_9", "credit"));
        assert_eq!((shown.len(), refused.len()), (1, 1));
    }
}

both! {
    async fn a_value_is_nowhere_as_it_is(node: Node) {
        let (admin, request) = (node.admin(), wrapping("usr_1", NUMBER));
        let wrapped = node.call_with_key(&admin, "wrap", request.clone()).await.unwrap();
        let again = node.call_with_key(&admin, "wrap", request).await.unwrap();
        assert_eq!(wrapped, again);
        let request = looking(&wrapped.reference, "credit.check");
        let shown = node.call_with_key(&admin, "look", request.clone()).await.unwrap();
        assert_eq!(shown.value, NUMBER);
        let again = node.call_with_key(&admin, "look", request.clone()).await.unwrap_err();
        assert_eq!(again.reason(), "idempotency.withheld");
        node.fails(&admin, UnwrapRequest { purpose: "other".into(), ..request }).await;
        fingerprint(&node, &admin, "person_number", NUMBER).await;
        node.settle().await;
        let texts = [NUMBER, REASON];
        let on_disk = node.first_on_disk(texts.iter().map(|text| text.as_bytes())).await;
        assert_eq!(on_disk.map(String::from_utf8), None);
        assert!(node.kept().await.holds(&wrapped.reference.fingerprint));
    }
}

both! {
    async fn what_is_sealed_opens_as_the_value_of_its_reference_and_kind(node: Node) {
        let [one, other] = [wrapping("usr_1", "one"), wrapping("usr_1", "other")];
        let (one, other) = (wrap(&node, one).await, wrap(&node, other).await);
        let damaged = async |change: fn(&mut Tx) -> Result<u64>| {
            node.change("secrets", &node.admin(), change).await.unwrap();
            for reference in [&one, &other] {
                let error = look(&node, &node.admin(), reference).await.unwrap_err();
                assert_eq!(error.reason(), "ring.damaged");
            }
        };
        damaged(exchange).await;
        // Exchanged once more each is where it was.
        node.change("secrets", &node.admin(), exchange).await.unwrap();
        assert_eq!(look(&node, &node.admin(), &one).await.unwrap(), "one");
        damaged(|tx| {
            tx.execute(
                "UPDATE secrets_reference SET kind = 'nickname' \
                 WHERE tenant = :tenant AND subject = 'usr_1'", (),
            )?;
            tx.execute(
                "UPDATE secrets_content SET kind = 'nickname' \
                 WHERE tenant = :tenant AND subject = 'usr_1'", (),
            )
        }).await;
    }
}

both! {
    async fn a_fingerprint_finds_equal_values_of_a_kind_and_tells_no_others_apart(node: Node) {
        let mine = wrap(&node, wrapping("usr_1", NUMBER)).await;
        node.pass(Duration::from_secs(1));
        let theirs = wrap(&node, wrapping("usr_2", NUMBER)).await;
        wrap(&node, wrapping("usr_3", "another")).await;
        let found = fingerprint(&node, &node.admin(), "person_number", NUMBER).await;
        let request = ListReferencesRequest { fingerprint: found.clone(), ..Default::default() };
        assert_eq!(known(&node, request).await, [mine, theirs]);
        assert_ne!(fingerprint(&node, &node.admin(), "account_number", NUMBER).await, found);
        node.create_tenant("other").await;
        let elsewhere = Caller::of("other", "user:usr_1", &["secrets.*"]);
        assert_ne!(fingerprint(&node, &elsewhere, "person_number", NUMBER).await, found);
    }
}

both! {
    async fn whoever_is_erased_takes_all_of_it_along(node: Node) {
        let gone = wrap(&node, wrapping("usr_1", NUMBER)).await;
        let stays = wrap(&node, wrapping("usr_2", NUMBER)).await;
        node.change("secrets", &node.admin(), |tx| tx.erase("usr_1")).await.unwrap();
        let error: Error = look(&node, &node.admin(), &gone).await.unwrap_err();
        assert_eq!(error.reason(), "resource.not_found");
        let request = ListReferencesRequest {
            fingerprint: gone.fingerprint.clone(), ..Default::default()
        };
        let left = known(&node, request).await;
        assert_eq!((left.len(), &left[0]), (1, &stays));
        let late = node.fails(&node.admin(), wrapping("usr_1", NUMBER)).await;
        assert_eq!(late.reason(), "secrets.subject_erased");
        assert_eq!(look(&node, &node.admin(), &stays).await.unwrap(), NUMBER);
    }
}

both! {
    async fn what_is_wrapped_about_somebody_can_end_while_they_stay(node: Node) {
        let gone = wrap(&node, wrapping("usr_1", NUMBER)).await;
        let stays = wrap(&node, wrapping("usr_2", "another")).await;
        let request = DestroySubjectRequest { subject: "usr_1".into() };
        for destroyed in [1, 0] {
            let reply = node.call(&node.admin(), request.clone()).await.unwrap();
            assert_eq!(reply.destroyed, destroyed);
        }
        assert_eq!(node.events::<SubjectDestroyed>().await.len(), 1);
        let error = look(&node, &node.admin(), &gone).await.unwrap_err();
        assert_eq!(error.reason(), "resource.not_found");
        assert!(!node.kept().await.holds(&gone.fingerprint));
        assert_eq!(look(&node, &node.admin(), &stays).await.unwrap(), "another");
        let again = wrap(&node, wrapping("usr_1", NUMBER)).await;
        assert_eq!(look(&node, &node.admin(), &again).await.unwrap(), NUMBER);
    }
}

both! {
    async fn what_expired_is_shown_no_more_and_goes_with_its_value(node: Node) {
        let lasting = wrap(&node, wrapping("usr_1", "lasting")).await;
        let request = WrapRequest { ttl_seconds: 86_400, ..wrapping("usr_1", NUMBER) };
        let short = wrap(&node, request).await;
        node.advance(DAY - Duration::from_secs(1)).await;
        assert_eq!(look(&node, &node.admin(), &short).await.unwrap(), NUMBER);
        node.pass(Duration::from_secs(1));
        let error = look(&node, &node.admin(), &short).await.unwrap_err();
        assert_eq!(error.reason(), "resource.not_found");
        node.advance(Duration::from_secs(61 * 60)).await;
        let count = |tx: &mut Tx| tx.row::<(i64,)>(
            "SELECT CAST(COUNT(*) AS BIGINT) FROM secrets_content \
             WHERE tenant = :tenant AND subject = 'usr_1'", (),
        );
        let left = node.change("secrets", &node.admin(), count).await.unwrap();
        assert_eq!(left, Some((1,)));
        assert_eq!(known(&node, ListReferencesRequest::default()).await, [lasting]);
    }
}
