//! The contract's functions.

use stoa_kit::{Access, Ctx, Error, Reason as _, Result, Tx, View};
use stoa_tokens_v1::*;

use crate::{model, store};

/// Keeps the promises of `stoa.tokens.v1`.
pub(crate) struct Tokens;

impl TokensService for Tokens {
    async fn issue_token(
        &self, ctx: &Ctx, request: IssueTokenRequest,
    ) -> Result<IssueTokenResponse> {
        let secret = model::secret(request.code_digits, ctx.secret("token"));
        let owner = ctx.caller().owner().unwrap_or_default().to_owned();
        let store = StoreTokenRequest { token: request.into(), secret: secret.clone(), owner };
        Ok(IssueTokenResponse { token: ctx.call(store).await?.token, secret })
    }

    fn store_token(&self, tx: &mut Tx, request: StoreTokenRequest) -> Result<StoreTokenResponse> {
        let StoreTokenRequest { token, secret, owner } = request;
        let asked = token.into_option().unwrap_or_default();
        let (ttl, guesses_left) = model::limits(&asked)?;
        let older = store::delete(tx, &asked.subject, Some(&asked.purpose), Some(&owner))?;
        ended(tx, older, Cause::Replaced);
        let token = Token {
            id: tx.new_id("tok"),
            owner,
            purpose: asked.purpose,
            subject: asked.subject,
            audience: asked.audience,
            payload: asked.payload,
            guesses_left,
            expire_time: tx.after(ttl).timestamp(),
            ..Token::default()
        };
        let id = if guesses_left == 0 { "" } else { &token.id };
        let fingerprint = store::fingerprint(tx, id, &secret)?;
        let token = tx.add_with(token, "fingerprint", (fingerprint.as_slice(),))?;
        let Token { id: token_id, purpose, subject, .. } = token.clone();
        tx.emit(&TokenIssued { token_id, purpose, subject });
        Ok(StoreTokenResponse { token: token.into() })
    }

    fn peek_token(&self, view: &View, request: PeekTokenRequest) -> Result<PeekTokenResponse> {
        let PeekTokenRequest { secret, purpose, audience } = request;
        let token = store::good(view, ("", &secret), &purpose, &audience)?;
        Ok(PeekTokenResponse { token: token.ok_or_else(not_good)?.into() })
    }

    fn consume_token(
        &self, tx: &mut Tx, request: ConsumeTokenRequest,
    ) -> Result<ConsumeTokenResponse> {
        let ConsumeTokenRequest { secret, purpose, audience, id } = request;
        if let Some(token) = store::good(tx, (&id, &secret), &purpose, &audience)? {
            tx.delete::<Token>(&token.id)?;
            let Token { id: token_id, purpose, subject, .. } = token.clone();
            tx.emit(&TokenConsumed { token_id, purpose, subject });
            return Ok(ConsumeTokenResponse { token: token.into() });
        }
        let Some(token) = store::count_guess(tx, &id, &purpose, &audience)? else {
            return Err(not_good());
        };
        if token.guesses_left == 0 {
            ended(tx, vec![id], Cause::Guessed);
        }
        Err(not_good().remembered())
    }

    fn revoke_tokens(
        &self, tx: &mut Tx, request: RevokeTokensRequest,
    ) -> Result<RevokeTokensResponse> {
        let RevokeTokensRequest { subject, purpose } = request;
        let purpose = Some(&*purpose).filter(|purpose| !purpose.is_empty());
        let ids = match tx.access::<Token>() {
            Access::All => store::delete(tx, &subject, purpose, None)?,
            Access::Own(owner) | Access::Granted(owner) => {
                store::delete(tx, &subject, purpose, Some(&owner))?
            }
            Access::None => Vec::new(),
        };
        let revoked = i32::try_from(ids.len()).unwrap_or(i32::MAX);
        ended(tx, ids, Cause::Revoked);
        Ok(RevokeTokensResponse { revoked })
    }

    fn list_tokens(&self, view: &View, request: ListTokensRequest) -> Result<ListTokensResponse> {
        let list = view.list::<Token>("id").only("subject", &request.subject);
        let (tokens, next_page_token) = list.page(&request)?;
        Ok(ListTokensResponse { tokens, next_page_token })
    }

    fn get_token(&self, view: &View, request: GetTokenRequest) -> Result<GetTokenResponse> {
        Ok(GetTokenResponse { token: view.load::<Token>(&request.id)?.into() })
    }

    fn batch_get_tokens(
        &self, view: &View, request: BatchGetTokensRequest,
    ) -> Result<BatchGetTokensResponse> {
        Ok(BatchGetTokensResponse { tokens: view.load_many(&request.ids)? })
    }

    fn delete_expired(
        &self, tx: &mut Tx, _: DeleteExpiredRequest,
    ) -> Result<DeleteExpiredResponse> {
        tx.sweep::<Token>("expire_time")?;
        Ok(DeleteExpiredResponse {})
    }
}

/// The one answer to a token that is unknown, spent, revoked, expired or for something else.
fn not_good() -> Error {
    Reason::NotGood.because("this token is not good, or not for this")
}

fn ended(tx: &mut Tx, ids: Vec<String>, cause: Cause) {
    for token_id in ids {
        tx.emit(&TokenRevoked { token_id, cause: cause.into() });
    }
}
