//! Tools: which there are, what they say of themselves, and what calls of them come to.

use serde_json::{Value, json};
use stoa_mcp::Settings;

use crate::{ADA, GARDENER, with_mcp};

fn names(list: &Value) -> Vec<&str> {
    let tools = list["tools"].as_array().unwrap_or_else(|| panic!("{list}"));
    tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

/// The hints of a tool: whether it reads, takes away, repeats, and reaches outside.
fn hints(list: &Value, name: &str) -> [Option<bool>; 4] {
    let tools = list["tools"].as_array().unwrap();
    let tool = tools.iter().find(|tool| tool["name"] == name).unwrap();
    ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"]
        .map(|hint| tool["annotations"][hint].as_bool())
}

#[test]
fn everybody_is_handed_what_they_may_call() {
    with_mcp(Settings::default(), async |_, agent| {
        let everybodys = ["garden_get_plant", "garden_watch_plant", "system_watch"];
        let signed_in = [
            "garden_batch_get_plants",
            "garden_create_plant",
            "garden_get_plant",
            "garden_list_plants",
        ];
        let signed_in = [&signed_in[..], &["garden_move_plant", "garden_watch_plant"]].concat();
        let list = agent.of("").result("tools/list", json!({})).await;
        assert_eq!(names(&list), everybodys);
        let list = agent.of(ADA).result("tools/list", json!({})).await;
        let gardens = |name: &&str| name.starts_with("garden_");
        assert_eq!(names(&list).into_iter().filter(gardens).collect::<Vec<_>>(), signed_in);
        let list = agent.of(GARDENER).result("tools/list", json!({})).await;
        assert!(names(&list).contains(&"garden_delete_plant"));
        assert!(!names(&list).contains(&"garden_water_plants"));
    });
}

#[test]
fn a_tool_says_what_it_takes_gives_and_does() {
    with_mcp(Settings::default(), async |_, agent| {
        let list = agent.of(GARDENER).result("tools/list", json!({})).await;
        let tool = list["tools"].as_array().unwrap().iter();
        let tool = tool.clone().find(|tool| tool["name"] == "garden_create_plant").unwrap();
        assert_eq!(
            *tool,
            json!({
                "name": "garden_create_plant",
                "title": "Create plant",
                "description": "Creates a plant.\n\nFor everybody who signed in.",
                "inputSchema": {
                    "type": "object",
                    "description": "Asks for a plant to be there.",
                    "properties": {
                        "plant": {"$ref": "#/$defs/garden.Plant", "description": "The plant."},
                    },
                    "required": ["plant"],
                    "additionalProperties": false,
                    "$defs": {"garden.Plant": {
                        "type": "object",
                        "description": "A plant.",
                        "properties": {
                            "id": {"type": "string", "description": "What names it."},
                            "leaves": {
                                "type": "string", "format": "int64", "description": "Its leaves.",
                            },
                            "shoots": {
                                "type": "array",
                                "items": {"$ref": "#/$defs/garden.Plant"},
                                "description": "What grows out of it.",
                            },
                        },
                        "required": ["id"],
                    }},
                },
                "outputSchema": {
                    "type": "object",
                    "description": "The plant.",
                    "properties": {
                        "plant": {"$ref": "#/$defs/garden.Plant", "description": "The plant."},
                    },
                    "$defs": {"garden.Plant": {
                        "type": "object",
                        "description": "A plant.",
                        "properties": {
                            "id": {"type": "string", "description": "What names it."},
                            "leaves": {
                                "type": "string", "format": "int64", "description": "Its leaves.",
                            },
                            "shoots": {
                                "type": "array",
                                "items": {"$ref": "#/$defs/garden.Plant"},
                                "description": "What grows out of it.",
                            },
                        },
                    }},
                },
                "annotations": {
                    "title": "Create plant",
                    "readOnlyHint": false,
                    "destructiveHint": false,
                    "idempotentHint": false,
                    "openWorldHint": false,
                },
            })
        );
        for (name, found) in [
            ("garden_get_plant", [Some(true), None, None, Some(false)]),
            ("garden_create_plant", [Some(false), Some(false), Some(false), Some(false)]),
            // What it was before is gone; to do it twice changes nothing more.
            ("garden_move_plant", [Some(false), Some(true), Some(true), Some(false)]),
            ("garden_delete_plant", [Some(false), Some(true), Some(true), Some(false)]),
            ("garden_watch_plant", [Some(false), Some(true), Some(false), Some(true)]),
        ] {
            assert_eq!(hints(&list, name), found, "{name}");
        }
    });
}

#[test]
fn a_call_gives_the_reply_as_structure_and_as_text() {
    with_mcp(Settings::default(), async |_, agent| {
        let plant = json!({"id": "rose", "leaves": "9007199254740993"});
        let result = agent.call("garden_create_plant", json!({"plant": plant})).await;
        assert_eq!(result["isError"], false);
        assert_eq!(result["structuredContent"], json!({"plant": plant}));
        let text = result["content"][0]["text"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), json!({"plant": plant}));
        assert!(result["_meta"]["stoa/position"].is_string(), "{result}");
    });
}

#[test]
fn what_is_wrong_with_arguments_is_said_with_its_path() {
    with_mcp(Settings::default(), async |_, agent| {
        for (tool, arguments, path, rule) in [
            ("garden_get_plant", r#"{"bed":"a bed too long"}"#, "bed", "string.max_len"),
            ("garden_get_plant", r#"{"nonsense":1}"#, "nonsense", "json.unknown_field"),
            ("garden_get_plant", r#"{"bed":"a","bed":"b"}"#, "bed", "json.repeated_field"),
            ("garden_get_plant", r#"{"shoots":"yes"}"#, "shoots", "json.type"),
            ("garden_get_plant", "[]", "", "json.type"),
            (
                "garden_create_plant",
                r#"{"plant":{"id":"rose","shoots":[{"leaves":1e40}]}}"#,
                "plant.shoots[0].leaves",
                "json.type",
            ),
            ("garden_create_plant", "{}", "plant", "required"),
        ] {
            let call = format!(
                r#"{{"jsonrpc":"2.0","id":"q","method":"tools/call",
                    "params":{{"name":"{tool}","arguments":{arguments}}}}}"#
            );
            let result = &agent.send(agent.post("/mcp"), call).await.json()["result"];
            assert_eq!(result["isError"], true, "{arguments}: {result}");
            let refusal = &result["structuredContent"];
            assert_eq!(
                (&refusal["code"], &refusal["reason"]),
                (&json!("invalid_argument"), &json!("request.invalid"))
            );
            let violation = &refusal["violations"][0];
            assert_eq!((&violation["path"], &violation["rule"]), (&json!(path), &json!(rule)));
            assert!(!refusal["next"].as_str().unwrap().is_empty());
        }
    });
}

#[test]
fn a_tool_says_what_a_call_costs() {
    with_mcp(Settings::default(), async |_, agent| {
        let list = agent.result("tools/list", json!({})).await;
        let priced =
            list["tools"].as_array().unwrap().iter().filter(|tool| !tool["_meta"].is_null());
        let priced: Vec<_> = priced.collect();
        assert_eq!(priced.len(), 1, "{priced:?}");
        assert_eq!(priced[0]["name"], "garden_move_plant");
        assert_eq!(priced[0]["_meta"], json!({"stoa/price": {"amount": "25", "currency": "EUR"}}));
        let said = priced[0]["description"].as_str().unwrap();
        assert!(said.ends_with("A call costs 0.25 EUR."), "{said}");
    });
}

#[test]
fn a_call_can_be_tried_and_be_under_a_fence() {
    with_mcp(Settings::default(), async |_, agent| {
        let call = |meta: Value| {
            json!({
                "name": "garden_create_plant", "arguments": {"plant": {"id": "rose"}}, "_meta": meta,
            })
        };
        let tried = agent.result("tools/call", call(json!({"stoa/dry-run": true}))).await;
        assert_eq!(tried["_meta"]["stoa/dry-run"], json!({"rows": {}, "events": {}, "jobs": {}}));
        assert_eq!(tried["_meta"]["stoa/position"], Value::Null, "nothing was written");
        let fenced = agent.result("tools/call", call(json!({"stoa/fence": "stale"}))).await;
        let reason = fenced["structuredContent"]["reason"].as_str().unwrap();
        assert!(reason.starts_with("request.") || reason.starts_with("fence"), "{fenced}");
    });
}

#[test]
fn whoever_may_not_is_told_so() {
    with_mcp(Settings::default(), async |_, agent| {
        let refused = agent.refused("garden_delete_plant", json!({"id": "rose"})).await;
        assert_eq!(refused, "auth.permission_denied");
        let params = json!({"name": "garden_delete_plant"});
        let said = agent.of("").ask("tools/call", params).await;
        assert_eq!(said.refusal(), (401, "auth.required".to_owned()));
        assert_eq!(said.headers["www-authenticate"], "Bearer");
    });
}

#[test]
fn a_call_under_a_key_happens_once() {
    with_mcp(Settings::default(), async |_, agent| {
        let params = json!({
            "name": "garden_create_plant",
            "arguments": {"plant": {"id": "rose"}},
            "_meta": {"stoa/idempotency-key": "k-1"},
        });
        let first = agent.result("tools/call", params.clone()).await;
        let again = agent.result("tools/call", params).await;
        assert_eq!(again["_meta"]["stoa/replayed"], true);
        assert_eq!(again["_meta"]["stoa/position"], first["_meta"]["stoa/position"]);
        let other = json!({
            "name": "call_tool",
            "arguments": {
                "name": "garden_create_plant",
                "arguments": {"plant": {"id": "lily"}},
                "idempotencyKey": "k-1",
            },
        });
        let refused = agent.result("tools/call", other).await;
        assert_eq!(refused["structuredContent"]["reason"], "idempotency.key_reused");
        let unsayable = json!({
            "name": "garden_create_plant", "_meta": {"stoa/idempotency-key": "a\nb"},
        });
        let said = agent.ask("tools/call", unsayable).await;
        assert_eq!(said.refusal(), (200, "request.header".to_owned()));
    });
}

#[test]
fn tools_are_found_described_and_called_by_name() {
    with_mcp(Settings::default(), async |_, agent| {
        let agent = agent.of(GARDENER);
        let found = agent.call("search_tools", json!({"query": "delete some plants"})).await;
        let tools = found["structuredContent"]["tools"].as_array().unwrap().clone();
        assert_eq!(tools[0]["name"], "garden_delete_plant", "{tools:?}");
        assert_eq!(tools[0]["destructive"], true);
        let found = agent.of(ADA).call("search_tools", json!({"query": "delete plant"})).await;
        let may_not = |tool: &Value| tool["name"] == "garden_delete_plant";
        assert!(!found["structuredContent"]["tools"].as_array().unwrap().iter().any(may_not));
        let tool = agent.call("describe_tool", json!({"name": "garden_get_plant"})).await;
        let tool = &tool["structuredContent"];
        assert_eq!(tool["inputSchema"]["properties"]["shoots"]["type"], "boolean");
        let arguments = json!({"bed": "a", "id": "rose"});
        let relayed = json!({"name": "garden_get_plant", "arguments": arguments});
        let relayed = agent.call("call_tool", relayed).await;
        assert_eq!(relayed, agent.call("garden_get_plant", arguments).await);
        let params = json!({"name": "search_tools", "arguments": {"words": "x"}});
        let said = agent.ask("tools/call", params).await;
        assert_eq!(said.refusal(), (200, "mcp.params".to_owned()));
    });
}

#[test]
fn an_address_chooses_services() {
    with_mcp(Settings::default(), async |_, agent| {
        let chosen = agent.ask_at("?services=garden", "tools/list", json!({})).await.json();
        assert!(names(&chosen["result"]).iter().all(|name| name.starts_with("garden_")));
        let other = agent.ask_at("?services=system", "tools/list", json!({})).await.json();
        assert!(other["result"].is_object(), "{other}");
        assert!(names(&other["result"]).iter().all(|name| name.starts_with("system_")));
        let params = json!({"name": "garden_get_plant"});
        let said = agent.ask_at("?services=system", "tools/call", params).await;
        assert_eq!(said.refusal(), (200, "node.no_such_method".to_owned()));
        let said = agent.ask_at("?services=meadow", "tools/list", json!({})).await;
        assert_eq!(said.refusal(), (200, "resource.not_found".to_owned()));
    });
}
