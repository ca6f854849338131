//! The contract's functions.

mod verify;

use futures::StreamExt as _;
use futures::stream::try_unfold;
use stoa_audit_v1::*;
use stoa_kit::{Ctx, Micros, Reason as _, Result, Stream, Tx, View};

use crate::store::tree::Nodes;
use crate::{jobs, model, store};

/// Entries that a page of a search looks at.
const LOOK_MAX: i64 = 2_000;
/// Entries that an export gives at once.
const EXPORTED: i64 = 256;

/// Keeps the promises of `stoa.audit.v1`.
pub(crate) struct Audit;

impl AuditService for Audit {
    fn search_entries(
        &self, tx: &mut Tx, request: SearchEntriesRequest,
    ) -> Result<SearchEntriesResponse> {
        let page = tx.page(&request, 1)?;
        let wanted = store::Wanted {
            about: &request.about,
            method: &request.method,
            from: request.start_time.as_option().map_or(i64::MIN, |time| Micros::of(time).0),
            to: request.end_time.as_option().map_or(i64::MAX, |time| Micros::of(time).0),
        };
        let before = page.number(0, i64::MAX)?;
        let (places, end) = store::search(tx, &wanted, before, (page.limit(), LOOK_MAX))?;
        let kept = store::of(tx, places)?;
        let mut entries: Vec<Entry> = kept.into_iter().map(model::shown).collect();
        let next_page_token = page.cut_at(
            &mut entries,
            |entry| vec![entry.leaf_index.to_string()],
            end.map(|end| vec![end.to_string()]),
        )?;
        // Whom it was about is what its entry has to say: nothing else is written.
        tx.touch("audit.search", &request.about);
        Ok(SearchEntriesResponse { entries, next_page_token })
    }

    fn get_entry(&self, tx: &mut Tx, request: GetEntryRequest) -> Result<GetEntryResponse> {
        tx.touch("audit.entry", &request.leaf_index.to_string());
        Ok(GetEntryResponse { entry: shown(tx, request.leaf_index)?.into() })
    }

    async fn export(&self, ctx: &Ctx, request: ExportRequest) -> Result<Stream<ExportResponse>> {
        let first_leaf = request.first_leaf;
        ctx.call(RecordExportRequest { first_leaf }).await?;
        let ctx = ctx.clone();
        let pages = try_unfold(Some(first_leaf), move |next| {
            let ctx = ctx.clone();
            async move {
                let Some(first_leaf) = next else { return Ok(None) };
                let read = ctx.call(ReadEntriesRequest { first_leaf }).await?;
                let next = Some(read.next_leaf).filter(|next| *next > 0);
                Ok(Some((ExportResponse { entries: read.entries }, next)))
            }
        });
        Ok(pages.boxed())
    }

    fn redact(&self, tx: &mut Tx, request: RedactRequest) -> Result<RedactResponse> {
        let RedactRequest { leaf_index, fields, reason } = request;
        let entry = store::one(tx, leaf_index)?;
        if let Some(hold) = model::hold(&store::holds(tx)?, &entry) {
            return Err(model::held(hold));
        }
        let places = fields.iter().map(|field| model::places(field, &entry));
        let places: Vec<_> = places.collect::<Result<_>>()?;
        let drops = |place, _: &_| places.iter().any(|places| places.contains(&place));
        store::redact(tx, &entry, &reason, drops)?;
        tx.touch("audit.entry", &leaf_index.to_string());
        Ok(RedactResponse { entry: shown(tx, leaf_index)?.into() })
    }

    fn get_tree_head(&self, view: &View, _: GetTreeHeadRequest) -> Result<GetTreeHeadResponse> {
        let (head, key) = (store::tree::some_head(view)?, store::tree::key(view)?);
        Ok(GetTreeHeadResponse { head: head.shown(&view.caller().tenant, &key).into() })
    }

    fn get_inclusion_proof(
        &self, view: &View, request: GetInclusionProofRequest,
    ) -> Result<GetInclusionProofResponse> {
        let size = size(view, request.size)?;
        let index = request.leaf_index.unsigned_abs();
        if index >= size {
            return Err(Reason::Beyond.because(format!("{index} is not in a tree of {size}")));
        }
        let mut nodes = Nodes::new(view);
        let hashes = model::tree::inclusion(index, size, &mut |level, at| nodes.find(level, at))?;
        Ok(GetInclusionProofResponse {
            size: size as i64,
            root_hash: nodes.root(size)?.to_vec(),
            leaf_hash: nodes.find(0, index)?.to_vec(),
            hashes: hashes.iter().map(|hash| hash.to_vec()).collect(),
        })
    }

    fn get_consistency_proof(
        &self, view: &View, request: GetConsistencyProofRequest,
    ) -> Result<GetConsistencyProofResponse> {
        let (first, second) = (request.first_size.unsigned_abs(), size(view, request.second_size)?);
        if first > second {
            return Err(Reason::Beyond.because(format!("{first} is more than {second}")));
        }
        let mut nodes = Nodes::new(view);
        let hashes =
            model::tree::consistency(first, second, &mut |level, at| nodes.find(level, at))?;
        Ok(GetConsistencyProofResponse {
            second_size: second as i64,
            first_hash: nodes.root(first)?.to_vec(),
            second_hash: nodes.root(second)?.to_vec(),
            hashes: hashes.iter().map(|hash| hash.to_vec()).collect(),
        })
    }

    async fn verify_tree(
        &self, ctx: &Ctx, request: VerifyTreeRequest,
    ) -> Result<VerifyTreeResponse> {
        verify::verify(ctx, request).await
    }

    fn set_hold(&self, tx: &mut Tx, request: SetHoldRequest) -> Result<SetHoldResponse> {
        let SetHoldRequest { name, about, reason } = request;
        let hold = Hold { name, about, reason, ..Hold::default() };
        Ok(SetHoldResponse { hold: store::set_hold(tx, hold)?.into() })
    }

    fn release_hold(
        &self, tx: &mut Tx, request: ReleaseHoldRequest,
    ) -> Result<ReleaseHoldResponse> {
        store::release(tx, &request.name)?;
        Ok(ReleaseHoldResponse {})
    }

    fn list_holds(&self, view: &View, _: ListHoldsRequest) -> Result<ListHoldsResponse> {
        Ok(ListHoldsResponse { holds: store::holds(view)? })
    }

    fn record_export(
        &self, tx: &mut Tx, request: RecordExportRequest,
    ) -> Result<RecordExportResponse> {
        tx.touch("audit.export", &request.first_leaf.to_string());
        Ok(RecordExportResponse {})
    }

    fn read_entries(
        &self, view: &View, request: ReadEntriesRequest,
    ) -> Result<ReadEntriesResponse> {
        let next = request.first_leaf.saturating_add(EXPORTED);
        let entries = store::kept(view, request.first_leaf, next)?;
        let entries = entries.into_iter().map(model::shown).collect();
        let size = store::tree::head(view)?.size as i64;
        Ok(ReadEntriesResponse { entries, next_leaf: if next < size { next } else { 0 } })
    }

    fn verify_tile(&self, view: &View, request: VerifyTileRequest) -> Result<VerifyTileResponse> {
        verify::tile(view, &request)
    }

    fn read_tile(&self, view: &View, request: ReadTileRequest) -> Result<ReadTileResponse> {
        let level = request.level.unsigned_abs();
        let hashes = store::tree::read(view, level, request.tile.unsigned_abs())?;
        Ok(ReadTileResponse { hashes })
    }

    fn tell_head(&self, tx: &mut Tx, _: TellHeadRequest) -> Result<TellHeadResponse> {
        jobs::tell_head(tx)?;
        Ok(TellHeadResponse {})
    }

    fn forget_entries(
        &self, tx: &mut Tx, _: ForgetEntriesRequest,
    ) -> Result<ForgetEntriesResponse> {
        jobs::forget(tx)?;
        Ok(ForgetEntriesResponse {})
    }

    fn redact_erased(&self, tx: &mut Tx, _: RedactErasedRequest) -> Result<RedactErasedResponse> {
        let more = store::redact_erased(tx)?;
        tx.again(more);
        Ok(RedactErasedResponse {})
    }
}

fn shown(view: &View, leaf_index: i64) -> Result<Entry> {
    store::one(view, leaf_index).map(model::shown)
}

/// The size of a tree that was asked for; that of the head, if none was.
fn size(view: &View, asked: i64) -> Result<u64> {
    let head = store::tree::some_head(view)?.size;
    match asked.unsigned_abs() {
        0 => Ok(head),
        asked if asked <= head => Ok(asked),
        asked => Err(Reason::Beyond.because(format!("the tree has {head} entries, not {asked}"))),
    }
}
