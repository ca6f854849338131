//! A house that lends books: some are made up when they are asked for, some were put into a table.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures::StreamExt;
use stoa_kit::{
    Authenticated, Authenticator, Caller, Code, Ctx, Error, MAIN, Micros, Migration, Result,
    Service, Stream, Tx, View,
};

use contract::{
    Author, BatchGetAuthorsRequest, BatchGetAuthorsResponse, BatchGetBooksRequest,
    BatchGetBooksResponse, BatchGetShelvesRequest, BatchGetShelvesResponse, Book, EchoRequest,
    EchoResponse, ForgetRequest, ForgetResponse, GetBookRequest, GetBookResponse, GetBooksRequest,
    GetBooksResponse, GetNewestRequest, GetNewestResponse, GetShelfRequest, GetShelfResponse,
    LendingService, ListBooksRequest, ListBooksResponse, Newest, PutBookRequest, PutBookResponse,
    ReadBooksRequest, ReadBooksResponse, RenameAuthorRequest, RenameAuthorResponse, Shelf,
    ShutOutRequest, ShutOutResponse,
};

pub(crate) mod contract {
    stoa_contract::contract!("lending", "tests/proto");
}

/// How often authors, and shelves, were asked for.
pub(crate) static AUTHORS: AtomicUsize = AtomicUsize::new(0);
pub(crate) static SHELVES: AtomicUsize = AtomicUsize::new(0);

struct Lending;

fn book(nth: usize) -> Book {
    Book {
        id: format!("book{nth}"),
        title: format!("Volume {nth}"),
        author_id: format!("author{}", nth % 7),
        helper_ids: (0..nth % 3).map(|helper| format!("author{helper}")).collect(),
        shelf: format!("shelf{}", nth % 2),
        sequel_id: format!("book{}", nth + 1),
    }
}

fn known_book(id: &str) -> Option<Book> {
    number(id, "book").filter(|nth| *nth < 100).map(book)
}

/// There is one shelf.
fn known_shelf(id: &str) -> Option<Shelf> {
    (id == "shelf0").then(|| Shelf { id: id.to_owned(), room: 4 })
}

fn number(id: &str, kind: &str) -> Option<usize> {
    id.strip_prefix(kind)?.parse().ok()
}

impl LendingService for Lending {
    fn get_book(&self, _: &View, request: GetBookRequest) -> Result<GetBookResponse> {
        let book = known_book(&request.id).ok_or_else(|| Error::not_found("book", &request.id))?;
        Ok(GetBookResponse { book: book.into() })
    }

    fn batch_get_books(
        &self, _: &View, request: BatchGetBooksRequest,
    ) -> Result<BatchGetBooksResponse> {
        Ok(BatchGetBooksResponse {
            books: request.ids.iter().filter_map(|id| known_book(id)).collect(),
        })
    }

    fn list_books(&self, _: &View, request: ListBooksRequest) -> Result<ListBooksResponse> {
        let books = (0..request.page_size as usize).map(book).collect();
        Ok(ListBooksResponse { books, next_page_token: String::new() })
    }

    fn get_books(&self, _: &View, _: GetBooksRequest) -> Result<GetBooksResponse> {
        Ok(GetBooksResponse { books: vec![book(1)] })
    }

    fn batch_get_authors(
        &self, view: &View, request: BatchGetAuthorsRequest,
    ) -> Result<BatchGetAuthorsResponse> {
        AUTHORS.fetch_add(1, SeqCst);
        let named = "SELECT id, name FROM lending_author WHERE tenant = :tenant AND id = ANY ($1)";
        let named: Vec<(String, String)> = view.rows(named, (&request.ids,))?;
        let named: HashMap<_, _> = named.into_iter().collect();
        // The sixth is known to nobody.
        let known = request.ids.into_iter().filter(|id| id != "author6");
        let author = |id: String| {
            let name = named.get(&id).cloned().unwrap_or_else(|| id.to_uppercase());
            Author { id, name, first_book_id: "book99".to_owned() }
        };
        Ok(BatchGetAuthorsResponse { authors: known.map(author).collect() })
    }

    fn get_shelf(&self, _: &View, request: GetShelfRequest) -> Result<GetShelfResponse> {
        match known_shelf(&request.id) {
            Some(shelf) => Ok(GetShelfResponse { shelf: shelf.into() }),
            None => Err(Error::not_found("shelf", &request.id)),
        }
    }

    fn batch_get_shelves(
        &self, _: &View, request: BatchGetShelvesRequest,
    ) -> Result<BatchGetShelvesResponse> {
        SHELVES.fetch_add(1, SeqCst);
        Ok(BatchGetShelvesResponse {
            shelves: request.ids.iter().filter_map(|id| known_shelf(id)).collect(),
        })
    }

    fn echo(&self, _: &View, request: EchoRequest) -> Result<EchoResponse> {
        Ok(EchoResponse { asked: request.into(), ..EchoResponse::default() })
    }

    fn put_book(&self, tx: &mut Tx, request: PutBookRequest) -> Result<PutBookResponse> {
        if request.title == "forbidden" {
            return Err(Error::new(Code::FailedPrecondition, "lending.forbidden", "not this one"));
        }
        let last =
            "SELECT place FROM lending_put WHERE tenant = :tenant ORDER BY place DESC LIMIT 1";
        let last: Option<(i64,)> = tx.row(last, ())?;
        let place = last.map_or(1, |(last,)| last + 1);
        let put = "INSERT INTO lending_put (tenant, place, title) VALUES (:tenant, $1, $2)";
        tx.execute(put, (place, &request.title))?;
        Ok(PutBookResponse { place, title: request.title })
    }

    fn get_newest(&self, view: &View, _: GetNewestRequest) -> Result<GetNewestResponse> {
        let last = "SELECT place, title FROM lending_put WHERE tenant = :tenant ORDER BY place DESC LIMIT 1";
        let last: Option<(i64, String)> = view.row(last, ())?;
        let (place, title) = last.ok_or_else(|| Error::not_found("book", "newest"))?;
        let author_id = format!("author{}", place % 2);
        Ok(GetNewestResponse { newest: Newest { place, title, author_id }.into() })
    }

    fn rename_author(
        &self, tx: &mut Tx, request: RenameAuthorRequest,
    ) -> Result<RenameAuthorResponse> {
        let named = "INSERT INTO lending_author (tenant, id, name) VALUES (:tenant, $1, $2) \
            ON CONFLICT (tenant, id) DO UPDATE SET name = excluded.name";
        tx.execute(named, (&request.id, &request.name))?;
        Ok(RenameAuthorResponse {})
    }

    fn shut_out(&self, tx: &mut Tx, request: ShutOutRequest) -> Result<ShutOutResponse> {
        let out = "INSERT INTO lending_out (tenant, token) VALUES (:tenant, $1)";
        tx.execute(out, (&request.token,))?;
        Ok(ShutOutResponse {})
    }

    fn forget(&self, _: &mut Tx, _: ForgetRequest) -> Result<ForgetResponse> {
        Ok(ForgetResponse {})
    }

    async fn read_books(
        &self, _: &Ctx, request: ReadBooksRequest,
    ) -> Result<Stream<ReadBooksResponse>> {
        let books =
            (0..request.count as usize).map(|nth| Ok(ReadBooksResponse { book: book(nth).into() }));
        let over = Error::new(Code::OutOfRange, "lending.over", "there are no more").help("Stop.");
        Ok(futures::stream::iter(books.chain([Err(over)])).boxed())
    }
}

/// The service. A token is the name of its bearer; one that begins with `bad` is none, nor is one
/// that was shut out.
pub(crate) fn service() -> Service {
    let tables = "
        CREATE TABLE lending_put (
            tenant TEXT NOT NULL, place BIGINT NOT NULL, title TEXT NOT NULL,
            PRIMARY KEY (tenant, place));
        CREATE TABLE lending_author (
            tenant TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (tenant, id));
        CREATE TABLE lending_out (
            tenant TEXT NOT NULL, token TEXT NOT NULL, PRIMARY KEY (tenant, token));";
    let migrations: &'static [Migration] =
        Box::leak(Box::new([Migration::expand("0001_lending", tables)]));
    Service::new(contract::serve(Lending)).migrations(migrations).authenticates(Authenticator {
        tenant: |_| Some(MAIN),
        run: |view, token| {
            let out = "SELECT 1 FROM lending_out WHERE tenant = :tenant AND token = $1";
            let is_out = view.row::<(i64,)>(out, (token,))?.is_some();
            let caller = Caller::of(MAIN, token, &[]);
            let known = Authenticated { caller, until: Micros(i64::MAX), due: None };
            Ok((!token.starts_with("bad") && !is_out).then_some(known))
        },
        principal: |_, _, _| Ok(None),
        prepare: |_, _| Ok(false),
    })
}
