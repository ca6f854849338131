//! What is kept about a person, and its end.

use stoa_kit::{Ctx, Result, Tx, View};

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

/// No query, though it changes nothing: those are held to no step-up.
pub(super) async fn export_self(
    ctx: Ctx, request: ExportSelfRequest,
) -> Result<ExportSelfResponse> {
    let ExportSelfRequest { table, page_size, page_token } = request;
    let subject = ctx.caller().person()?.to_owned();
    let page = ctx.call(ExportSubjectRequest { subject, table, page_size, page_token }).await?;
    Ok(ExportSelfResponse { rows: page.rows, next_page_token: page.next_page_token })
}

pub(super) fn erase(tx: &mut Tx, request: EraseSubjectRequest) -> Result<EraseSubjectResponse> {
    end(tx, request.subject)?;
    Ok(EraseSubjectResponse {})
}

pub(super) fn erase_self(tx: &mut Tx, _: EraseSelfRequest) -> Result<EraseSelfResponse> {
    let user = tx.user()?.to_owned();
    end(tx, user)?;
    Ok(EraseSelfResponse {})
}

fn end(tx: &mut Tx, subject: String) -> Result<()> {
    tx.erase(&subject)?;
    tx.touch("system.subject", &subject);
    tx.emit(&SubjectErased { subject });
    Ok(())
}
