//! What has a form of its own: in results, as resources, as prompts; and what can be said for them.

use serde_json::{Value, json};
use stoa_mcp::{Mcp, Settings};
use stoa_node::Port;
use stoa_testkit::{Engine, run};

use crate::{ADA, Agent, garden, listen, suite};

/// Runs a test on the service of the conformance suite and the garden.
fn with_suite(test: impl AsyncFnOnce(Agent)) {
    run(Engine::Sqlite, vec![garden::service(), suite::service()], |node| async move {
        let mcp = Mcp::new(node.inner().registry(), Settings::default());
        let port = Port::new(node.inner(), vec![std::sync::Arc::new(mcp)], listen()).unwrap();
        test(Agent { port, token: ADA, session: None }).await;
    });
}

fn kinds(blocks: &Value) -> Vec<&str> {
    let blocks = blocks.as_array().unwrap().iter();
    blocks.map(|block| block["type"].as_str().unwrap()).collect()
}

#[test]
fn contents_stand_beside_the_structure_of_a_reply() {
    with_suite(async |agent| {
        let reply = agent.call("test_multiple_content_types", json!({})).await;
        assert_eq!(kinds(&reply["content"]), ["text", "text", "image", "resource"]);
        assert_eq!(reply["structuredContent"], json!({}), "and not in it as well");
        let [_, said, image, document] = reply["content"].as_array().unwrap().as_slice() else {
            panic!("{reply}");
        };
        assert!(said["text"].as_str().unwrap().starts_with("This is"), "{said}");
        assert_eq!(image["mimeType"], "image/png");
        assert!(image["data"].as_str().unwrap().starts_with("iVBORw0KGgo"), "{image}");
        assert_eq!(
            document["resource"],
            json!({"uri": "test://several#2", "mimeType": "application/json", "text": "{}"})
        );
    });
}

#[test]
fn contents_are_read_as_what_they_are() {
    with_suite(async |agent| {
        let read = async |uri: &str| {
            let mut read = agent.result("resources/read", json!({"uri": uri})).await;
            read["contents"].take()
        };
        let text = read("test://static-text").await;
        assert_eq!(
            (&text[0]["mimeType"], text.as_array().unwrap().len()),
            (&json!("text/plain"), 1)
        );
        assert!(text[0]["text"].as_str().unwrap().starts_with("This is"), "{text}");
        let picture = read("test://static-binary").await;
        assert_eq!(picture[0]["mimeType"], "image/png");
        assert!(picture[0]["blob"].is_string() && picture[0]["text"].is_null(), "{picture}");
        let data = read("test://template/a%2Fb/data").await;
        assert_eq!(data[0]["text"], r#"{"text":"a/b"}"#);
        assert_eq!(read("test:///several#2").await.as_array().unwrap().len(), 3);
    });
}

#[test]
fn a_method_that_says_so_is_a_prompt() {
    with_suite(async |agent| {
        let list = agent.result("prompts/list", json!({})).await;
        let prompts = list["prompts"].as_array().unwrap();
        let names: Vec<_> = prompts.iter().map(|prompt| prompt["name"].as_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "test_prompt_with_arguments",
                "test_prompt_with_embedded_resource",
                "test_prompt_with_image",
                "test_simple_prompt",
            ]
        );
        assert_eq!(
            prompts[0],
            json!({
                "name": "test_prompt_with_arguments",
                "title": "Prompt with arguments",
                "description": "Asks a model for something with two words.",
                "arguments": [
                    {"name": "arg1", "description": "The first word.", "required": true},
                    {"name": "arg2", "description": "The second word.", "required": true},
                ],
            })
        );
        let get = async |name: &str, arguments: Value| {
            agent.ask("prompts/get", json!({"name": name, "arguments": arguments})).await
        };
        let said =
            get("test_prompt_with_arguments", json!({"arg1": "a", "arg2": "b"})).await.json();
        assert_eq!(
            said["result"]["messages"],
            json!([{"role": "user", "content": {"type": "text", "text": "Say a and b."}}])
        );
        let about = json!({"resourceUri": "test://x"});
        let said = get("test_prompt_with_embedded_resource", about).await.json();
        let resource = &said["result"]["messages"][0]["content"]["resource"];
        assert_eq!(resource["uri"], "test://resource-prompt?resourceUri=test%3A%2F%2Fx");
        for (name, arguments, reason) in [
            ("test_prompt_with_arguments", json!({"arg1": "a"}), "request.invalid"),
            ("test_prompt_with_arguments", json!({"arg3": "a"}), "request.invalid"),
            ("test_simple_text", json!({}), "mcp.prompt"),
            ("test_no_prompt", json!({}), "mcp.prompt"),
        ] {
            assert_eq!(get(name, arguments).await.refusal(), (200, reason.to_owned()), "{name}");
        }
    });
}

#[test]
fn arguments_are_completed() {
    with_suite(async |agent| {
        let complete = async |of: Value, name: &str, value: &str| {
            let argument = json!({"name": name, "value": value});
            let asked = json!({"ref": of, "argument": argument});
            let result = agent.result("completion/complete", asked).await;
            result["completion"]["values"].clone()
        };
        let plant = json!({"type": "ref/resource", "uri": "garden://beds/{bed}/plants/{id}"});
        assert_eq!(
            complete(plant.clone(), "season", "s").await,
            json!(["SEASON_SPRING", "SEASON_AUTUMN"])
        );
        assert_eq!(complete(plant.clone(), "season", "aut").await, json!(["SEASON_AUTUMN"]));
        assert_eq!(complete(plant.clone(), "shoots", "t").await, json!(["true"]));
        assert_eq!(complete(plant.clone(), "neighbour", "").await, json!(["plant-0"]));
        assert_eq!(complete(plant.clone(), "neighbour", "x").await, json!([]));
        assert_eq!(complete(plant.clone(), "bed", "").await, json!([]));
        assert_eq!(complete(plant, "nothing", "").await, json!([]));
        let prompt = json!({"type": "ref/prompt", "name": "test_prompt_with_arguments"});
        assert_eq!(complete(prompt, "arg1", "a").await, json!([]));
        for (of, reason) in [
            (json!({"type": "ref/prompt", "name": "no"}), "mcp.prompt"),
            (json!({"type": "ref/resource", "uri": "no"}), "resource.not_found"),
            (json!({"type": "ref/other"}), "mcp.params"),
        ] {
            let asked = json!({"ref": of, "argument": {"name": "a", "value": ""}});
            let said = agent.ask("completion/complete", asked).await;
            assert_eq!(said.refusal(), (200, reason.to_owned()));
        }
    });
}

#[test]
fn who_may_not_list_completes_nothing() {
    with_suite(async |agent| {
        let plant = json!({"type": "ref/resource", "uri": "garden://beds/{bed}/plants/{id}"});
        let asked = json!({"ref": plant, "argument": {"name": "neighbour", "value": ""}});
        let result = agent.of("").result("completion/complete", asked).await;
        assert_eq!(result["completion"]["values"], json!([]));
    });
}

#[test]
fn what_comes_of_a_stream_is_logged_for_a_session_that_wants_it() {
    with_suite(async |mut agent| {
        let said = agent.ask("logging/setLevel", json!({"level": "info"})).await;
        assert_eq!(said.refusal(), (200, "mcp.no_session".to_owned()));
        agent.begin(json!({})).await;
        let call = || json!({"name": "test_tool_with_logging"});
        let quiet = agent.ask("tools/call", call()).await;
        assert_eq!(quiet.headers["content-type"], "application/json");
        agent.result("logging/setLevel", json!({"level": "debug"})).await;
        let events = agent.ask("tools/call", call()).await.events();
        assert_eq!(events.len(), 4);
        assert_eq!(events[1]["method"], "notifications/message");
        assert_eq!(
            events[1]["params"],
            json!({"level": "info", "logger": "test.tool_with_logging", "data": {"text": "50"}})
        );
        assert_eq!(events[3], quiet.json());
        agent.result("logging/setLevel", json!({"level": "error"})).await;
        let quiet = agent.ask("tools/call", call()).await;
        assert_eq!(quiet.headers["content-type"], "application/json");
        let said = agent.ask("logging/setLevel", json!({"level": "loud"})).await;
        assert_eq!(said.refusal(), (200, "mcp.params".to_owned()));
    });
}
