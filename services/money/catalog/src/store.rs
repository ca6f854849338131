//! All SQL of the catalog that says more than "the row of this key".

use stoa_kit::{Error, Result, Tx, View};

/// Product, SKU, the variant's title, currency and amount of one of its prices, if it has any.
pub(crate) type OfferRow = (String, String, String, Option<String>, Option<i64>);

/// The product's title, the variant's, whether it is off sale, its price if it has one.
pub(crate) type Offer = (String, String, bool, Option<i64>);

/// Changes what is given of a product, and its update time.
pub(crate) fn update_product(
    tx: &mut Tx, id: &str, title: Option<&str>, description: Option<&str>,
) -> Result<()> {
    let now = tx.now();
    let rows = tx.execute(
        "UPDATE catalog_product
         SET title = COALESCE($2, title), description = COALESCE($3, description),
             update_time = $4
         WHERE tenant = :tenant AND id = $1",
        (id, title, description, now),
    )?;
    if rows == 0 { Err(Error::not_found("product", id)) } else { Ok(()) }
}

/// Takes a product off sale; false if there is none or it was off sale before.
pub(crate) fn archive_product(tx: &mut Tx, id: &str) -> Result<bool> {
    let now = tx.now();
    let rows = tx.execute(
        "UPDATE catalog_product SET archived = TRUE, update_time = $2
         WHERE tenant = :tenant AND id = $1 AND archived = FALSE",
        (id, now),
    )?;
    Ok(rows == 1)
}

/// Adds a variant; false if its SKU is taken.
pub(crate) fn insert_variant(
    tx: &mut Tx, sku: &str, product_id: &str, title: &str,
) -> Result<bool> {
    let rows = tx.execute(
        "INSERT INTO catalog_variant (tenant, sku, product_id, title)
         VALUES (:tenant, $1, $2, $3) ON CONFLICT (tenant, sku) DO NOTHING",
        (sku, product_id, title),
    )?;
    Ok(rows == 1)
}

pub(crate) fn set_price(tx: &mut Tx, sku: &str, currency: &str, amount: i64) -> Result<()> {
    tx.execute(
        "INSERT INTO catalog_price (tenant, sku, currency, amount) VALUES (:tenant, $1, $2, $3)
         ON CONFLICT (tenant, sku, currency) DO UPDATE SET amount = excluded.amount",
        (sku, currency, amount),
    )?;
    Ok(())
}

/// Selects variants and their prices.
macro_rules! offers {
    ($rest:literal) => {
        concat!(
            "SELECT v.product_id, v.sku, v.title, p.currency, p.amount FROM catalog_variant v ",
            "LEFT JOIN catalog_price p ",
            "ON p.tenant = :tenant AND p.tenant = v.tenant AND p.sku = v.sku ",
            "WHERE v.tenant = :tenant AND ",
            $rest
        )
    };
}

/// The variants of these products.
pub(crate) fn offers(view: &View, products: &[String]) -> Result<Vec<OfferRow>> {
    view.rows(
        offers!("v.product_id = ANY ($1) ORDER BY v.product_id, v.sku, p.currency NULLS FIRST"),
        (products,),
    )
}

/// The variants of these SKUs.
pub(crate) fn offers_of(view: &View, skus: &[String]) -> Result<Vec<OfferRow>> {
    view.rows(offers!("v.sku = ANY ($1) ORDER BY v.sku, p.currency NULLS FIRST"), (skus,))
}

pub(crate) fn product_of(view: &View, sku: &str) -> Result<Option<String>> {
    let row = view.row::<(String,)>(
        "SELECT product_id FROM catalog_variant WHERE tenant = :tenant AND sku = $1",
        (sku,),
    )?;
    Ok(row.map(|(product_id,)| product_id))
}

/// What a quote needs of a variant, in one look-up.
pub(crate) fn offer(view: &View, sku: &str, currency: &str) -> Result<Option<Offer>> {
    view.row(
        "SELECT product.title, variant.title, product.archived, price.amount
         FROM catalog_variant variant
         JOIN catalog_product product
             ON product.tenant = variant.tenant AND product.id = variant.product_id
         LEFT JOIN catalog_price price
             ON price.tenant = variant.tenant AND price.sku = variant.sku AND price.currency = $2
         WHERE variant.tenant = :tenant AND variant.sku = $1",
        (sku, currency),
    )
}
