//! The server for tests that aren't async: it runs on a thread of its own.
//!
//! ```
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use mock_aquera::{JournalQuery, StatusCode, blocking::MockAquera};
//!
//! let mock = MockAquera::start(MockAquera::builder().users(10))?;
//! // … point a client at `mock.scim_url()`, then see what it sent:
//! let application = mock.default_application();
//! let writes = application.wait_for_blocking(JournalQuery::new().method("POST"), 1, Duration::from_secs(5))?;
//! assert_eq!(writes[0].status, Some(StatusCode::CREATED));
//! # Ok(())
//! # }
//! ```

use std::io;
use std::ops::Deref;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use tokio::runtime;
use tokio::sync::oneshot;

use crate::application::Application;
use crate::breakpoint::Hold;
use crate::builder::{self, MockAqueraBuilder, StartError};
use crate::journal::{Exchange, Gathered, JournalQuery, WaitError};

/// A server on a thread of its own. It has all that [`MockAquera`](crate::MockAquera) has; dropping it stops it, and
/// returns once every answer on its way has left and the snapshot, if there is one, is written.
#[derive(Debug)]
pub struct MockAquera {
    server: Arc<builder::MockAquera>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl MockAquera {
    /// Sets a server up, the same as [`MockAquera::builder`](crate::MockAquera::builder).
    pub fn builder() -> MockAqueraBuilder {
        builder::MockAquera::builder()
    }

    /// Starts what was set up, and returns once it listens.
    ///
    /// # Errors
    /// As [`MockAqueraBuilder::start`], or there is no thread to be had.
    pub fn start(builder: MockAqueraBuilder) -> Result<Self, StartError> {
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = move || {
            let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(source) => return drop(tell.send(Err(StartError::Thread { source }))),
            };
            runtime.block_on(async move {
                match builder.start().await {
                    Ok(server) => {
                        let server = Arc::new(server);
                        let _ = tell.send(Ok(Arc::clone(&server)));
                        // Told or gone: either way it is over.
                        let _ = stopped.await;
                        server.drain().await;
                    }
                    Err(error) => drop(tell.send(Err(error))),
                }
            });
        };
        let thread = thread::Builder::new().name("mock-aquera".to_owned()).spawn(serve);
        let thread = thread.map_err(|source| StartError::Thread { source })?;
        let gone = |_| StartError::Thread { source: io::Error::other("it ended before the server started") };
        let server = told.recv().map_err(gone)??;
        Ok(Self { server, stop: Some(stop), thread: Some(thread) })
    }

    /// Stops and returns once every answer that was on its way has left, and the snapshot is written.
    pub fn stop(self) {
        drop(self);
    }
}

impl Deref for MockAquera {
    type Target = builder::MockAquera;

    fn deref(&self) -> &Self::Target {
        &self.server
    }
}

impl Drop for MockAquera {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Application {
    /// Waits like [`wait_for`](Self::wait_for), and blocks the thread meanwhile.
    ///
    /// # Errors
    /// The time was over first.
    pub fn wait_for_blocking(
        &self,
        query: JournalQuery,
        count: usize,
        within: Duration,
    ) -> Result<Vec<Exchange>, WaitError> {
        let (journal, end) = (self.journal_ring(), Instant::now().checked_add(within));
        let mut gathered = Gathered::within(journal.limits());
        let enough = wait(journal.gather(query, count, &mut gathered), end) == Some(true);
        let came = journal.shown(&gathered);
        if enough {
            Ok(came)
        } else {
            Err(WaitError { wanted: count, within, matched: gathered.matched, came })
        }
    }
}

impl Hold {
    /// Returns once the request is held, and blocks the thread until then; `false` where that took longer.
    pub fn reached_blocking(&mut self, within: Duration) -> bool {
        wait(self.reached(), Instant::now().checked_add(within)).is_some()
    }
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// What a future comes to that needs no runtime; nothing where that takes longer.
fn wait<T>(future: impl Future<Output = T>, end: Option<Instant>) -> Option<T> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(outcome);
        }
        match end.map(|end| end.saturating_duration_since(Instant::now())) {
            Some(Duration::ZERO) => return None,
            Some(left) => thread::park_timeout(left),
            None => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;
    use crate::{Fault, Phase, StatusCode};

    const LONG: Duration = Duration::from_mins(1);

    fn ask(mock: &MockAquera, path: &str) -> String {
        let mut stream = TcpStream::connect(mock.addr()).unwrap();
        let head = "Host: h\r\nAuthorization: Bearer mock-token\r\nConnection: close\r\n\r\n";
        write!(stream, "GET {path} HTTP/1.1\r\n{head}").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn it_serves_without_a_runtime() {
        let mock = MockAquera::start(MockAquera::builder().users(3).fault(Fault::status(503))).unwrap();
        assert!(ask(&mock, "/scim/Users").starts_with("HTTP/1.1 503"));
        assert!(ask(&mock, "/scim/Users").contains("\"totalResults\":3"));
        let application = mock.default_application();
        let query = || JournalQuery::new().method("GET");
        assert_eq!(application.wait_for_blocking(query(), 2, LONG).unwrap().len(), 2);
        let late = application.wait_for_blocking(query(), 3, Duration::from_millis(10)).unwrap_err();
        assert_eq!((late.wanted, late.came.len()), (3, 2));
        let addr = mock.addr();
        mock.stop();
        assert!(TcpStream::connect(addr).is_err());
    }

    #[test]
    fn what_comes_later_is_waited_for() {
        let mock = MockAquera::start(MockAquera::builder()).unwrap();
        let application = mock.default_application();
        let mut hold = application.hold(1, Phase::BeforeEffect);
        assert!(!hold.reached_blocking(Duration::from_millis(5)));
        thread::scope(|scope| {
            let client = scope.spawn(|| ask(&mock, "/scim/Users"));
            assert!(hold.reached_blocking(LONG));
            assert!(application.journal().is_empty());
            hold.release();
            assert_eq!(
                application.wait_for_blocking(JournalQuery::new(), 1, LONG).unwrap()[0].status,
                Some(StatusCode::OK)
            );
            assert!(client.join().unwrap().starts_with("HTTP/1.1 200"));
        });
    }

    #[tokio::test]
    async fn it_may_be_used_where_there_is_a_runtime() {
        let mock = MockAquera::start(MockAquera::builder().users(1)).unwrap();
        assert_eq!(mock.default_application().user_count(), 1);
        drop(mock);
    }

    #[test]
    fn what_keeps_it_from_starting_is_told() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let builder = MockAquera::builder().listen(taken.local_addr().unwrap());
        let error = MockAquera::start(builder).unwrap_err().to_string();
        assert!(error.starts_with("listen at 127.0.0.1"), "{error}");
    }
}
