//! The contract's functions.

use stoa_catalog_v1::*;
use stoa_kit::{Error, Reason as _, Result, Tx, View};

use crate::{model, store};

/// Keeps the promises of `stoa.catalog.v1`.
pub(crate) struct Catalog;

impl CatalogService for Catalog {
    fn create_product(
        &self, tx: &mut Tx, request: CreateProductRequest,
    ) -> Result<CreateProductResponse> {
        let CreateProductRequest { title, description, variants, .. } = request;
        let product = Product { id: tx.new_id("prd"), title, description, ..Product::default() };
        let id = tx.add(product)?.id;
        for variant in &variants {
            add(tx, &id, variant)?;
        }
        Ok(CreateProductResponse { product: changed(tx, &id)?.into() })
    }

    fn get_product(&self, view: &View, request: GetProductRequest) -> Result<GetProductResponse> {
        Ok(GetProductResponse { product: product(view, &request.id)?.into() })
    }

    fn list_products(
        &self, view: &View, request: ListProductsRequest,
    ) -> Result<ListProductsResponse> {
        let (products, next_page_token) = view
            .list_all::<Product>("id")
            .only_if(!request.include_archived, "archived = FALSE")
            .page(&request)?;
        Ok(ListProductsResponse { products: offered(view, products)?, next_page_token })
    }

    fn batch_get_products(
        &self, view: &View, request: BatchGetProductsRequest,
    ) -> Result<BatchGetProductsResponse> {
        let products = offered(view, view.load_many(&request.ids)?)?;
        Ok(BatchGetProductsResponse { products })
    }

    fn update_product(
        &self, tx: &mut Tx, request: UpdateProductRequest,
    ) -> Result<UpdateProductResponse> {
        let (title, description) = (request.title.as_deref(), request.description.as_deref());
        store::update_product(tx, &request.id, title, description)?;
        Ok(UpdateProductResponse { product: changed(tx, &request.id)?.into() })
    }

    fn archive_product(
        &self, tx: &mut Tx, request: ArchiveProductRequest,
    ) -> Result<ArchiveProductResponse> {
        if store::archive_product(tx, &request.id)? {
            tx.emit(&ProductArchived { product_id: request.id.clone() });
        }
        Ok(ArchiveProductResponse { product: changed(tx, &request.id)?.into() })
    }

    fn add_variant(&self, tx: &mut Tx, request: AddVariantRequest) -> Result<AddVariantResponse> {
        // Touching the product first also says whether there is one.
        store::update_product(tx, &request.product_id, None, None)?;
        add(tx, &request.product_id, &request.variant)?;
        Ok(AddVariantResponse { product: changed(tx, &request.product_id)?.into() })
    }

    fn get_variant(&self, view: &View, request: GetVariantRequest) -> Result<GetVariantResponse> {
        let sku = request.sku;
        let variant = variants(view, std::slice::from_ref(&sku))?.pop();
        Ok(GetVariantResponse { variant: variant.ok_or_else(|| unknown(&sku))?.into() })
    }

    fn batch_get_variants(
        &self, view: &View, request: BatchGetVariantsRequest,
    ) -> Result<BatchGetVariantsResponse> {
        let variants = variants(view, &request.ids)?;
        Ok(BatchGetVariantsResponse { variants: view.visible_many(variants, &request.ids)? })
    }

    fn set_price(&self, tx: &mut Tx, request: SetPriceRequest) -> Result<SetPriceResponse> {
        let sku = &request.sku;
        let product_id = store::product_of(tx, sku)?.ok_or_else(|| unknown(sku))?;
        store::set_price(tx, sku, &request.price.currency, request.price.amount)?;
        store::update_product(tx, &product_id, None, None)?;
        let product = changed(tx, &product_id)?;
        let variant = product.variants.into_iter().find(|variant| variant.sku == *sku);
        Ok(SetPriceResponse { variant: variant.into() })
    }

    fn quote(&self, view: &View, request: QuoteRequest) -> Result<QuoteResponse> {
        let currency = &request.currency;
        let mut lines = Vec::with_capacity(request.items.len());
        for item in request.items {
            let offer = store::offer(view, &item.sku, currency)?;
            let offer = offer.ok_or_else(|| unknown(&item.sku))?;
            lines.push(model::line(item.sku, item.quantity, offer, currency)?);
        }
        let total = model::total(&lines, currency)?;
        Ok(QuoteResponse { lines, total: total.into() })
    }
}

fn add(tx: &mut Tx, product_id: &str, variant: &NewVariant) -> Result<()> {
    let sku = &variant.sku;
    if !store::insert_variant(tx, sku, product_id, &variant.title)? {
        return Err(Reason::SkuTaken.because(format!("another variant has the SKU `{sku}`")));
    }
    for price in &variant.prices {
        store::set_price(tx, sku, &price.currency, price.amount)?;
    }
    Ok(())
}

fn product(view: &View, id: &str) -> Result<Product> {
    let product = view.get(id)?.into_iter().collect();
    view.visible(offered(view, product)?.pop(), id)
}

/// Products with their variants and prices.
fn offered(view: &View, products: Vec<Product>) -> Result<Vec<Product>> {
    let ids: Vec<String> = products.iter().map(|product| product.id.clone()).collect();
    Ok(model::products(products, store::offers(view, &ids)?))
}

/// The variants of these SKUs.
fn variants(view: &View, skus: &[String]) -> Result<Vec<Variant>> {
    let offers = model::variants(store::offers_of(view, skus)?);
    Ok(offers.into_values().flatten().collect())
}

/// The product as the command leaves it.
fn changed(tx: &mut Tx, id: &str) -> Result<Product> {
    tx.touch("catalog.product", id);
    product(tx, id)
}

fn unknown(sku: &str) -> Error {
    Reason::UnknownSku.because(format!("no variant has the SKU `{sku}`"))
}
