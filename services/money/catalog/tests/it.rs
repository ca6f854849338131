//! The catalog, through its contract.

#![cfg(test)]

use stoa_catalog_v1::*;
use stoa_kit::v1::Money;
use stoa_kit::{Code, Error, Service};
use stoa_testkit::{Node, both};

fn services() -> Vec<Service> {
    vec![stoa_catalog::service()]
}

stoa_testkit::compliance!(stoa_catalog::service, services);

fn usd(amount: i64) -> Money {
    Money { amount, currency: "USD".into() }
}

fn variant(sku: &str, prices: Vec<Money>) -> NewVariant {
    NewVariant { sku: sku.into(), title: String::new(), prices }
}

async fn create(node: &Node, title: &str, variants: Vec<NewVariant>) -> Result<Product, Error> {
    let request =
        CreateProductRequest { title: title.into(), description: String::new(), variants };
    Ok(node.call(&node.admin(), request).await?.product.unwrap())
}

async fn quote(node: &Node, items: &[(&str, i64)], currency: &str) -> Result<QuoteResponse, Error> {
    let item =
        |(sku, quantity): &(&str, i64)| QuoteItem { sku: (*sku).into(), quantity: *quantity };
    let items = items.iter().map(item).collect();
    node.call(&node.user("usr_1"), QuoteRequest { items, currency: currency.into() }).await
}

async fn refusal(node: &Node, items: &[(&str, i64)], currency: &str) -> String {
    quote(node, items, currency).await.unwrap_err().reason().to_owned()
}

both! {
    async fn a_sku_names_one_variant_however_it_is_written(node: Node) {
        let tea = create(&node, "Tea", vec![variant(" tea-1\t", vec![usd(495)])]).await.unwrap();
        assert_eq!(tea.variants[0].sku, "TEA-1");
        let price = |sku: &str| SetPriceRequest { sku: sku.into(), price: usd(495).into() };
        let first = node.call_with_key(&node.admin(), "a-key", price("tea-1")).await.unwrap();
        let again = node.call_with_key(&node.admin(), "a-key", price("TEA-1 ")).await.unwrap();
        assert_eq!(first, again, "it is the same request");
        let tea = node.call(&node.nobody(), GetProductRequest { id: tea.id }).await.unwrap();
        let tea = tea.product.unwrap();
        let error = create(&node, "Other", vec![variant("Tea-1", vec![])]).await.unwrap_err();
        assert_eq!((error.code(), error.reason()), (Code::AlreadyExists, "catalog.sku_taken"));
        let all = node.call(&node.nobody(), ListProductsRequest::default()).await.unwrap();
        assert_eq!(all.products, [tea], "the refused product left nothing behind");
    }

    async fn a_quote_is_for_the_whole_cart(node: Node) {
        let mut blue = variant("mug-blue", vec![usd(1_250)]);
        blue.title = "blue".into();
        create(&node, "Mug", vec![blue]).await.unwrap();
        create(&node, "Tea", vec![variant("tea", vec![usd(495)])]).await.unwrap();
        let quote = quote(&node, &[("TEA", 2), ("mug-BLUE", 1), ("tea", 1)], "USD").await.unwrap();
        let lines: Vec<_> = quote
            .lines
            .iter()
            .map(|line| (&*line.sku, &*line.title, line.unit_price.amount, line.amount.amount))
            .collect();
        let wanted = [
            ("TEA", "Tea", 495, 990),
            ("MUG-BLUE", "Mug, blue", 1_250, 1_250),
            ("TEA", "Tea", 495, 495),
        ];
        assert_eq!(lines, wanted);
        assert_eq!(*quote.total, usd(2_735));
    }

    async fn what_cannot_be_sold_is_not_quoted(node: Node) {
        let prices = vec![usd(i64::MAX / 2)];
        let tea = create(&node, "Tea", vec![variant("TEA", prices)]).await.unwrap();
        create(&node, "Gift", vec![variant("GIFT", vec![])]).await.unwrap();
        assert_eq!(refusal(&node, &[("TEA", 1), ("NONE", 1)], "USD").await, "catalog.unknown_sku");
        assert_eq!(refusal(&node, &[("TEA", 1)], "SEK").await, "catalog.no_price");
        assert_eq!(refusal(&node, &[("GIFT", 1)], "USD").await, "catalog.no_price");
        assert_eq!(refusal(&node, &[("TEA", 3)], "USD").await, "catalog.total_too_large");
        let parts = [("TEA", 1), ("TEA", 1), ("TEA", 1)];
        assert_eq!(refusal(&node, &parts, "USD").await, "catalog.total_too_large");
        let archive = ArchiveProductRequest { id: tea.id.clone() };
        for _ in 0..2 {
            let reply = node.call(&node.admin(), archive.clone()).await.unwrap();
            assert!(reply.product.archived);
        }
        assert_eq!(refusal(&node, &[("TEA", 1)], "USD").await, "catalog.archived");
        let read = node.call(&node.nobody(), GetProductRequest { id: tea.id }).await.unwrap();
        assert!(read.product.archived, "what was sold stays readable");
    }

    async fn a_variant_has_one_price_in_a_currency(node: Node) {
        let twice = vec![usd(1), usd(2)];
        let error = create(&node, "Tea", vec![variant("TEA", twice)]).await.unwrap_err();
        assert_eq!(error.violations()[0].path, "variants[0].prices[1].currency");
        let error = create(&node, "Tea", vec![variant("TEA", vec![usd(-1)])]).await.unwrap_err();
        assert_eq!(error.violations()[0].path, "variants[0].prices[0].amount");
        create(&node, "Tea", vec![variant("TEA", vec![usd(1)])]).await.unwrap();
        let sek = Money { amount: 0, currency: "SEK".into() };
        for price in [usd(2), sek.clone(), usd(3)] {
            let set = SetPriceRequest { sku: "tea".into(), price: price.into() };
            node.call(&node.admin(), set).await.unwrap();
        }
        assert_eq!(*quote(&node, &[("TEA", 2)], "USD").await.unwrap().total, usd(6));
        assert_eq!(*quote(&node, &[("TEA", 2)], "SEK").await.unwrap().total, sek);
        let set = SetPriceRequest { sku: "none".into(), price: usd(1).into() };
        let error = node.call(&node.admin(), set).await.unwrap_err();
        assert_eq!(error.reason(), "catalog.unknown_sku");
    }

    async fn a_product_can_change_and_grow(node: Node) {
        let tea = create(&node, "Te", vec![]).await.unwrap();
        let update = UpdateProductRequest {
            id: tea.id.clone(),
            title: Some("Tea".into()),
            description: None,
        };
        node.call(&node.admin(), update).await.unwrap();
        let more = variant("tea-2", vec![usd(5)]);
        let add = AddVariantRequest { product_id: tea.id.clone(), variant: more.into() };
        let grown = node.call(&node.admin(), add.clone()).await.unwrap().product.unwrap();
        assert_eq!((&*grown.title, &*grown.variants[0].sku), ("Tea", "TEA-2"));
        let none = AddVariantRequest { product_id: "prd_none".into(), ..add };
        assert_eq!(node.call(&node.admin(), none).await.unwrap_err().code(), Code::NotFound);
    }

    async fn a_list_shows_each_product_once(node: Node) {
        let mut created = Vec::new();
        for index in 0..7 {
            let sku = format!("sku-{index}");
            created.push(create(&node, "Thing", vec![variant(&sku, vec![usd(1)])]).await.unwrap());
        }
        let archive = ArchiveProductRequest { id: created[2].id.clone() };
        created[2] = node.call(&node.admin(), archive).await.unwrap().product.unwrap();
        for include_archived in [true, false] {
            let list = ListProductsRequest { page_size: 2, include_archived, ..Default::default() };
            let pages = node.pages(&node.nobody(), list).await.unwrap();
            let mut seen: Vec<Product> = pages.into_iter().flat_map(|page| page.products).collect();
            seen.sort_by(|a, b| a.variants[0].sku.cmp(&b.variants[0].sku));
            let mut wanted = created.clone();
            wanted.retain(|product| include_archived || !product.archived);
            assert_eq!(seen, wanted);
        }
    }
}
