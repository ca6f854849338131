//! What is revoked, and the lists that say so.

use stoa_certs_v1::*;
use stoa_kit::Service;
use stoa_testkit::both;

use crate::world::*;

fn services() -> Vec<Service> {
    crate::services()
}

both! {
    async fn what_is_revoked_is_on_the_list_at_once(node: Node) {
        let authority = authority(&node).await;
        let issued = issue(&node, &authority, &["a.example"]).await.certificate;
        let before = crl(&node, &issued.root_id).await;
        assert!(before.serials().is_empty());
        revoke(&node, &issued.serial, RevocationReason::KeyCompromise).await;
        // No time has gone by, and nothing ran in between.
        let after = crl(&node, &issued.root_id).await;
        assert_eq!(after.serials(), std::slice::from_ref(&issued.serial));
        assert!(after.number() > before.number());
        let entry = &after.0.tbs_cert_list.revoked_certificates.as_ref().unwrap()[0];
        let reason = &entry.crl_entry_extensions.as_ref().unwrap()[0];
        assert_eq!(reason.extn_id.to_string(), "2.5.29.21");
        assert_eq!(reason.extn_value.as_bytes(), [10, 1, 1]);
        let again = RevokeCertificateRequest { serial: issued.serial, ..Default::default() };
        assert_eq!(node.fails(&node.admin(), again).await.reason(), "certs.already_revoked");
        assert_eq!(crl(&node, &issued.root_id).await.number(), after.number());
        assert_eq!(node.events::<CertificateRevoked>().await.len(), 1);
    }
}

both! {
    async fn for_30_days_no_list_is_stale_and_their_numbers_grow(node: Node) {
        let authority = authority(&node).await;
        set(&node, "crl_life_hours", 12.into()).await;
        let root = rotate(&node, &authority).await.id;
        let (mut number, mut signed) = (0, 0);
        for hour in (0..30 * 24).step_by(3) {
            node.advance(3 * HOUR).await;
            if hour % 48 == 6 {
                let issued = issue(&node, &authority, &["a.example"]).await.certificate;
                revoke(&node, &issued.serial, RevocationReason::Superseded).await;
                assert!(crl(&node, &issued.root_id).await.serials().contains(&issued.serial));
            }
            // What lies there is looked at, before anybody asks for it.
            node.settle().await;
            let kept = node.rows::<(String, Vec<u8>)>("SELECT id, crl FROM certs_root").await;
            let kept = kept.into_iter().find(|(id, _)| *id == root).unwrap().1;
            let list = Crl::read(&kept);
            let now = (node.now().0 / 1_000_000) as u64;
            let (from, to) = list.times();
            assert!(from <= now && now < to, "hour {hour}: {from} {now} {to}");
            assert!(list.number() >= number, "hour {hour}");
            signed += u32::from(list.number() > number);
            number = list.number();
        }
        assert!(signed > 30 * 24 / 6, "{signed}");
    }
}

both! {
    async fn who_has_the_list_is_told_that_it_still_holds(node: Node) {
        let authority = authority(&node).await;
        let issued = issue(&node, &authority, &["a.example"]).await.certificate;
        let path = format!("/crl/{}", issued.root_id);
        let first = send(&node, "GET", &path, &[], Vec::new()).await;
        let tag = first.header("etag").to_owned();
        let again = send(&node, "GET", &path, &[("if-none-match", &tag)], Vec::new()).await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
        revoke(&node, &issued.serial, RevocationReason::Unspecified).await;
        let changed = send(&node, "GET", &path, &[("if-none-match", &tag)], Vec::new()).await;
        assert_eq!(changed.status, 200);
        for path in ["/crl", "/crl/", "/crl/rot_none"] {
            assert_eq!(send(&node, "GET", path, &[], Vec::new()).await.status, 404, "{path}");
        }
        assert_eq!(send(&node, "POST", &path, &[], Vec::new()).await.status, 404);
    }
}
