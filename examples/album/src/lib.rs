//! Album: pictures that people keep. Their bytes are blobs, which rows hold.
//!
//! **Invariant:** a picture has its bytes for as long as it is there, and no longer.
//!
//! **Invariant:** once its owner is erased nobody can read a picture.

#![forbid(unsafe_code)]

/// What album promises: the Rust of `proto/stoa/album/v1`.
pub mod contract {
    stoa_contract::contract!("album", "proto");
}

use stoa_kit::{Ctx, Migration, Result, Service, Tx, View};

use contract::*;

const MIGRATIONS: &[Migration] =
    &[Migration::expand("0001_picture", include_str!("../migrations/0001_picture.sql"))];

/// The service.
pub fn service() -> Service {
    // A frame is about nobody, and stays.
    Service::new(serve(Album)).migrations(MIGRATIONS).erases(|_, _| Ok(()))
}

struct Album;

impl AlbumService for Album {
    fn add_picture(&self, tx: &mut Tx, request: AddPictureRequest) -> Result<AddPictureResponse> {
        let AddPictureRequest { title, file, frame } = request;
        let (id, owner_id) = (tx.new_id("pic"), tx.owner()?.to_owned());
        let picture = tx.add(Picture { id, owner_id, title, file, frame, ..Picture::default() })?;
        Ok(AddPictureResponse { picture: picture.into() })
    }

    fn swap_picture(
        &self, tx: &mut Tx, request: SwapPictureRequest,
    ) -> Result<SwapPictureResponse> {
        let picture = tx.load::<Picture>(&request.id)?;
        let picture = tx.save(Picture { file: request.file, ..picture })?;
        Ok(SwapPictureResponse { picture: picture.into() })
    }

    fn delete_picture(
        &self, tx: &mut Tx, request: DeletePictureRequest,
    ) -> Result<DeletePictureResponse> {
        let picture = tx.load::<Picture>(&request.id)?;
        tx.delete::<Picture>(&picture.id)?;
        Ok(DeletePictureResponse {})
    }

    fn get_picture(&self, view: &View, request: GetPictureRequest) -> Result<GetPictureResponse> {
        let picture = view.load::<Picture>(&request.id)?;
        let (link, frame_link) = (view.link(&picture.file)?, view.link(&picture.frame)?);
        Ok(GetPictureResponse { picture: picture.into(), link, frame_link })
    }

    fn batch_get_pictures(
        &self, view: &View, request: BatchGetPicturesRequest,
    ) -> Result<BatchGetPicturesResponse> {
        Ok(BatchGetPicturesResponse { pictures: view.load_many(&request.ids)? })
    }

    async fn copy_picture(
        &self, ctx: &Ctx, request: CopyPictureRequest,
    ) -> Result<CopyPictureResponse> {
        let picture = ctx.call(GetPictureRequest { id: request.id }).await?.picture;
        let Picture { title, file, .. } = picture.into_option().unwrap_or_default();
        let copy = ctx.upload("image/png", ctx.download(&file).await?).await?;
        let add = AddPictureRequest { title, file: copy.id, ..AddPictureRequest::default() };
        Ok(CopyPictureResponse { picture: ctx.call(add).await?.picture })
    }
}
