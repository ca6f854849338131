//! Telling people, through the contract.

#![cfg(test)]

use std::time::Duration;

use stoa_kit::ports::Ports;
use stoa_kit::{Code, Error, Service};
use stoa_notify_v1::*;
use stoa_testkit::{Engine, Node, both};
use stoa_users_v1::{CreateUserRequest, UpdateUserRequest};

fn services() -> Vec<Service> {
    vec![stoa_users::service(), stoa_notify::service()]
}

stoa_testkit::compliance!(stoa_notify::service, services);

/// A user who wants mail, or does not.
async fn create(node: &Node, handle: &str, email: &str, wants: bool) -> String {
    let request = CreateUserRequest {
        handle: handle.into(),
        email: email.into(),
        preferences: [("notify.email".to_owned(), wants.to_string())].into(),
        ..CreateUserRequest::default()
    };
    node.call(&node.admin(), request).await.unwrap().user.id.clone()
}

async fn tell(node: &Node, user: &str, order: &str) -> Result<String, Error> {
    let data = [("order_id", order), ("total", "12.34 USD")];
    let request = NotifyRequest {
        user_id: user.into(),
        template: "orders.placed".into(),
        data: data.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    };
    Ok(node.call(&node.system(), request).await?.id)
}

async fn inbox(node: &Node, user: &str) -> Vec<Notification> {
    let list = ListInboxRequest { page_size: 2, ..ListInboxRequest::default() };
    let pages = node.pages(&node.user(user), list).await.unwrap();
    pages.into_iter().flat_map(|page| page.notifications).collect()
}

async fn unread(node: &Node, user: &str) -> i64 {
    node.call(&node.user(user), CountUnreadRequest::default()).await.unwrap().count
}

/// Lets hours pass, one after another.
async fn hours(node: &Node, count: usize) {
    for _ in 0..count {
        node.advance(Duration::from_secs(60 * 60)).await;
    }
}

both! {
    async fn staff_count_every_inbox(node: Node) {
        let told = [("usr_1", 2), ("usr_2", 1), ("usr_3", 3)];
        for (user, times) in told {
            for order in 0..times {
                tell(&node, user, &format!("ord_{order}")).await.unwrap();
            }
        }
        let list = CountInboxesRequest { page_size: 2, ..CountInboxesRequest::default() };
        let pages = node.pages(&node.admin(), list).await.unwrap();
        let inboxes = pages.into_iter().flat_map(|page| page.inboxes);
        let found: Vec<_> = inboxes.map(|inbox| (inbox.user_id, inbox.count)).collect();
        assert_eq!(found, told.map(|(user, times)| (user.to_owned(), times)));
    }
}

both! {
    async fn an_inbox_is_its_owners(node: Node) {
        let mut told = Vec::new();
        for order in ["ord_1", "ord_2", "ord_3"] {
            told.push(tell(&node, "usr_1", order).await.unwrap());
            node.advance(Duration::from_millis(5)).await;
        }
        let mine = inbox(&node, "usr_1").await;
        let ids: Vec<_> = mine.iter().rev().map(|notification| notification.id.clone()).collect();
        assert_eq!(ids, told, "newest first");
        assert_eq!(mine[0].text, "Thank you for your order ord_3 over 12.34 USD.");
        assert_eq!(mine[0].email_state, EmailState::Unspecified);
        assert_eq!(inbox(&node, "usr_2").await, []);
        let read = MarkReadRequest { id: told[1].clone() };
        let error = node.call(&node.user("usr_2"), read.clone()).await.unwrap_err();
        assert_eq!(error.code(), Code::NotFound);
        for _ in 0..2 {
            let reply = node.call(&node.user("usr_1"), read.clone()).await.unwrap();
            assert!(reply.notification.read);
        }
        assert_eq!((unread(&node, "usr_1").await, unread(&node, "usr_2").await), (2, 0));
        let list = ListInboxRequest { unread_only: true, ..ListInboxRequest::default() };
        let left = node.call(&node.user("usr_1"), list).await.unwrap().notifications;
        let ids: Vec<_> = left.iter().map(|notification| &notification.id).collect();
        assert_eq!(ids, [&told[2], &told[0]]);
    }

    async fn a_template_renders_whole_or_not_at_all(node: Node) {
        let request = NotifyRequest {
            user_id: "usr_1".into(),
            template: "orders.placed".into(),
            data: [("order_id".to_owned(), "ord_1".to_owned())].into(),
        };
        let error = node.call(&node.system(), request.clone()).await.unwrap_err();
        assert_eq!(error.reason(), "notify.unknown_variable");
        assert!(error.message().contains("`total`"), "{error}");
        let unknown = NotifyRequest { template: "no.such".into(), ..request };
        let error = node.call(&node.system(), unknown).await.unwrap_err();
        assert_eq!(error.reason(), "notify.unknown_template");
        assert_eq!(inbox(&node, "usr_1").await, []);
    }

    async fn mail_goes_to_those_who_want_it(node: Node) {
        let ada = create(&node, "ada", "ada@example.com", true).await;
        let eve = create(&node, "eve", "eve@example.com", false).await;
        tell(&node, &ada, "ord_1").await.unwrap();
        tell(&node, &eve, "ord_2").await.unwrap();
        assert_eq!(inbox(&node, &ada).await[0].email_state, EmailState::Queued);
        node.advance(Duration::from_secs(1)).await;
        let sent = node.sent();
        assert_eq!(sent.len(), 1);
        assert_eq!((&*sent[0].to, &*sent[0].subject), ("ada@example.com", "Your order ord_1"));
        assert!(sent[0].id.starts_with("job_"), "{}", sent[0].id);
        assert_eq!(inbox(&node, &ada).await[0].email_state, EmailState::Sent);
        assert_eq!(inbox(&node, &eve).await[0].email_state, EmailState::Unspecified);
    }

    async fn mail_is_tried_again(node: Node) {
        let ada = create(&node, "ada", "ada@example.com", true).await;
        node.fail_mail(12);
        tell(&node, &ada, "ord_1").await.unwrap();
        node.advance(Duration::from_secs(1)).await;
        hours(&node, 10).await;
        assert_eq!(node.sent(), []);
        assert_eq!(inbox(&node, &ada).await[0].email_state, EmailState::Queued, "it may be away");
        hours(&node, 2).await;
        assert_eq!(node.sent().len(), 1);
        assert_eq!(inbox(&node, &ada).await[0].email_state, EmailState::Sent);
    }

    async fn mail_that_nobody_takes_is_given_up_and_says_so(node: Node) {
        let ada = create(&node, "ada", "ada@example.com", true).await;
        node.fail_mail(100);
        tell(&node, &ada, "ord_1").await.unwrap();
        hours(&node, 16).await;
        assert_eq!(inbox(&node, &ada).await[0].email_state, EmailState::Queued);
        hours(&node, 30).await;
        assert_eq!(node.sent(), []);
        let told = inbox(&node, &ada).await.remove(0);
        assert_eq!(told.email_state, EmailState::Failed);
        assert!(told.email_error.contains("refuses"), "{}", told.email_error);
        node.fail_mail(0);
        hours(&node, 2).await;
        assert_eq!(node.sent(), [], "what was given up stays parked");
    }

    async fn a_user_reads_in_their_own_language(node: Node) {
        let ada = create(&node, "ada", "ada@example.com", false).await;
        let swedish = UpdateUserRequest {
            id: ada.clone(),
            locale: "sv-SE".into(),
            ..UpdateUserRequest::default()
        };
        node.call(&node.admin(), swedish).await.unwrap();
        tell(&node, &ada, "ord_1").await.unwrap();
        assert_eq!(inbox(&node, &ada).await[0].subject, "Din beställning ord_1");
    }
}

/// Without a mail server, mail can be read where it was kept.
async fn keeps(node: Node) {
    let ada = create(&node, "ada", "ada@example.com", true).await;
    for order in ["ord_1", "ord_2", "ord_3"] {
        tell(&node, &ada, order).await.unwrap();
        node.advance(Duration::from_secs(1)).await;
    }
    assert_eq!(inbox(&node, &ada).await[0].email_state, EmailState::Kept);
    let list = ListMailboxRequest { page_size: 2, page_token: String::new() };
    let first = node.call(&node.admin(), list.clone()).await.unwrap();
    let list = ListMailboxRequest { page_token: first.next_page_token, ..list };
    let second = node.call(&node.admin(), list).await.unwrap();
    let mail = [first.mail, second.mail].concat();
    let subjects: Vec<_> = mail.iter().map(|mail| mail.subject.as_str()).collect();
    assert_eq!(subjects, ["Your order ord_3", "Your order ord_2", "Your order ord_1"]);
    let get = GetMailRequest { id: mail[0].id.clone() };
    let mail = node.call(&node.admin(), get.clone()).await.unwrap().mail.unwrap();
    assert_eq!(mail.to, "ada@example.com");
    assert_eq!(mail.text, "Thank you for your order ord_3 over 12.34 USD.");
    let error = node.call(&node.user(&ada), get).await.unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
}

mod mail_is_kept_where_there_is_no_server {
    use super::*;

    #[test]
    fn sqlite() {
        stoa_testkit::run_with_ports(Engine::Sqlite, services(), Ports::default(), keeps);
    }

    #[test]
    fn postgres() {
        stoa_testkit::run_with_ports(Engine::Postgres, services(), Ports::default(), keeps);
    }
}

#[test]
fn a_malformed_template_is_refused_at_the_start() {
    let template = |text| stoa_notify::Template { name: "own", locale: "en", subject: "", text };
    assert!(stoa_notify::service_with(&[template("{{name}}")]).is_ok());
    let error = stoa_notify::service_with(&[template("{{name")]).err().unwrap();
    assert_eq!(error.reason(), "notify.malformed_template");
    assert!(error.message().contains("`own`"), "{error}");
}
