//! Resources: what can be read without being called.

use serde_json::json;
use stoa_mcp::Settings;

use crate::with_mcp;

#[test]
fn what_rest_serves_by_get_can_be_read_at_the_same_path() {
    with_mcp(Settings::default(), async |_, agent| {
        let at = async |method: &str| {
            let said = agent.ask_at("?services=garden", method, json!({})).await;
            said.json()["result"].take()
        };
        assert_eq!(
            at("resources/list").await,
            json!({"resources": [{
                "uri": "garden://plants",
                "name": "garden.list_plants",
                "title": "List plants",
                "description": "Lists plants.",
                "mimeType": "application/json",
            }]})
        );
        let templates = at("resources/templates/list").await;
        let templates = templates["resourceTemplates"].as_array().unwrap();
        assert_eq!(templates.len(), 1, "a stream is nothing to read: {templates:?}");
        assert_eq!(templates[0]["uriTemplate"], "garden://beds/{bed}/plants/{id}");

        let read = async |uri: &str| agent.ask("resources/read", json!({"uri": uri})).await;
        let said = read("garden://beds/a%2Fb/plants/rose?shoots=true").await.json();
        let contents = &said["result"]["contents"][0];
        assert_eq!(contents["mimeType"], "application/json");
        assert_eq!(contents["uri"], "garden://beds/a%2Fb/plants/rose?shoots=true");
        let text: serde_json::Value =
            serde_json::from_str(contents["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, json!({"plant": {"id": "rose", "leaves": "1"}, "bed": "a/b"}));
        let said = read("garden://plants?pageSize=2").await.json();
        let text = said["result"]["contents"][0]["text"].as_str().unwrap();
        assert!(text.contains("plant-1"), "{text}");

        for (uri, reason) in [
            ("garden://nothing", "resource.not_found"),
            ("garden://plants/", "resource.not_found"),
            ("https://garden/plants", "resource.not_found"),
            ("garden://plants/rose:watch", "resource.not_found"),
            ("garden://beds/%ff/plants/rose", "mcp.params"),
            ("garden://plants?size=2", "request.invalid"),
            ("garden://plants?pageSize=2&pageSize=3", "request.invalid"),
            ("garden://beds/a%20bed%20too%20long/plants/rose", "request.invalid"),
        ] {
            assert_eq!(read(uri).await.refusal(), (200, reason.to_owned()), "{uri}");
        }
        let params = json!({"uri": "garden://plants"});
        let said = agent.of("").ask("resources/read", params).await;
        assert_eq!(said.refusal(), (401, "auth.required".to_owned()));
    });
}
