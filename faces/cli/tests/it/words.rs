//! From words to requests, and back.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::{asked, contracts, matched, method, refused, request};

#[test]
fn every_type_is_said_by_an_option() {
    for (words, wanted) in [
        (&["--small", "-5"][..], json!({"small": -5})),
        (&["--unsigned=18446744073709551615"], json!({"unsigned": "18446744073709551615"})),
        (&["--real", "2.5"], json!({"real": 2.5})),
        (&["--real=-inf"], json!({"real": "-inf"})),
        (&["--urgent"], json!({"urgent": true})),
        (&["--urgent=false"], json!({"urgent": false})),
        (&["--raw", "aGk="], json!({"raw": "aGk="})),
        (&["--pace", "at-once"], json!({"pace": "PACE_AT_ONCE"})),
        (&["--pace", "PACE_SLOW"], json!({"pace": "PACE_SLOW"})),
        (&["--due-time", "now"], json!({"dueTime": "2026-11-29T12:00:00Z"})),
        (&["--due-time", "-2h"], json!({"dueTime": "2026-11-29T10:00:00Z"})),
        (&["--patience", "1h30m"], json!({"patience": "5400s"})),
        (&["--read-mask", "due-time,id"], json!({"readMask": "due_time,id"})),
        (&["--price", "11.77EUR"], json!({"price": {"amount": "1177", "currency": "EUR"}})),
        (&["--tags", "a", "--tags", "b,c"], json!({"tags": ["a", "b,c"]})),
        (&["--counts", "a=1", "--counts=b=2"], json!({"counts": {"a": "1", "b": "2"}})),
        (&["--note="], json!({"note": ""})),
        (&["--somebody.name", "Eve"], json!({"somebody": {"name": "Eve"}})),
        (&["--somebody", "name=Eve,street=x"], json!({"somebody": {"name": "Eve", "street": "x"}})),
        (&["--somebody", "{\"name\":\"Eve\"}"], json!({"somebody": {"name": "Eve"}})),
        (&["--before", "small=3"], json!({"before": {"small": 3}})),
        (&["main"], json!({"street": "main"})),
        (&["main", "1"], json!({"street": "main", "id": "1"})),
        (&["--id", "1"], json!({"id": "1"})),
        (&["--token", "t"], json!({"token": "t"})),
    ] {
        assert_eq!(request(words), wanted, "{words:?}");
    }
}

#[test]
fn bytes_are_read_from_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), [0xff, 0]).unwrap();
    let path = format!("@{}", file.path().display());
    assert_eq!(request(&["--raw", &path]), json!({"raw": "/wA="}));
    assert!(refused(&["--raw", "@/nowhere"]).contains("/nowhere: No such file"));
}

#[test]
fn a_list_of_one_is_said_by_the_options_of_its_item() {
    let bread = json!({"currency": "EUR", "purchases": [{"what": "bread", "cost": "350"}]});
    for words in [
        &["--what", "bread", "--cost", "3.50EUR"][..],
        &["--what", "bread", "--cost", "350", "--currency", "EUR"],
        &["--purchases", "what=bread,cost=3.50EUR"],
        &["--purchases", "{\"what\":\"bread\",\"cost\":\"350\"}", "--currency=EUR"],
    ] {
        assert_eq!(request(words), bread, "{words:?}");
    }
    let two =
        request(&["--purchases", "what=bread,cost=1EUR", "--purchases", "what=salt,cost=2EUR"]);
    let items = json!([{"what": "bread", "cost": "100"}, {"what": "salt", "cost": "200"}]);
    assert_eq!(two, json!({"currency": "EUR", "purchases": items}));
    let mixed =
        refused(&["--purchases", "what=bread,cost=1EUR", "--purchases", "what=salt,cost=2USD"]);
    assert_eq!(mixed, "--purchases is in USD, and --currency says EUR");
    let said = refused(&["--what", "bread", "--cost", "1EUR", "--currency", "USD"]);
    assert_eq!(said, "--cost is in EUR, and --currency says USD");
    let both = refused(&["--what", "bread", "--purchases", "what=salt"]);
    assert!(both.contains("cannot be used with '--purchases <FIELD=VALUE,…>'"), "{both}");
}

#[test]
fn a_whole_message_is_json_and_options_are_put_on_top() {
    let whole = "{\"due_time\":\"2020-01-01T00:00:00Z\",\"tags\":[\"a\"],\"note\":\"n\"}";
    assert_eq!(
        request(&["--json", whole, "--due-time", "2026-11-29", "--tags", "b"]),
        json!({"dueTime": "2026-11-29T00:00:00Z", "tags": ["b"], "note": "n"})
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), whole).unwrap();
    let path = format!("@{}", file.path().display());
    assert_eq!(request(&["--json", &path])["note"], "n");
    assert_eq!(request(&["--json", "{\"nonsense\":1}"]), json!({"nonsense": 1}), "nodes decide");
    for (said, wanted) in [
        ("[]", "a request is an object of JSON"),
        ("{", "the request is not JSON"),
        ("@/nowhere", "/nowhere: No such file"),
    ] {
        assert!(refused(&["--json", said]).contains(wanted), "{said}");
    }
    let clash = refused(&["--json", "{\"somebody\":3}", "--somebody.name", "Eve"]);
    assert_eq!(clash, "--somebody.name stands in the way of another option");
}

#[test]
fn what_says_no_request_is_refused_with_what_would() {
    for (words, wanted) in [
        (&["--pase", "slow"][..], "a similar argument exists: '--pace'"),
        (&["--pace", "slo"], "[possible values: at-once, slow]"),
        (&["--small", "x"], "write a whole number"),
        (&["--small", "2147483648"], "write a whole number"),
        (&["--urgent=maybe"], "true or false"),
        (&["--due-time", "tomorrow"], "write a time as 2026-11-29T15:04:05Z"),
        (&["--patience", "90"], "write a duration as 90s, 1h30m or 2d"),
        (&["--price", "11.77"], "write its currency too: 11.77EUR"),
        (&["--counts", "a"], "write key=value"),
        (&["--counts", "a=b"], "write a whole number"),
        (&["--somebody", "nobody=x"], "there is no field `nobody`; there are name, street"),
        (&["--somebody", "name=a, b"], "where a value holds a comma, write JSON"),
        (&["--somebody", "name=a,name=b"], "name is said twice"),
        (&["--user-id", "usr_1", "--somebody.name", "Eve"], "cannot be used with"),
        (&["main", "--street", "main"], "cannot be used with"),
        (&["--note", "a", "--note", "b"], "cannot be used multiple times"),
    ] {
        let said = refused(words);
        assert!(said.contains(wanted), "{words:?}: {said}");
    }
    let typo = matched(&["errand", "run-erand"]).unwrap_err();
    assert!(typo.contains("'run-errand'"), "{typo}");
    assert!(matched(&["errand", "sweep"]).is_err(), "what is internal is no command");
}

#[test]
fn help_tells_what_the_contract_tells() {
    let help = matched(&["errand", "run-errand", "--help"]).unwrap_err();
    for wanted in [
        "Runs an errand, and tells\nhow it went.",
        "It needs the permission `errand.errands.run`.",
        "[STREET]",
        "[ID]",
        "What names it [required]",
        "The currency of all that is bought [required]",
        "[possible values: at-once, slow]",
        "Options, for one of --purchases:",
        "  stoa errand run-errand main '<errand>' '--note=it'\\''s new' --currency=EUR \\\n    \
         --what=bread --cost=3.50EUR\n",
    ] {
        assert!(help.contains(wanted), "{wanted}\n\n{help}");
    }
    let count = help.matches("--token").count();
    assert_eq!(count, 1, "a field takes the place of a program's option: {help}");
    let of_service = matched(&["errand", "--help"]).unwrap_err();
    assert!(of_service.contains("run-errand"), "{of_service}");
}

#[test]
fn what_is_at_fault_is_named_by_its_option() {
    let asked = asked(&["errand", "run-errand"]).unwrap();
    for (path, option) in [
        ("purchases[0].cost", Some("--cost")),
        ("purchases", Some("--purchases")),
        ("somebody.name", Some("--somebody.name")),
        ("counts[a]", Some("--counts")),
        ("before.before.before.id", Some("--before")),
        ("street", Some("<STREET>")),
        ("nonsense", None),
    ] {
        assert_eq!(asked.option(path).as_deref(), option, "{path}");
    }
}

/// A value that the field of this name might have, right or wrong.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(|number| json!(number.to_string())),
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
        Just(json!("PACE_SLOW")),
        Just(json!({"amount": "-5", "currency": "JPY"})),
        Just(json!({"name": "Eve", "street": "a, b"})),
        Just(json!([{"what": "bread", "cost": "7"}, {"what": "-x", "nonsense": 1}])),
        Just(json!([{"what": "--bread", "cost": "7"}])),
        Just(json!(["", "-", "a=b", "{"])),
        Just(json!({"a": "1", "": "2"})),
        Just(Value::Null),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever is asked can be said in words, and they say that and nothing else.
    #[test]
    fn words_say_what_was_asked(values in prop::collection::btree_map(
        prop::sample::select(vec![
            "id", "street", "small", "unsigned", "urgent", "pace", "price", "tags", "counts", "note",
            "currency", "purchases", "somebody", "token", "nonsense",
        ]),
        value(),
        0..6,
    )) {
        let fields: Map<String, Value> =
            values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let mut words = vec!["errand".to_owned(), "run-errand".to_owned()];
        words.extend(method("run-errand").words(&fields));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let found = asked(&words).unwrap().request;
        prop_assert_eq!(plain(found), plain(fields.into()), "{:?}", words);
    }
}

/// JSON has two ways to write a number, and a truth that is text is none.
fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => number.to_string().into(),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, plain(value))).collect()
        }
        other => other,
    }
}

#[test]
fn the_tree_is_sound() {
    let names: Vec<String> = contracts().services().iter().map(|it| it.name.clone()).collect();
    for command in stoa_cli::commands(&contracts(), &names, crate::common, crate::now()) {
        command.debug_assert();
    }
}
