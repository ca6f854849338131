//! Workloads: which processes have which SPIFFE ID.

use stoa_certs_v1::*;
use stoa_kit::{Error, Reason as _, Result, Tx, View};

use crate::model;
use crate::store::certificates;

pub(super) fn register(
    tx: &mut Tx, request: RegisterWorkloadRequest,
) -> Result<RegisterWorkloadResponse> {
    let authority = tx
        .get::<Authority>(&request.authority_id)?
        .ok_or_else(|| Error::not_found("certs.authority", &request.authority_id))?;
    model::check_spiffe_id(&request.spiffe_id, &authority.trust_domain)?;
    let life = model::seconds_or(request.life_seconds, model::SVID_LIFE);
    let workload = Workload {
        id: tx.new_id("wkl"),
        authority_id: authority.id,
        spiffe_id: request.spiffe_id,
        selectors: model::sorted(request.selectors),
        life_seconds: life.as_secs() as i32,
        ..Workload::default()
    };
    let workload = tx
        .add_new(workload, "spiffe_id")?
        .ok_or_else(|| Reason::WorkloadExists.because("a workload has this SPIFFE ID"))?;
    tx.emit(&WorkloadRegistered { workload_id: workload.id.clone() });
    Ok(RegisterWorkloadResponse { workload: workload.into() })
}

pub(super) fn get(view: &View, request: GetWorkloadRequest) -> Result<GetWorkloadResponse> {
    Ok(GetWorkloadResponse { workload: view.load::<Workload>(&request.id)?.into() })
}

pub(super) fn batch_get(
    view: &View, request: BatchGetWorkloadsRequest,
) -> Result<BatchGetWorkloadsResponse> {
    Ok(BatchGetWorkloadsResponse { workloads: view.load_many(&request.ids)? })
}

pub(super) fn list(view: &View, request: ListWorkloadsRequest) -> Result<ListWorkloadsResponse> {
    let (workloads, next_page_token) = view
        .list::<Workload>("spiffe_id")
        .only("authority_id", &request.authority_id)
        .page(&request)?;
    Ok(ListWorkloadsResponse { workloads, next_page_token })
}

pub(super) fn delete(
    tx: &mut Tx, request: DeleteWorkloadRequest,
) -> Result<DeleteWorkloadResponse> {
    let workload = tx.load::<Workload>(&request.id)?;
    certificates::revoke_of(tx, &workload.id)?;
    tx.delete::<Workload>(&workload.id)?;
    tx.emit(&WorkloadDeleted { workload_id: workload.id });
    Ok(DeleteWorkloadResponse {})
}
