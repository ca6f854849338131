//! What generated messages do: JSON is read strictly, rules are checked.

#![allow(clippy::panic, reason = "helpers of tests fail by panicking")]

use stoa_contract::v1::{Job, Money};
use stoa_contract::{Check, Code, Error, Message, Violation, json, rpc};

fn violation(error: &Error) -> &Violation {
    match error.violations() {
        [one] => one,
        other => panic!("one violation was expected, not {other:?}"),
    }
}

fn check(message: &impl Message) -> Result<(), Error> {
    let mut check = Check::default();
    message.check(&mut check);
    check.finish()
}

#[test]
fn json_is_written_as_protobuf_says_and_read_back() {
    let money = Money { amount: 1_234, currency: "USD".into() };
    let text = json::encode(&money).unwrap();
    assert_eq!(text, br#"{"amount":"1234","currency":"USD"}"#);
    assert_eq!(json::decode::<Money>(&text).unwrap(), money);
}

#[test]
fn no_text_is_the_empty_message() {
    assert_eq!(json::decode::<Money>(b" \n").unwrap(), Money::default());
    assert_eq!(json::decode::<Money>(b"{}").unwrap(), Money::default());
}

#[test]
fn both_spellings_of_a_name_are_known() {
    for text in [r#"{"backoffMs":5}"#, r#"{"backoff_ms":5}"#] {
        assert_eq!(json::decode::<Job>(text.as_bytes()).unwrap().backoff_ms, 5);
    }
}

#[test]
fn an_unknown_field_is_refused_with_the_nearest_name() {
    let error = json::decode::<Money>(br#"{"amuont":"1"}"#).unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert_eq!(violation(&error).path, "amuont");
    assert_eq!(violation(&error).rule, "json.unknown_field");
    assert_eq!(
        violation(&error).message,
        "stoa.v1.Money has no field `amuont`; did you mean `amount`?"
    );
    let error = json::decode::<Money>(br#"{"colour":"red"}"#).unwrap_err();
    assert_eq!(violation(&error).message, "stoa.v1.Money has no field `colour`");
}

#[test]
fn an_unknown_field_deep_inside_is_refused_with_its_path() {
    let text = br#"{"fieldViolations":[{"field":"a"},{"fields":"b"}]}"#;
    let error = json::decode::<rpc::BadRequest>(text).unwrap_err();
    assert_eq!(violation(&error).path, "field_violations[1].fields");
    assert_eq!(violation(&error).rule, "json.unknown_field");
}

#[test]
fn a_wrong_type_is_refused_with_its_path() {
    let error = json::decode::<Money>(br#"{"currency":5}"#).unwrap_err();
    assert_eq!(violation(&error).path, "currency");
    assert_eq!(violation(&error).rule, "json.type");
    let text = br#"{"fieldViolations":[{"field":"a"},{"field":{}}]}"#;
    let error = json::decode::<rpc::BadRequest>(text).unwrap_err();
    assert_eq!(violation(&error).path, "field_violations[1].field");
    let error = json::decode::<rpc::ErrorInfo>(br#"{"metadata":{"a":5}}"#).unwrap_err();
    assert_eq!(violation(&error).path, "metadata[\"a\"]");
    let error = json::decode::<rpc::BadRequest>(br#"{"fieldViolations":[5]}"#).unwrap_err();
    assert_eq!(violation(&error).path, "field_violations[0]");
}

#[test]
fn a_field_that_is_given_twice_is_refused_with_its_path() {
    let twice = [r#"{"amount":"1","amount":"2"}"#, r#"{"amount":null,"amount":"2"}"#];
    for text in twice {
        let error = json::decode::<Money>(text.as_bytes()).unwrap_err();
        assert_eq!(violation(&error).path, "amount", "{text}");
        assert_eq!(violation(&error).rule, "json.repeated_field");
    }
    // Both spellings are the same field.
    let error = json::decode::<Job>(br#"{"backoffMs":5,"backoff_ms":6}"#).unwrap_err();
    assert_eq!(violation(&error).path, "backoff_ms");
    let text = br#"{"fieldViolations":[{"field":"a"},{"field":"b","field":"c"}]}"#;
    let error = json::decode::<rpc::BadRequest>(text).unwrap_err();
    assert_eq!(violation(&error).path, "field_violations[1].field");
}

#[test]
fn errors_repeat_little_of_a_request() {
    let long = "ä".repeat(100_000);
    let shown = format!("{}…", "ä".repeat(30));
    let error = json::decode::<Money>(format!("{{\"{long}\":1}}").as_bytes()).unwrap_err();
    assert_eq!(violation(&error).path, shown);
    assert_eq!(violation(&error).message, format!("stoa.v1.Money has no field `{shown}`"));
    let text = format!("{{\"metadata\":{{\"{long}\":5}}}}");
    let error = json::decode::<rpc::ErrorInfo>(text.as_bytes()).unwrap_err();
    assert_eq!(violation(&error).path, format!("metadata[\"{shown}\"]"));
    let mut info = rpc::ErrorInfo::default();
    info.metadata.insert(long.clone(), "\0".into());
    assert_eq!(violation(&check(&info).unwrap_err()).path, format!("metadata[\"{shown}\"]"));
    assert!(Error::not_found("account", &long).message().len() < 100);
    assert!(Error::new(Code::Unknown, "x", long.clone()).message().len() <= 512);

    let one = |_| Violation { path: long.clone(), rule: "r".into(), message: long.clone() };
    let error = Error::invalid((0..100).map(one).collect());
    assert_eq!(error.message(), "100 fields break the rules of this method");
    let size = |v: &Violation| v.path.len() + v.rule.len() + v.message.len();
    assert!(error.violations().iter().map(size).sum::<usize>() <= 2 << 10);
    assert!(!error.violations().is_empty());
}

#[test]
fn what_an_inner_method_says_of_fields_is_not_told_as_if_it_were_about_the_request() {
    let inner = Error::field("legs[0].amount", "int64.lte", "must be at most 5");
    let outer = inner.out_of("ledger.CreateTransfer").out_of("orders.ImportOrder");
    assert_eq!((outer.code(), outer.reason()), (Code::InvalidArgument, "request.inner"));
    assert_eq!(
        outer.message(),
        "ledger.CreateTransfer, which this calls, refuses `legs[0].amount`: must be at most 5"
    );
    assert!(outer.violations().is_empty());
    assert_eq!(Error::not_found("account", "a").out_of("x").reason(), "resource.not_found");
}

#[test]
fn what_is_not_json_is_malformed() {
    for text in ["{", "{\"amount\":\"1\"} x", "{\"amount\":}"] {
        let error = json::decode::<Money>(text.as_bytes()).unwrap_err();
        assert_eq!(error.reason(), "json.malformed", "{text}");
    }
}

#[test]
fn depth_is_bounded() {
    let deep = "[".repeat(100_000);
    let error = json::decode::<Money>(format!("{{\"amount\":{deep}").as_bytes()).unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
}

#[test]
fn rules_are_checked() {
    let money = |currency: &str| Money { amount: 1, currency: currency.into() };
    assert!(check(&money("EUR")).is_ok());
    for currency in ["", "eur", "EURO", " EUR", "EUR\n"] {
        let error = check(&money(currency)).unwrap_err();
        assert_eq!(violation(&error).path, "currency", "{currency:?}");
        assert_eq!(violation(&error).rule, "string.pattern");
    }
}

#[test]
fn no_text_holds_the_character_that_postgresql_cannot_store() {
    let error = check(&rpc::LocalizedMessage { locale: "en".into(), message: "a\0b".into() });
    let error = error.unwrap_err();
    assert_eq!(violation(&error).path, "message");
    assert_eq!(violation(&error).rule, "string.no_nul");

    let mut info = rpc::ErrorInfo::default();
    info.metadata.insert("a".into(), "\0".into());
    assert_eq!(violation(&check(&info).unwrap_err()).path, "metadata[\"a\"]");
}

#[test]
fn the_path_of_a_violation_leads_into_lists() {
    let mut request = rpc::BadRequest::default();
    request.field_violations.resize(3, Default::default());
    request.field_violations[2].field = "\0".into();
    assert_eq!(violation(&check(&request).unwrap_err()).path, "field_violations[2].field");
}

#[test]
fn shapes_name_their_message() {
    assert_eq!(Money::NAME, "stoa.v1.Money");
    assert_eq!(Money::SHAPE.name, Money::NAME);
    assert!(!Money::SHAPE.redacts());
    assert_eq!(rpc::bad_request::FieldViolation::NAME, "google.rpc.BadRequest.FieldViolation");
}

#[test]
fn what_has_no_shape_is_written_in_one_way_and_read_as_others_write_it() {
    use buffa::Message as _;
    use buffa_types::google::protobuf::Struct as Theirs;
    use stoa_contract::open::Struct;
    let text = r#"{"b":[1,2.5,null,true,{"z":"ö","a":""}],"a":{},"n":-9007199254740992}"#;
    let ours: Struct = serde_json::from_str(text).unwrap();
    let bytes = ours.encode_to_vec();
    let theirs = Theirs::decode_from_slice(&bytes).unwrap();
    assert_eq!(theirs, serde_json::from_str::<Theirs>(text).unwrap());
    for _ in 0..8 {
        let again = Struct::decode_from_slice(&theirs.clone().encode_to_vec()).unwrap();
        assert_eq!(again.encode_to_vec(), bytes, "in whichever order they came");
    }
    assert_eq!(
        String::from_utf8(stoa_contract::json::text(&ours).unwrap()).unwrap(),
        r#"{"a":{},"b":[1,2.5,null,true,{"a":"","z":"ö"}],"n":-9007199254740992}"#
    );
    let infinite = [0x0a, 0x0e, 0x0a, 0x01, b'x', 0x12, 0x09, 0x11, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f];
    assert!(Struct::decode_from_slice(&infinite).is_err());
}
