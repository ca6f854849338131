//! Products and prices, and the rules about them.

use std::collections::BTreeMap;

use stoa_catalog_v1::{Product, QuoteLine, Reason, Variant};
use stoa_kit::v1::Money;
use stoa_kit::{Error, Reason as _, Result};

use crate::store::{Offer, OfferRow};

/// Products with their variants and prices.
pub(crate) fn products(mut products: Vec<Product>, offers: Vec<OfferRow>) -> Vec<Product> {
    let variants = variants(offers);
    for product in &mut products {
        product.variants = variants.get(&product.id).cloned().unwrap_or_default();
    }
    products
}

/// Variants with their prices, by their products; `offers` are in the order of SKU and currency.
pub(crate) fn variants(offers: Vec<OfferRow>) -> BTreeMap<String, Vec<Variant>> {
    let mut products: BTreeMap<String, Vec<Variant>> = BTreeMap::new();
    for (product_id, sku, title, currency, amount) in offers {
        let variants = products.entry(product_id).or_default();
        if variants.last().is_none_or(|last| last.sku != sku) {
            variants.push(Variant { sku, title, prices: Vec::new() });
        }
        if let (Some(last), Some(currency), Some(amount)) = (variants.last_mut(), currency, amount)
        {
            last.prices.push(Money { amount, currency });
        }
    }
    products
}

/// What so many of a variant cost.
pub(crate) fn line(sku: String, quantity: i64, offer: Offer, currency: &str) -> Result<QuoteLine> {
    let (product, variant, archived, price) = offer;
    if archived {
        return Err(Reason::Archived.because(format!("`{sku}` is no longer sold")));
    }
    let Some(price) = price else {
        return Err(Reason::NoPrice.because(format!("`{sku}` has no price in {currency}")));
    };
    let price = Money { amount: price, currency: currency.to_owned() };
    let amount = price.times(quantity).ok_or_else(too_large)?;
    Ok(QuoteLine {
        sku,
        title: if variant.is_empty() { product } else { format!("{product}, {variant}") },
        quantity,
        unit_price: price.into(),
        amount: amount.into(),
    })
}

/// What the lines cost together.
pub(crate) fn total(lines: &[QuoteLine], currency: &str) -> Result<Money> {
    let nothing = Money { amount: 0, currency: currency.to_owned() };
    let sum = lines.iter().try_fold(nothing, |sum, line| sum.plus(&line.amount));
    sum.ok_or_else(too_large)
}

fn too_large() -> Error {
    Reason::TotalTooLarge.because("the total is more than an amount of money can hold")
}
