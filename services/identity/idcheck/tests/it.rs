//! Idcheck, through its contract.

#![cfg(test)]

use stoa_idcheck_v1::{Kind, ParseNumberRequest, ParseNumberResponse};
use stoa_kit::{Code, Result, Service};
use stoa_testkit::{Node, both};

const ALL: [Kind; 3] = [Kind::Person, Kind::Coordination, Kind::Organisation];

fn services() -> Vec<Service> {
    vec![stoa_idcheck::service()]
}

stoa_testkit::compliance!(stoa_idcheck::service, services);

fn asking(number: &str, kinds: &[Kind]) -> ParseNumberRequest {
    let kinds = kinds.iter().map(|kind| (*kind).into()).collect();
    ParseNumberRequest { number: number.into(), kinds }
}

async fn parse(node: &Node, number: &str, kinds: &[Kind]) -> Result<ParseNumberResponse> {
    node.call(&node.admin(), asking(number, kinds)).await
}

both! {
    async fn a_number_is_given_back_in_its_one_form(node: Node) {
        for (written, kind, normal, birth_date, is_test) in [
            (" 090527+1474 ", Kind::Person, "190905271474", "1909-05-27", false),
            ("570428-9999", Kind::Person, "195704289999", "1957-04-28", true),
            ("19730288-9931", Kind::Coordination, "197302889931", "1973-02-28", true),
            ("191500722390", Kind::Coordination, "191500722390", "", true),
            ("16855104-0721", Kind::Organisation, "8551040721", "", false),
        ] {
            let found = parse(&node, written, &ALL).await.unwrap();
            let wanted = ParseNumberResponse {
                kind: kind.into(),
                normal: normal.into(),
                birth_date: birth_date.into(),
                is_test,
            };
            assert_eq!(found, wanted);
            let others: Vec<Kind> = ALL.into_iter().filter(|other| *other != kind).collect();
            let other = parse(&node, written, &others).await.unwrap_err();
            assert_eq!(other.violations()[0].rule, "number.kind");
        }
    }
}

both! {
    async fn ten_digits_mean_what_the_clock_says(node: Node) {
        // The tests' clock begins with 2026.
        let child = "261231-2385";
        assert_eq!(parse(&node, child, &ALL).await.unwrap_err().violations()[0].rule, "number.date");
        assert_eq!(parse(&node, "261231+2385", &ALL).await.unwrap().birth_date, "1926-12-31");
        node.advance(std::time::Duration::from_secs(364 * 24 * 3_600)).await;
        assert_eq!(parse(&node, child, &ALL).await.unwrap().birth_date, "2026-12-31");
    }
}

both! {
    async fn no_refusal_repeats_a_number(node: Node) {
        for number in ["190905271475", "20260229-2399", "0905271474-", "150916-0006", "855104+0721"] {
            for kinds in [&ALL[..], &ALL[..1]] {
                let error = parse(&node, number, kinds).await.unwrap_err();
                assert_eq!(error.code(), Code::InvalidArgument);
                assert_eq!(error.violations()[0].path, "number");
                let told = format!("{error:?} {error} {} {:?}", error.next(), asking(number, kinds));
                let digits = &number[number.len() - 4..];
                assert!(!told.contains(digits), "{told}");
            }
        }
        assert!(!node.kept().await.holds(b"1474"));
    }
}
