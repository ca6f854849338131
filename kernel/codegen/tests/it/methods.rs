//! Methods: of which kind they are, and where faces find them.

use crate::{GOOD, at, generate, wrong};

#[test]
fn a_method_that_takes_http_as_it_comes_can_be_mounted() {
    let raw = |request: &str, reply: &str, effect: &str| {
        let method = format!(
            "  // Receives.\n  rpc Receive(ReceiveRequest) returns (ReceiveResponse) {{\n    \
             option (stoa.v1.permission) = \"public\";\n{effect}  }}\n}}\n// Why a call fails."
        );
        let messages = format!(
            "// What came.\nmessage ReceiveRequest {{\n  // It.\n  {request} = 1;\n}}\n\
             // What is said.\nmessage ReceiveResponse {{\n  // It.\n  {reply} = 1;\n}}\n"
        );
        let import = "import \"stoa/v1/http.proto\";\nimport \"stoa/v1/money.proto\";";
        let contract = GOOD.replace("import \"stoa/v1/money.proto\";", import);
        let contract = contract.replacen("}\n// Why a call fails.", &method, 1) + &messages;
        match generate(&contract) {
            Ok(code) => code.contains("impl ::stoa_contract::Raw for ReceiveRequest"),
            Err(wrong) => {
                assert!(wrong[0].contains("has no place on REST"), "{wrong:?}");
                false
            }
        }
    };
    let (request, reply) = ("stoa.v1.HttpRequest http", "stoa.v1.HttpResponse http");
    let effect = "    option (stoa.v1.effect) = true;\n";
    assert!(raw(request, reply, effect));
    assert!(!raw(request, reply, ""), "a command talks to nobody outside");
    assert!(!raw("stoa.v1.HttpRequest came", reply, effect));
    assert!(!raw(request, "stoa.v1.Money http", effect));
}

#[test]
fn a_step_up_that_nobody_is_held_to_is_refused() {
    let level = "    option idempotency_level = NO_SIDE_EFFECTS;\n";
    let step_up = "    option (stoa.v1.step_up_seconds) = 600;\n";
    let found = wrong(&[(level, &format!("{step_up}{level}"))]);
    assert!(found[0].contains("has a step-up that nobody is held to"), "{found:?}");
}

#[test]
fn methods_must_be_of_one_kind() {
    let level = "    option idempotency_level = NO_SIDE_EFFECTS;\n";
    assert_eq!(
        wrong(&[(level, &format!("option (stoa.v1.job) = {{}};{level}"))]),
        [at(
            "rpc Get",
            "method Get: a query that declares a write: `(stoa.v1.job)` is for commands and effects"
        )]
    );
    assert_eq!(
        wrong(&[(level, &format!("option (stoa.v1.effect) = true;{level}"))]),
        [at("rpc Get", "method Get: is an effect, so it cannot promise NO_SIDE_EFFECTS")]
    );
    assert_eq!(
        wrong(&[("rpc Get(GetRequest)", "rpc Get(stream GetRequest)")]),
        [
            at(
                "rpc Get",
                "method Get: is a stream, so it must say `option (stoa.v1.effect) = true`"
            ),
            at(
                "rpc Get",
                "method Get: takes a stream, or HTTP as it comes, which REST does not serve; leave \
                 google.api.http out"
            ),
        ]
    );
    assert_eq!(
        wrong(&[("rpc Move(MoveRequest)", "rpc Move(GetRequest)")]),
        [at("rpc Move", "method Move: takes GetRequest; it must be MoveRequest")]
    );
}

#[test]
fn streams_go_either_way() {
    let follow = "rpc Follow(FollowRequest) returns (stream FollowResponse)";
    let signature = |rpc: &str| {
        let proto = GOOD.replacen(follow, rpc, 1);
        let code = generate(&proto).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        let start = code.find("fn follow(").unwrap();
        let end = start + code[start..].find(';').unwrap();
        let bound = ["effect", "stream", "gather", "converse"]
            .into_iter()
            .find(|bound| code.contains(&format!("methods.{bound}(")));
        (code[start..end].to_owned(), bound)
    };
    for (rpc, takes, gives, bound) in [
        (follow, "request: FollowRequest", "Stream<FollowResponse>", "stream"),
        (
            "rpc Follow(stream FollowRequest) returns (FollowResponse)",
            "requests: ::stoa_kit::Requests<FollowRequest>",
            "Result<FollowResponse>",
            "gather",
        ),
        (
            "rpc Follow(stream FollowRequest) returns (stream FollowResponse)",
            "requests: ::stoa_kit::Requests<FollowRequest>",
            "Stream<FollowResponse>",
            "converse",
        ),
    ] {
        let (signature, found) = signature(rpc);
        assert!(signature.contains(takes) && signature.contains(gives), "{signature}");
        assert_eq!(found, Some(bound));
    }
}

#[test]
fn a_stream_of_requests_says_how_much_it_may_come_to() {
    let follow = "rpc Follow(FollowRequest) returns (stream FollowResponse) {";
    let bounded = |rpc: &str, total: &str| {
        generate(&GOOD.replacen(follow, &format!("{rpc} {{\n{total}"), 1)).map(|code| {
            let code = code.split_whitespace().collect::<String>();
            let start = code.find("bytes_max:").expect("it is bounded");
            code[start..start + code[start..].find('}').unwrap()].to_owned()
        })
    };
    let both = "rpc Follow(stream FollowRequest) returns (stream FollowResponse)";
    let said = "option (stoa.v1.total) = {bytes_max: 7, seconds_max: 8};";
    assert_eq!(bounded(both, said).unwrap(), "bytes_max:7,seconds_max:8");
    assert_eq!(bounded(both, "").unwrap(), "bytes_max:1073741824,seconds_max:86400");
    let upload = "rpc Follow(stream FollowRequest) returns (FollowResponse)";
    assert_eq!(bounded(upload, "").unwrap(), "bytes_max:1073741824,seconds_max:3600");
    let none = format!("{follow}\n{said}");
    assert_eq!(
        wrong(&[(follow, &none)]),
        [at("rpc Follow", "method Follow: `(stoa.v1.total)` is for methods that take a stream")]
    );
}

#[test]
fn what_rest_could_not_serve_is_refused() {
    let post = "post: \"/v1/shop/orders\", body: \"*\"";
    for (rule, said) in [
        ("", "google.api.http names no path; use get, put, post, delete or patch"),
        ("post: \"/v1/orders\", body: \"*\"", "begins with something else than /v1/shop"),
        ("post: \"/v1/shopping\", body: \"*\"", "begins with something else than /v1/shop"),
        ("put: \"/v1/shop/a\"", "`promise` cannot be said in a query; say `body: \"*\"`"),
        ("delete: \"/v1/shop/a\", body: \"*\"", "DELETE has no body"),
        ("post: \"/v1/shop/{counts}\", body: \"*\"", "`counts` is no single scalar of MoveRequest"),
        ("post: \"/v1/shop/{price}\", body: \"*\"", "`price` is no single scalar of MoveRequest"),
        ("post: \"/v1/shop/{type}/{type}\", body: \"*\"", "`type` stands there twice"),
        ("post: \"/v1/shop/a\", body: \"prise\"", "MoveRequest has no field `prise`"),
        ("post: \"/v1/shop/{type}\", body: \"type\"", "a body is a field that stands nowhere else"),
        // An order that holds an order has no end.
        ("delete: \"/v1/shop/a\"", "`promise` cannot be said in a query; say `body: \"*\"`"),
    ] {
        let problems = wrong(&[(post, rule)]);
        assert_eq!(problems.len(), 1, "{rule}: {problems:?}");
        assert!(problems[0].starts_with(&at("rpc Move", "method Move: ")), "{problems:?}");
        assert!(problems[0].ends_with(said), "{problems:?}");
    }
    for template in
        ["v1/shop", "/v1/shop/", "/v1//shop", "/v1/shop/**/a", "/v1/shop/{type", "/v1/{"]
            .into_iter()
            .chain([
                "/v1/shop:",
                "/v1/shop/a:b:c",
                "/v1/shop/a{type}",
                "/v1/shop/{type}a",
                "/v1/shop/ä",
            ])
    {
        let problems = wrong(&[("/v1/shop/orders\", body", &format!("{template}\", body"))]);
        let said = format!("method Move: `{template}` is no template of google.api.http");
        assert_eq!(problems, [at("rpc Move", &said)]);
    }
}

#[test]
fn get_is_for_those_who_promise_to_change_nothing() {
    let level = "    option idempotency_level = NO_SIDE_EFFECTS;\n";
    let said = |path: &str| {
        let said = format!("method Get: GET {path} promises to change nothing; use post");
        at("rpc Get", &said)
    };
    let paths = ["/v1/shop/orders/{order.id=big/*}:show", "/v1/shop/search"];
    assert_eq!(wrong(&[(level, "\n")]), paths.map(said));
}

#[test]
fn who_is_shown_has_a_place_on_rest_and_nobody_else() {
    let rule = "    option (google.api.http) = {post: \"/v1/shop/orders\", body: \"*\"};\n";
    let missing =
        "method Move: has no place on REST; say `option (google.api.http) = {get: \"/v1/shop/…\"}`";
    assert_eq!(wrong(&[(rule, "\n")]), [at("rpc Move", missing)]);
    let internal = [("\"shop.orders.create\"", "\"internal\"")];
    let hidden = "method Move: is internal, so REST cannot serve it; leave google.api.http out";
    assert_eq!(wrong(&internal), [at("rpc Move", hidden)]);
}

#[test]
fn a_request_asks_for_one_method() {
    for (path, other) in [
        ("/v1/shop/search", Some("/v1/shop/search")),
        ("/v1/shop/*", Some("/v1/shop/search")),
        ("/v1/shop/**", Some("/v1/shop/search")),
        ("/v1/shop/{id=*/x/**}:show", None),
        ("/v1/shop/{id=*/*}/z:show", Some("/v1/shop/orders/{order.id=big/*}:show")),
        ("/v1/shop/orders/*/*", None),
        ("/v1/shop/search:now", None),
    ] {
        let follow = "  rpc Follow(FollowRequest) returns (stream FollowResponse) {\n    \
                      option (stoa.v1.permission) = \"internal\";\n";
        let shown = format!(
            "{}    option (google.api.http) = {{get: \"{path}\"}};\n",
            follow.replace("internal", "public")
        );
        let id =
            ("message FollowRequest {}", "message FollowRequest {\n  // It.\n  string id = 1;\n}");
        let said = other.map(|other| {
            at("rpc Follow", &format!("method Follow: GET {path} could be {other} of Get as well"))
        });
        assert_eq!(wrong(&[(follow, &shown), id]), said.into_iter().collect::<Vec<_>>());
    }
}
