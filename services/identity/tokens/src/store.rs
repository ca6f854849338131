//! The rows of tokens.

use stoa_kit::{Micros, Result, Tx, View};
use stoa_tokens_v1::Token;

/// What a secret is kept as. A short code means something only together with its token.
pub(crate) fn fingerprint(view: &View, id: &str, secret: &str) -> Result<[u8; 16]> {
    view.fingerprint("secret", &format!("{id} {secret}"))
}

/// The token of a secret, if it is good for this and the caller sees it.
pub(crate) fn good(
    view: &View, (id, secret): (&str, &str), purpose: &str, audience: &str,
) -> Result<Option<Token>> {
    let fingerprint = fingerprint(view, id, secret)?;
    let found = view.find::<Token>("fingerprint = $1", (fingerprint.as_slice(),))?;
    Ok(found.filter(|token| is_for(view, token, purpose, audience)))
}

/// Counts a wrong guess at a short code that could have been right, and deletes a token that no more
/// guesses are left of: the token as it is then.
pub(crate) fn count_guess(
    tx: &mut Tx, id: &str, purpose: &str, audience: &str,
) -> Result<Option<Token>> {
    let guessed = tx.get::<Token>(id)?.filter(|token| is_for(tx, token, purpose, audience));
    let Some(mut token) = guessed.filter(|token| token.guesses_left > 0) else { return Ok(None) };
    token.guesses_left -= 1;
    if token.guesses_left == 0 {
        tx.delete::<Token>(id)?;
        return Ok(Some(token));
    }
    tx.save(token).map(Some)
}

fn is_for(view: &View, token: &Token, purpose: &str, audience: &str) -> bool {
    (&*token.purpose, &*token.audience) == (purpose, audience)
        && view.now() < Micros::of(&token.expire_time)
        && view.access::<Token>().shows(&token.owner)
}

/// Deletes the tokens of a subject, for one purpose or all, of one issuer or all: which they were.
pub(crate) fn delete(
    tx: &mut Tx, subject: &str, purpose: Option<&str>, owner: Option<&str>,
) -> Result<Vec<String>> {
    let deleted = tx.rows::<(String,)>(
        "DELETE FROM tokens_token WHERE tenant = :tenant AND subject = $1 \
         AND ($2 IS NULL OR purpose = $2) AND ($3 IS NULL OR owner = $3) RETURNING id",
        (subject, purpose, owner),
    )?;
    let mut ids: Vec<String> = deleted.into_iter().map(|(id,)| id).collect();
    ids.sort();
    Ok(ids)
}

/// Lets go of somebody who is erased.
pub(crate) fn erase(tx: &mut Tx, subject: &str) -> Result<()> {
    delete(tx, subject, None, None).map(|_| ())
}
