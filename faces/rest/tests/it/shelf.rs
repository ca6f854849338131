//! A service that tells what it was asked.

use futures::StreamExt;
use stoa_contract::Contract;
use stoa_kit::{
    Authenticated, Authenticator, Caller, Code, Ctx, Error, MAIN, Micros, Result, Service, Stream,
    Tx, View,
};

use contract::{
    ChangeRequest, ChangeResponse, CountRequest, CountResponse, FindRequest, FindResponse,
    KeepRequest, KeepResponse, PutRequest, PutResponse, ShelfService,
};

pub(crate) mod contract {
    stoa_contract::contract!("shelf", "tests/proto");
}

struct Shelf;

impl ShelfService for Shelf {
    fn find(&self, _: &View, request: FindRequest) -> Result<FindResponse> {
        Ok(FindResponse { asked: request.into() })
    }

    fn put(&self, _: &mut Tx, request: PutRequest) -> Result<PutResponse> {
        Ok(PutResponse { id: request.id, book: request.book, others: request.others })
    }

    fn keep(&self, _: &mut Tx, request: KeepRequest) -> Result<KeepResponse> {
        Ok(KeepResponse { book: request.book })
    }

    fn change(&self, _: &mut Tx, request: ChangeRequest) -> Result<ChangeResponse> {
        Ok(ChangeResponse { asked: request.into() })
    }

    async fn count(&self, _: &Ctx, request: CountRequest) -> Result<Stream<CountResponse>> {
        let numbers = (1..=request.to.into()).map(|number| Ok(CountResponse { number }));
        let over = Error::new(Code::OutOfRange, "shelf.over", "there are no more").help("Stop.");
        Ok(futures::stream::iter(numbers.chain([Err(over)])).boxed())
    }
}

/// The service. A token is the name of its bearer.
pub(crate) fn service() -> Service {
    named(&contract::CONTRACT).authenticates(Authenticator {
        tenant: |_| Some(MAIN),
        run: |_, token| {
            let caller = Caller::of(MAIN, token, &[]);
            Ok(Some(Authenticated { caller, until: Micros(i64::MAX), due: None }))
        },
        principal: |_, _, _| Ok(None),
        prepare: |_, _| Ok(false),
    })
}

/// The same under the name of a contract that has the same methods; it knows nobody.
pub(crate) fn named(contract: &'static Contract) -> Service {
    Service::new(contract::serve(Shelf).renamed(contract))
}
