//! Changes, as Entra sends them and as the RFC has them.

use serde_json::{Value, json};
use stoa_kit::Service;
use stoa_testkit::both;
use stoa_users_v1::GetUserRequest;

use crate::world::*;

fn services() -> Vec<Service> {
    crate::services()
}

both! {
    async fn changes_are_taken_as_entra_sends_them(node: Node) {
        let key = directory(&node).await;
        let ada = person(&node, &key, "ada").await;
        let path = format!("/Users/{}", id(&ada));
        // A truth as a text, an operation with a capital, an address of a kind that there is none of.
        let off = json!([{"op": "Replace", "path": "active", "value": "False"}]);
        assert_eq!(patch(&node, &key, &path, off).await.is(200)["active"], false);
        let on = json!([{"op": "replace", "value": {"active": "True"}}]);
        assert_eq!(patch(&node, &key, &path, on).await.is(200)["active"], true);
        let work = json!([{"op": "Add", "path": "emails[type eq \"work\"].value", "value": "ada@work.example"}]);
        let changed = patch(&node, &key, &path, work).await.is(200);
        assert_eq!(changed["emails"], json!([{"type": "work", "value": "ada@work.example"}]));
        let user = node.call(&node.admin(), GetUserRequest { id: id(&ada) }).await.unwrap().user;
        assert_eq!(user.email, "ada@work.example");
        let work = json!([{"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "ada@new.example"}]);
        let changed = patch(&node, &key, &path, work).await.is(200);
        assert_eq!(changed["emails"], json!([{"type": "work", "value": "ada@new.example"}]));
        // Names with dots, and with their schema before them.
        let names = json!([{"op": "Add", "value": {
            "name.givenName": "Ada", "urn:ietf:params:scim:schemas:core:2.0:User:name.familyName": "Lovelace", "title": "Countess",
        }}]);
        let changed = patch(&node, &key, &path, names).await.is(200);
        assert_eq!(changed["name"], json!({"givenName": "Ada", "familyName": "Lovelace"}));
        let gone = json!([{"op": "Remove", "path": "title"}, {"op": "remove", "path": "emails[type eq \"home\"]"}]);
        assert_eq!(patch(&node, &key, &path, gone).await.is(200).get("title"), None);
    }
}

both! {
    async fn a_change_is_made_as_a_whole_or_not_at_all(node: Node) {
        let key = directory(&node).await;
        let ada = person(&node, &key, "ada").await;
        let path = format!("/Users/{}", id(&ada));
        let before = get(&node, &key, &path).await.is(200);
        let good = json!({"op": "replace", "path": "displayName", "value": "Eve"});
        for (wrong, kind) in [
            (json!({"op": "replace", "path": "emails[kind eq \"work\"].value", "value": "x@example.com"}), "invalidFilter"),
            (json!({"op": "replace", "path": "emails[type eq work].value", "value": "x@example.com"}), "invalidFilter"),
            (json!({"op": "replace", "path": "emails[type co \"work\"].value", "value": "x@example.com"}), "noTarget"),
            (json!({"op": "replace", "path": "emails[type eq \"work\"", "value": "x"}), "invalidPath"),
            (json!({"op": "replace", "path": "emails[type eq \"work\"]value", "value": "x"}), "invalidPath"),
            (json!({"op": "replace", "path": "emails[type eq \"work\"].colour", "value": "x"}), "invalidPath"),
            (json!({"op": "replace", "path": "colour", "value": "x"}), "invalidPath"),
            (json!({"op": "replace", "path": "name.colour", "value": "x"}), "invalidPath"),
            (json!({"op": "replace", "path": "name[givenName eq \"a\"]", "value": "x"}), "invalidPath"),
            (json!({"op": "replace", "path": "active", "value": "maybe"}), "invalidValue"),
            (json!({"op": "replace", "path": "displayName", "value": 7}), "invalidValue"),
            (json!({"op": "replace", "path": "displayName"}), "invalidValue"),
            (json!({"op": "remove", "path": "userName"}), "invalidValue"),
            (json!({"op": "remove"}), "noTarget"),
            (json!({"op": "remove", "path": "id"}), "mutability"),
            (json!({"op": "move", "path": "title", "value": "x"}), "invalidSyntax"),
            (json!({"op": "add", "path": 7, "value": "x"}), "invalidSyntax"),
            (json!("replace"), "invalidSyntax"),
        ] {
            patch(&node, &key, &path, json!([good, wrong])).await.fails(400, kind);
            assert_eq!(get(&node, &key, &path).await.is(200), before, "{wrong}");
        }
        patch(&node, &key, &path, json!([])).await.fails(400, "invalidSyntax");
        patch(&node, &key, &path, Value::Null).await.fails(400, "invalidSyntax");
        // Of addresses one is the primary one, whichever was named last.
        let two = json!([
            {"op": "add", "path": "emails", "value": [{"value": "a@example.com", "primary": true}]},
            {"op": "add", "path": "emails", "value": [{"value": "b@example.com", "primary": true}]},
        ]);
        let emails = patch(&node, &key, &path, two).await.is(200)["emails"].clone();
        assert_eq!(emails, json!([{"value": "a@example.com", "primary": false}, {"value": "b@example.com", "primary": true}]));
    }
}
