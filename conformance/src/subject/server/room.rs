//! Room in memory for large answers. Parsed, a body takes ten times its length, and several cases run at once: so few
//! large ones are held at the same time, and whoever reads another one waits.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Large answers that are held at once, however many cases run.
const AT_ONCE: usize = 2;

/// A large answer is read after this time in any case, because the waiting request may itself hold the others.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The memory for all large answers of a subject.
#[derive(Debug)]
pub(crate) struct Rooms(Arc<Semaphore>);

/// The memory reserved for one large response, released on drop.
#[derive(Debug, Clone, Default)]
pub struct Room(#[expect(dead_code, reason = "it is held, not looked at")] Option<Arc<OwnedSemaphorePermit>>);

impl Default for Rooms {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Rooms {
    /// Waits until there is room for one more.
    pub(crate) async fn take(&self) -> Room {
        let permit = tokio::time::timeout(LONGEST_WAIT, self.0.clone().acquire_owned()).await;
        Room(permit.ok().and_then(Result::ok).map(Arc::new))
    }

    /// Returns the number of responses that still fit.
    #[cfg(test)]
    pub(crate) fn free(&self) -> usize {
        self.0.available_permits()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use crate::subject::server::bounded::LARGE;
    use crate::subject::server::client::{Client, Credentials, Manners, Request};
    use crate::subject::server::room::AT_ONCE;

    /// Answers each connection once, with `bytes` bytes.
    async fn server(bytes: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {bytes}\r\n\r\n");
                drop(socket.read(&mut [0; 4096]).await);
                drop(socket.write_all(head.as_bytes()).await);
                drop(socket.write_all(&vec![b'1'; bytes]).await);
            }
        });
        url
    }

    #[tokio::test]
    async fn large_answer_reserves_memory_until_dropped() {
        let get = Request { method: "GET".to_owned(), path: "/Users".to_owned(), ..Request::default() };
        for (bytes, taken) in [(LARGE, 0), (LARGE + 1, 1)] {
            let client = Client::new(&server(bytes).await, Credentials::None, Manners::default());
            let client = client.expect("a client");
            let mut held = Vec::new();
            for number in 1..=AT_ONCE {
                let (_, answer) = client.send(&get).await;
                held.push(answer.expect("an answer"));
                assert_eq!(client.rooms().free(), AT_ONCE - number * taken, "{bytes} bytes");
            }
            drop(held);
            assert_eq!(client.rooms().free(), AT_ONCE);
        }
    }
}
