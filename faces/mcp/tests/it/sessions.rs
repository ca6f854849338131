//! Sessions: whose they are, how many there are, and what they may spend.

use http::Request;
use serde_json::json;
use stoa_contract::v1::Money;
use stoa_mcp::Settings;

use crate::{GARDENER, with_mcp};

#[test]
fn a_session_is_of_the_caller_who_began_it() {
    with_mcp(Settings::default(), async |_, mut agent| {
        agent.begin(json!({})).await;
        assert_eq!(agent.result("ping", json!({})).await, json!({}));
        for other in [GARDENER, ""] {
            let said = agent.of(other).ask("ping", json!({})).await;
            assert_eq!(said.refusal(), (404, "mcp.session".to_owned()));
            let end = agent.of(other).post("/mcp").method("DELETE");
            assert_eq!(agent.send(end, "").await.status, 404);
        }
        let end = || agent.post("/mcp").method("DELETE");
        assert_eq!(agent.send(end(), "").await.status, 204);
        assert_eq!(agent.send(end(), "").await.refusal(), (404, "mcp.session".to_owned()));
        assert_eq!(agent.ask("ping", json!({})).await.status, 404);
        assert_eq!(agent.send(Request::delete("/mcp"), "").await.status, 404);
    });
}

#[test]
fn of_too_many_sessions_the_one_that_rested_longest_is_forgotten() {
    with_mcp(Settings::default(), async |_, mut agent| {
        agent.begin(json!({})).await;
        let first = agent.clone();
        agent.begin(json!({})).await;
        let second = agent.clone();
        for _ in 2..32 {
            agent.begin(json!({})).await;
        }
        assert_eq!(first.ask("ping", json!({})).await.status, 200);
        let mut other = agent.of(GARDENER);
        other.session = None;
        other.begin(json!({})).await;
        assert_eq!(second.ask("ping", json!({})).await.status, 200, "others take no room of mine");
        assert_eq!(first.ask("ping", json!({})).await.status, 200);
        agent.session = None;
        agent.begin(json!({})).await;
        agent.begin(json!({})).await;
        let kept = [&first, &second, &agent, &other].map(|agent| agent.ask("ping", json!({})));
        for said in futures::future::join_all(kept).await {
            assert_eq!(said.status, 200, "what was used last is kept");
        }
        for _ in 0..32 {
            agent.begin(json!({})).await;
        }
        assert_eq!(first.ask("ping", json!({})).await.refusal().1, "mcp.session");
    });
}

#[test]
fn a_session_makes_as_many_calls_as_it_may() {
    let settings = Settings { session_calls: 3, ..Settings::default() };
    with_mcp(settings, async |_, mut agent| {
        let call = json!({"bed": "a", "id": "rose"});
        assert_eq!(agent.refused("garden_get_plant", call.clone()).await, "mcp.no_session");
        agent.begin(json!({})).await;
        agent.call("search_tools", json!({"query": "plant"})).await;
        let relayed = json!({"name": "garden_get_plant", "arguments": call});
        assert_eq!(agent.call("garden_get_plant", call.clone()).await["isError"], false);
        assert_eq!(agent.call("call_tool", relayed).await["isError"], false);
        agent.result("resources/read", json!({"uri": "garden://plants"})).await;
        assert_eq!(agent.refused("garden_get_plant", call.clone()).await, "mcp.budget");
        let said = agent.ask("resources/read", json!({"uri": "garden://plants"})).await;
        assert_eq!(said.refusal(), (200, "mcp.budget".to_owned()));
        agent.session = None;
        agent.begin(json!({})).await;
        assert_eq!(agent.call("garden_get_plant", call).await["isError"], false);
    });
}

#[test]
fn a_session_costs_as_much_as_it_may() {
    let most = Money::read("0.60EUR").unwrap();
    let settings = Settings { session_money: Some(most), ..Settings::default() };
    with_mcp(settings, async |_, mut agent| {
        let rose = || json!({"id": "rose", "bed": "a"});
        assert_eq!(agent.refused("garden_move_plant", rose()).await, "mcp.no_session");
        assert_eq!(
            agent.call("garden_get_plant", rose()).await["isError"],
            false,
            "it is for free"
        );
        agent.begin(json!({})).await;
        for _ in 0..2 {
            assert_eq!(agent.call("garden_move_plant", rose()).await["isError"], false);
        }
        let tried = json!({
            "name": "garden_move_plant", "arguments": rose(), "_meta": {"stoa/dry-run": true},
        });
        assert_eq!(
            agent.result("tools/call", tried).await["isError"],
            false,
            "a trial is for free"
        );
        let refusal = agent.call("garden_move_plant", rose()).await;
        let refusal = &refusal["structuredContent"];
        assert_eq!(refusal["reason"], "mcp.budget");
        let said = "this costs 0.25 EUR, and of 0.60 EUR the session has spent 0.50 EUR";
        assert_eq!(refusal["message"], said);
        assert_eq!(agent.call("garden_get_plant", rose()).await["isError"], false);
    });
    let dollars =
        Settings { session_money: Some(Money::read("9USD").unwrap()), ..Settings::default() };
    with_mcp(dollars, async |_, mut agent| {
        agent.begin(json!({})).await;
        let rose = json!({"id": "rose", "bed": "a"});
        assert_eq!(
            agent.refused("garden_move_plant", rose).await,
            "mcp.budget",
            "nobody changes money"
        );
    });
}
