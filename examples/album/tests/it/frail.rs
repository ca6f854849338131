//! Objects that stand still where a test says so, as a process does that is killed there.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::future::{BoxFuture, pending};
use futures::{FutureExt, StreamExt};
use stoa_kit::blobs::Objects;
use stoa_kit::ports::Ports;
use stoa_kit::{Result, Stream};
use stoa_testkit::{Directory, until};

/// Where it stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// Before the first byte is written.
    Put,
    /// After half of them.
    Half,
    /// After all of them, and before anybody is told.
    Written,
    /// Before an object is deleted.
    Delete,
    /// After that, and before anybody is told.
    Deleted,
}

pub(crate) const POINTS: [Point; 5] =
    [Point::Put, Point::Half, Point::Written, Point::Delete, Point::Deleted];

/// A directory of objects, and the point at which the next one stands still.
#[derive(Clone)]
pub(crate) struct Frail {
    directory: Directory,
    point: Arc<Mutex<(Option<Point>, bool)>>,
}

impl Frail {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { directory: Directory::new(path), point: Arc::default() }
    }

    pub(crate) fn ports(&self) -> Ports {
        Ports::default().with::<dyn Objects>(Arc::new(self.clone()))
    }

    /// Runs something up to a point, and no further: as if the process ended there. Gives what it came to
    /// if it never got there.
    pub(crate) async fn kill_at<T>(
        &self, point: Point, work: impl Future<Output = T>,
    ) -> Option<T> {
        *self.point.lock().unwrap() = (Some(point), false);
        let stuck = until(|| self.point.lock().unwrap().1);
        let outcome = tokio::select! {
            outcome = work => Some(outcome),
            () = stuck => None,
        };
        *self.point.lock().unwrap() = (None, false);
        outcome
    }

    fn pass(&self, point: Point) -> BoxFuture<'static, ()> {
        let mut wanted = self.point.lock().unwrap();
        if wanted.0 != Some(point) {
            return std::future::ready(()).boxed();
        }
        wanted.1 = true;
        pending().boxed()
    }
}

impl Objects for Frail {
    fn put(&self, name: &str, mut bytes: Stream<Bytes>) -> BoxFuture<'static, Result<()>> {
        let (own, name) = (self.clone(), name.to_owned());
        async move {
            own.pass(Point::Put).await;
            let slow = own.clone();
            let both = halves(slow, async move {
                let mut all = Vec::new();
                while let Some(piece) = bytes.next().await {
                    all.extend_from_slice(&piece?);
                }
                Ok(all)
            });
            own.directory.put(&name, both).await?;
            own.pass(Point::Written).await;
            Ok(())
        }
        .boxed()
    }

    fn get(&self, name: &str, range: Range<u64>) -> BoxFuture<'static, Result<Stream<Bytes>>> {
        self.directory.get(name, range)
    }

    fn delete(&self, name: &str) -> BoxFuture<'static, Result<()>> {
        let (own, name) = (self.clone(), name.to_owned());
        async move {
            own.pass(Point::Delete).await;
            own.directory.delete(&name).await?;
            own.pass(Point::Deleted).await;
            Ok(())
        }
        .boxed()
    }
}

/// Some bytes in two pieces, with the point between them.
fn halves(
    own: Frail, all: impl Future<Output = Result<Vec<u8>>> + Send + 'static,
) -> Stream<Bytes> {
    let first = async move {
        let all = Bytes::from(all.await?);
        Ok((all.slice(..all.len() / 2), all.slice(all.len() / 2..)))
    };
    let both = first.map(move |halves: Result<(Bytes, Bytes)>| match halves {
        Ok((one, two)) => {
            let rest = async move {
                own.pass(Point::Half).await;
                Ok(two)
            };
            let one = futures::stream::once(std::future::ready(Ok(one)));
            one.chain(futures::stream::once(rest)).boxed()
        }
        Err(error) => futures::stream::once(std::future::ready(Err(error))).boxed(),
    });
    both.flatten_stream().boxed()
}
