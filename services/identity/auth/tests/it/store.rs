//! What the store holds, byte by byte.

use stoa_kit::session::{Origin, Session};
use stoa_testkit::Node;

const TABLES: &[&str] = &[
    "SELECT * FROM auth_setup WHERE tenant = :tenant",
    "SELECT * FROM auth_password WHERE tenant = :tenant",
    "SELECT * FROM auth_attempt WHERE tenant = :tenant",
    "SELECT * FROM auth_network WHERE tenant = :tenant",
    "SELECT * FROM auth_session WHERE tenant = :tenant",
    "SELECT * FROM auth_api_key WHERE tenant = :tenant",
    "SELECT * FROM auth_use WHERE tenant = :tenant",
    "SELECT * FROM auth_revocation WHERE tenant = :tenant",
    "SELECT * FROM auth_service_account WHERE tenant = :tenant",
    "SELECT * FROM auth_role WHERE tenant = :tenant",
    "SELECT * FROM auth_role_grant WHERE tenant = :tenant",
    "SELECT * FROM stoa_commit WHERE tenant = :tenant",
    "SELECT * FROM stoa_event WHERE tenant = :tenant",
    "SELECT * FROM stoa_job WHERE tenant = :tenant",
    "SELECT * FROM stoa_key WHERE tenant = :tenant",
];

/// Every value of every table that auth or the kernel writes.
pub(crate) async fn everything(node: &Node) -> Vec<u8> {
    let (send, receive) = std::sync::mpsc::channel();
    let read = move |session: &mut dyn Session, _| {
        let origin = Origin { service: 0, tenant: stoa_kit::MAIN, writes: false };
        let mut bytes = Vec::new();
        for sql in TABLES {
            session.run(origin, sql, &[], &mut |row| {
                for column in 0.. {
                    let Ok(value) = row.value(column) else { break };
                    match value {
                        stoa_kit::value::Value::Text(text) => bytes.extend(text.as_bytes()),
                        stoa_kit::value::Value::Bytes(more) => bytes.extend(more),
                        other => bytes.extend(format!("{other:?}").as_bytes()),
                    }
                    bytes.push(b'\n');
                }
                Ok(true)
            })?;
        }
        let _ = send.send(bytes);
        Ok(())
    };
    node.inner().store().read(None, Box::new(read)).await.unwrap();
    receive.recv().unwrap()
}

/// Whether bytes hold other bytes.
pub(crate) fn hold(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
