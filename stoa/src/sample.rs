//! Sample: the shop of `stoa demo`, for a node that has nothing yet, loaded by the node itself.
//!
//! It is a service of the binary and of nobody else's program: who builds one of their own services
//! adds it by name, or has no such methods.
//!
//! **Invariant:** it is loaded where there is nothing, once, and by whoever was granted that: what
//! people made is never mixed with what is there to be looked at.
//!
//! **Invariant:** how far it is, and the purchases that far, are one commit. However often the node
//! dies meanwhile, each purchase is there once.

/// What sample promises: the Rust of `proto/stoa/sample/v1`.
pub mod contract {
    stoa_contract::contract!("sample", "proto");
}

use std::sync::OnceLock;

use stoa_catalog_v1::{CreateProductRequest, ListProductsRequest, NewVariant};
use stoa_inventory_v1::{ReceiveRequest, StockLine};
use stoa_kit::v1::Money;
use stoa_kit::{Error, Micros, Migration, Reason as _, Result, Service, Tx, View};
use stoa_orders_v1::{ImportOrderRequest, ListOrdersRequest};
use stoa_users_v1::{CreateUserRequest, ListUsersRequest, LookupUserRequest, LookupUserRequestBy};

use crate::demo::{Purchase, SKU, STOCK, purchases};
use contract::*;

/// Purchases in one commit: few enough for others to get between them, and for a slow machine to be done
/// within the time that a command has.
const CHUNK: usize = 5;
/// The one shop that there is.
const ID: &str = "cdnow";
const MIGRATIONS: &[Migration] =
    &[Migration::expand("0001_sample", include_str!("../migrations/0001_sample.sql"))];

/// The service: for [`Catalogue::with`](crate::Catalogue::with).
pub fn service() -> Service {
    Service::new(serve(Sample))
        .needs(&["catalog", "inventory", "orders", "users"])
        .migrations(MIGRATIONS)
        .due("import", next, &ImportPurchasesRequest::default())
}

struct Sample;

impl SampleService for Sample {
    fn load_shop(&self, tx: &mut Tx, request: LoadShopRequest) -> Result<LoadShopResponse> {
        if !is_empty(tx)? {
            let message = "there are users, products or orders, or the shop itself";
            return Err(Reason::NotEmpty.because(message));
        }
        let product = CreateProductRequest {
            title: "Compact disc".to_owned(),
            variants: vec![NewVariant {
                sku: SKU.to_owned(),
                prices: vec![dollars(1499)],
                ..NewVariant::default()
            }],
            ..CreateProductRequest::default()
        };
        tx.call(product)?;
        let goods = StockLine { sku: SKU.to_owned(), quantity: STOCK };
        tx.call(ReceiveRequest { lines: vec![goods], ..ReceiveRequest::default() })?;
        let purchases = match request.purchases {
            0 => i32::try_from(all()?.len()).map_err(Error::internal)?,
            some => some,
        };
        let shop = Shop { id: ID.to_owned(), purchases, ..Shop::default() };
        Ok(LoadShopResponse { shop: tx.add(shop)?.into() })
    }

    fn get_shop(&self, view: &View, _: GetShopRequest) -> Result<GetShopResponse> {
        let shop = view.get::<Shop>(ID)?;
        let can_load = shop.is_none() && is_empty(view)?;
        Ok(GetShopResponse { shop: shop.into(), can_load })
    }

    fn import_purchases(
        &self, tx: &mut Tx, _: ImportPurchasesRequest,
    ) -> Result<ImportPurchasesResponse> {
        let found = tx.get::<Shop>(ID)?;
        let Some(mut shop) = found.filter(|shop| shop.loaded < shop.purchases) else {
            return Ok(ImportPurchasesResponse::default());
        };
        let coming = all()?.iter().take(shop.purchases as usize).skip(shop.loaded as usize);
        let mut count = 0;
        for purchase in coming.take(CHUNK) {
            let customer_id = customer(tx, purchase)?;
            tx.call(order(customer_id, purchase)?)?;
            count += 1;
        }
        shop.loaded += count;
        let is_whole = shop.loaded >= shop.purchases || count == 0;
        if is_whole {
            shop.finish_time = tx.now().timestamp();
        }
        tx.save(shop)?;
        tx.again(!is_whole);
        Ok(ImportPurchasesResponse { count })
    }
}

/// When the next purchases are due: at once, while some are missing.
fn next(view: &View) -> Result<Option<Micros>> {
    let row = view.row::<(i64,)>(
        "SELECT create_time FROM sample_shop \
         WHERE tenant = :tenant AND id = $1 AND finish_time IS NULL",
        (ID,),
    )?;
    Ok(row.map(|(time,)| Micros(time)))
}

/// Whether there is nothing but who looks.
fn is_empty(view: &View) -> Result<bool> {
    let products = ListProductsRequest { page_size: 1, ..ListProductsRequest::default() };
    let orders = ListOrdersRequest { page_size: 1, ..ListOrdersRequest::default() };
    let users = ListUsersRequest { page_size: 2, ..ListUsersRequest::default() };
    Ok(view.call(products)?.products.is_empty()
        && view.call(orders)?.orders.is_empty()
        && view.call(users)?.users.len() < 2)
}

/// The user of a customer, who is made with their first purchase.
fn customer(tx: &mut Tx, purchase: &Purchase) -> Result<String> {
    let handle = purchase.handle();
    let login = Some(LookupUserRequestBy::Login(handle.clone()));
    let known = tx.call(LookupUserRequest { by: login })?;
    if let Some(user) = known.user.into_option() {
        return Ok(user.id);
    }
    let email = format!("{handle}@example.com");
    let made = tx.call(CreateUserRequest { handle, email, ..CreateUserRequest::default() })?;
    Ok(made.user.id.clone())
}

fn order(customer_id: String, purchase: &Purchase) -> Result<ImportOrderRequest> {
    let time: jiff::Timestamp = purchase.time().parse().map_err(Error::internal)?;
    Ok(ImportOrderRequest {
        customer_id,
        sku: SKU.to_owned(),
        quantity: purchase.quantity,
        amount: dollars(purchase.cents).into(),
        effective_time: Micros(time.as_microsecond()).timestamp(),
        ..ImportOrderRequest::default()
    })
}

fn dollars(amount: i64) -> Money {
    Money { amount, currency: "USD".to_owned() }
}

/// Every purchase, by its day. The file is read when it is first asked for.
fn all() -> Result<&'static [Purchase]> {
    static ALL: OnceLock<Vec<Purchase>> = OnceLock::new();
    if let Some(all) = ALL.get() {
        return Ok(all);
    }
    let read = purchases(usize::MAX)?;
    Ok(ALL.get_or_init(|| read))
}
