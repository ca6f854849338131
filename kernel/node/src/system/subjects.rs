//! What is kept about a person, and its end.

use stoa_kit::{Result, Tx, View};

use crate::contract::*;

/// The tables that hold what is about people.
pub(super) fn tables(
    view: &View, _: ListPersonalTablesRequest,
) -> Result<ListPersonalTablesResponse> {
    let services = view.registry().services().iter();
    let tables = services.flat_map(|service| {
        service.held.iter().map(|held| PersonalTable {
            service: service.name.to_owned(),
            name: held.table.to_owned(),
            message: held.message.to_owned(),
        })
    });
    Ok(ListPersonalTablesResponse { tables: tables.collect() })
}

pub(super) fn export(view: &View, request: ExportSubjectRequest) -> Result<ExportSubjectResponse> {
    let turn = &mut |keys| view.page(&request, keys);
    let (rows, next_page_token) = view.export(&request.subject, &request.table, turn)?;
    Ok(ExportSubjectResponse { rows, next_page_token })
}

pub(super) fn erase(tx: &mut Tx, request: EraseSubjectRequest) -> Result<EraseSubjectResponse> {
    tx.erase(&request.subject)?;
    tx.touch("system.subject", &request.subject);
    tx.emit(&SubjectErased { subject: request.subject });
    Ok(EraseSubjectResponse {})
}
