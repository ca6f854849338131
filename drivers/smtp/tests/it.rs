//! The driver against a mail server that speaks as much of RFC 5321 as it takes.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mail_parser::MessageParser;
use proptest::prelude::*;
use stoa_contract::Check;
use stoa_kit::Code;
use stoa_kit::ports::{Mail, Mailer};
use stoa_smtp::{Patience, Smtp};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What arrived: the envelope's recipient and the message.
type Arrived = Arc<Mutex<Vec<(String, String)>>>;

/// A mail server on a port of its own. It refuses recipients by their names: `never@` for good,
/// `later@` for now, `stranger@` because nobody signed in; to `silent@` it says nothing.
async fn server() -> (u16, Arrived) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, arrived) = (listener.local_addr().unwrap().port(), Arrived::default());
    let inbox = Arc::clone(&arrived);
    #[expect(clippy::disallowed_methods, reason = "the server ends with its test")]
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            #[expect(clippy::disallowed_methods, reason = "the server ends with its test")]
            tokio::spawn(talk(stream, Arc::clone(&inbox)));
        }
    });
    (port, arrived)
}

async fn talk(stream: TcpStream, inbox: Arrived) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 sink ESMTP\r\n").await?;
    let mut recipient = String::new();
    while let Some(line) = lines.next_line().await? {
        let answer = match line.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => {
                inbox.lock().unwrap().push((String::new(), line));
                "250 sink"
            }
            "RCPT" => {
                recipient = line["RCPT TO:".len()..].trim_matches(['<', '>']).to_owned();
                match recipient.split('@').next() {
                    Some("never") => "550 nobody@here is unknown",
                    Some("later") => "451 come back later",
                    Some("stranger") => "530 sign in first",
                    Some("silent") => continue,
                    _ => "250 ok",
                }
            }
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                let mut text = String::new();
                while let Some(line) = lines.next_line().await? {
                    if line == "." {
                        break;
                    }
                    text.push_str(line.strip_prefix('.').unwrap_or(&line));
                    text.push('\n');
                }
                inbox.lock().unwrap().push((recipient.clone(), text));
                "250 taken"
            }
            _ => "250 ok",
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

fn smtp(port: u16, query: &str) -> Smtp {
    let url = format!("smtp://127.0.0.1:{port}{query}");
    let patience = Patience { connect: Duration::from_millis(500), mail: Duration::from_secs(1) };
    Smtp::new(&url, "Stoa <stoa@example.com>", "", patience).unwrap()
}

fn mail(to: &str) -> Mail {
    Mail {
        id: "job_1".into(),
        to: to.into(),
        subject: "Din beställning".into(),
        text: "First line\n.second line\n".into(),
    }
}

#[tokio::test]
async fn mail_arrives_as_it_was_written() {
    let (port, arrived) = server().await;
    let smtp = smtp(port, "?tls=none");
    for _ in 0..2 {
        smtp.deliver(mail("ada@example.com")).await.unwrap();
    }
    let arrived = arrived.lock().unwrap().clone();
    let mails: Vec<_> = arrived.iter().filter(|(recipient, _)| !recipient.is_empty()).collect();
    assert_eq!(mails.len(), 2);
    assert_eq!(arrived[0].1, "EHLO example.com", "by the domain that mail comes from");
    for (recipient, text) in mails {
        assert_eq!(recipient, "ada@example.com");
        assert!(text.contains("Message-ID: <job_1@example.com>\n"), "{text}");
        assert!(text.contains("From: Stoa <stoa@example.com>\n"), "{text}");
        assert!(text.contains("Subject: Din =?utf-8?b?"), "coded by RFC 2047: {text}");
        assert!(text.contains("\n\nFirst line\n.second line\n"), "{text}");
    }
}

#[tokio::test]
async fn mail_is_what_a_parser_of_others_reads() {
    let (port, arrived) = server().await;
    let url = format!("smtp://127.0.0.1:{port}?tls=none");
    let smtp =
        Smtp::new(&url, "stoa@example.com", "node-1.example.net", Patience::default()).unwrap();
    let text = "Din beställning är på väg.\nÅäö, 12,50 kr – välkommen åter!\n";
    smtp.deliver(Mail { text: text.into(), ..mail("ada@example.com") }).await.unwrap();
    let arrived = arrived.lock().unwrap().clone();
    assert_eq!(arrived[0].1, "EHLO node-1.example.net");
    let raw = &arrived[1].1;
    let parsed = MessageParser::new().parse(raw.as_bytes()).unwrap();
    assert_eq!(parsed.header_raw("MIME-Version").map(str::trim), Some("1.0"), "{raw}");
    assert_eq!(parsed.subject(), Some("Din beställning"));
    assert_eq!(parsed.message_id(), Some("job_1@node-1.example.net"));
    assert_eq!(parsed.body_text(0).unwrap().trim_end(), text.trim_end());
    assert!(parsed.date().is_some() && raw.is_ascii());
}

proptest! {
    #[test]
    fn what_the_contract_takes_as_an_address_the_driver_takes(
        local in "[a-z.!+_'=\\\\\"@ -]{0,5}|[a-z]{60,70}",
        domain in "[a-z0-9.@_-]{0,6}|[a-z]{60,66}|[a-z]{1,2}\\.[a-z]{1,3}",
    ) {
        let address = format!("{local}@{domain}");
        let mut check = Check::default();
        check.email("to", &address);
        if check.finish().is_ok() {
            let parsed = address.parse::<lettre::Address>();
            prop_assert!(parsed.is_ok(), "{address}: {parsed:?}");
        }
    }
}

#[test]
fn addresses_are_taken_or_not() {
    let takes = |address: &str| {
        let mut check = Check::default();
        check.email("to", address);
        check.finish().is_ok()
    };
    for address in
        ["a@example.com", "a.b+c@example.com", "o'neil@localhost", "a@xn--bcher-kva.example"]
    {
        assert!(takes(address) && address.parse::<lettre::Address>().is_ok(), "{address}");
    }
    let long = format!("{}@example.com", "a".repeat(65));
    for address in ["a..b@example.com", ".a@example.com", "a.@example.com", "a@-b.example", &long] {
        assert!(!takes(address), "{address}");
    }
}

#[tokio::test]
async fn an_error_says_whether_to_try_again() {
    let (port, arrived) = server().await;
    let smtp = smtp(port, "?tls=none");
    let wanted = [
        ("never@example.com", Code::FailedPrecondition, "smtp.refused"),
        ("later@example.com", Code::Unavailable, "smtp.unavailable"),
        ("silent@example.com", Code::Unavailable, "smtp.unavailable"),
        ("stranger@example.com", Code::Unavailable, "smtp.sign_in"),
        ("no address", Code::FailedPrecondition, "smtp.refused"),
    ];
    for (to, code, reason) in wanted {
        let error = smtp.deliver(mail(to)).await.unwrap_err();
        assert_eq!((error.code(), error.reason()), (code, reason), "{to}: {error:?}");
        assert!(!format!("{error:?}").contains('@'), "{error:?}");
    }
    assert!(arrived.lock().unwrap().iter().all(|(recipient, _)| recipient.is_empty()));
}

#[tokio::test]
async fn a_server_that_is_away_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = smtp(port, "?tls=none").deliver(mail("ada@example.com")).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
}

#[tokio::test]
async fn nothing_is_sent_in_the_clear_unless_the_url_says_so() {
    let (port, arrived) = server().await;
    for query in ["", "?tls=starttls"] {
        // This server does not offer STARTTLS.
        smtp(port, query).deliver(mail("ada@example.com")).await.unwrap_err();
    }
    assert!(arrived.lock().unwrap().iter().all(|(recipient, _)| recipient.is_empty()));
}

/// RFC 5321, 4.5.3.2.6: who gives up a mail that was handed over hands it over again.
#[test]
fn a_server_has_ten_minutes_to_say_that_it_has_a_mail() {
    assert!(Patience::default().mail > Duration::from_secs(10 * 60));
}

#[test]
fn a_wrong_configuration_is_refused_at_the_start() {
    let reason = |url: &str, from: &str| {
        let error = Smtp::new(url, from, "", Patience::default()).err().unwrap();
        error.reason().to_owned()
    };
    for (url, from) in [
        ("localhost:25", "a@example.com"),
        ("http://localhost", "a@example.com"),
        ("smtp://localhost?tls=maybe", "a@example.com"),
        ("smtps://localhost?tls=none", "a@example.com"),
        ("smtp://localhost", "nobody"),
    ] {
        assert_eq!(reason(url, from), "smtp.configuration", "{url} {from}");
    }
}
