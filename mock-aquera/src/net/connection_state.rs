//! What the parts of a connection share, and the handle on it that goes with each request.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hyper::rt::Executor;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;

use super::fault::{Ending, FaultResponse};
use super::listening_socket::ListeningSocket;
use super::request_rules;
use crate::lock;

/// How much of the beginning of a request is remembered, in bytes.
const MAX_REMEMBERED: usize = 8 * 1024;

/// The connection that a request came in by: an extension of the request. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct FaultHandle {
    connection: Arc<ConnectionState>,
    /// HTTP/2: the task that sends the response.
    stream: Option<StreamTask>,
}

impl FaultHandle {
    /// The handle for the requests of an HTTP/1 connection.
    pub(super) fn new(connection: &Arc<ConnectionState>) -> Self {
        Self { connection: Arc::clone(connection), stream: None }
    }

    /// The handle for the request of a stream whose task is spawned next.
    pub(super) fn of_stream(connection: &Arc<ConnectionState>, tasks: &StreamTasks) -> Self {
        let stream = StreamTask::default();
        *lock(&tasks.next) = Some(Arc::clone(&stream));
        Self { connection: Arc::clone(connection), stream: Some(stream) }
    }

    /// The address of the client.
    #[cfg(test)]
    pub(crate) fn peer(&self) -> SocketAddr {
        self.connection.peer
    }

    /// Closes the listening socket at once, for this long in real time: a client that connects is refused. Open
    /// connections stay. The same port is listened at again afterwards. Of two calls, the later end counts.
    pub(crate) fn refuse_connections(&self, time: Duration) {
        self.connection.listening.refuse_connections(time);
    }

    /// Ends the connection once its task is woken, whatever it is about to write. HTTP/2: resets the stream; the
    /// connection, which may have others, stays.
    pub(crate) fn cut(&self) {
        match &self.stream {
            None => self.connection.play_now(FaultResponse::just(Ending::Reset)),
            Some(stream) => {
                if let Some(task) = lock(stream).take() {
                    task.abort();
                }
            }
        }
    }
}

/// The task of a stream, once it is spawned.
type StreamTask = Arc<Mutex<Option<AbortHandle>>>;

/// Runs the tasks of the streams of one HTTP/2 connection, each of which can be ended by its [`FaultHandle`].
#[derive(Debug, Clone)]
pub(super) struct StreamTasks {
    tasks: TaskTracker,
    /// The stream whose task comes next: hyper hands each over right after it has called the service.
    next: Arc<Mutex<Option<StreamTask>>>,
    pub(super) open: Arc<OpenStreams>,
}

/// The streams of one HTTP/2 connection whose responses hyper does not have whole.
#[derive(Debug, Default)]
pub(super) struct OpenStreams(Mutex<StreamCount>);

#[derive(Debug, Default)]
struct StreamCount {
    open: usize,
    begun: usize,
    waker: Option<Waker>,
}

impl OpenStreams {
    /// Ready once none is open, with how many there were so far.
    pub(super) fn poll_none(&self, context: &Context<'_>) -> Poll<usize> {
        let mut count = lock(&self.0);
        if count.open == 0 {
            return Poll::Ready(count.begun);
        }
        count.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// One of the streams that are open.
struct OpenStream(Arc<OpenStreams>);

impl OpenStream {
    fn begin(streams: &Arc<OpenStreams>) -> Self {
        let mut count = lock(&streams.0);
        count.open += 1;
        count.begun += 1;
        Self(Arc::clone(streams))
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut count = lock(&self.0.0);
        count.open -= 1;
        if let Some(waker) = count.waker.take() {
            waker.wake();
        }
    }
}

impl StreamTasks {
    pub(super) fn new(tasks: TaskTracker) -> Self {
        Self { tasks, next: Arc::default(), open: Arc::default() }
    }
}

impl<F> Executor<F> for StreamTasks
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, task: F) {
        let stream = lock(&self.next).take();
        let open = OpenStream::begin(&self.open);
        let task = async move {
            task.await;
            drop(open);
        };
        let handle = self.tasks.spawn(task).abort_handle();
        if let Some(stream) = stream {
            *lock(&stream) = Some(handle);
        }
    }
}

/// A piece size and a pause.
pub(super) type Dribble = (usize, Duration);

/// Where an HTTP/1 connection is in its exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum ConnectionPhase {
    /// No request is in flight: whatever is written now is hyper's own response to what it could not read.
    Idle,
    Busy,
    /// hyper has the whole response, and has to write it out.
    Replied,
}

/// What a fault does to a connection.
#[derive(Default)]
enum FaultState {
    #[default]
    None,
    /// HTTP/1: the response that hyper writes is cut in pieces.
    Dribble(Dribble),
    /// HTTP/2: there are no new streams.
    GoAway,
    /// This is played once hyper has written all that it has, in pieces where that was dribbled.
    Pending(FaultResponse, Option<Dribble>),
    /// This is played now.
    Due(FaultResponse),
}

impl FaultState {
    fn dribble(&self) -> Option<Dribble> {
        match self {
            Self::Dribble(dribble) => Some(*dribble),
            Self::Pending(_, dribble) => *dribble,
            Self::None | Self::GoAway | Self::Due(_) => None,
        }
    }
}

/// The beginning of each request that hyper reads, from which the reason for a rejection is worked out.
#[derive(Default)]
struct Beginning {
    bytes: Vec<u8>,
    /// How many requests were read before.
    at: usize,
}

/// What the socket, the service and the driver of one connection share.
///
/// On HTTP/1 all of them run in one task, so relaxed atomics suffice; what other tasks touch is behind a lock.
pub(super) struct ConnectionState {
    pub(super) peer: SocketAddr,
    listening: Arc<ListeningSocket>,
    phase: AtomicU8,
    /// Requests so far, to tell the head of one from that of the next.
    requests: AtomicUsize,
    /// Bytes have arrived since the connection was idle.
    partial: AtomicBool,
    /// The response to an HTTP/1.1 request is waited for, nothing of it is written yet, and the client may be told so.
    pub(super) awaits_response: AtomicBool,
    fault: Mutex<FaultState>,
    beginning: Mutex<Beginning>,
    /// HTTP/2: notified when the fault state changes.
    pub(super) changed: Notify,
}

/// Without what is being sent.
impl fmt::Debug for ConnectionState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ConnectionState").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl ConnectionState {
    pub(super) fn new(peer: SocketAddr, listening: Arc<ListeningSocket>) -> Self {
        Self {
            peer,
            listening,
            phase: AtomicU8::new(ConnectionPhase::Idle as u8),
            requests: AtomicUsize::new(0),
            partial: AtomicBool::new(false),
            awaits_response: AtomicBool::new(false),
            fault: Mutex::default(),
            beginning: Mutex::default(),
            changed: Notify::new(),
        }
    }

    pub(super) fn is(&self, phase: ConnectionPhase) -> bool {
        self.phase.load(Relaxed) == phase as u8
    }

    pub(super) fn enter(&self, phase: ConnectionPhase) {
        self.phase.store(phase as u8, Relaxed);
    }

    /// A request was read. On HTTP/2, which has many at once, called a single time for the connection.
    pub(super) fn begin(&self) {
        self.enter(ConnectionPhase::Busy);
        self.requests.fetch_add(1, Relaxed);
        self.partial.store(false, Relaxed);
    }

    /// hyper has written all that it had.
    pub(super) fn flushed(&self) {
        let replied = self.is(ConnectionPhase::Replied);
        if replied {
            self.enter(ConnectionPhase::Idle);
        }
        let mut fault = lock(&self.fault);
        *fault = match std::mem::take(&mut *fault) {
            FaultState::Dribble(_) if replied => FaultState::None,
            FaultState::Pending(response, _) => FaultState::Due(response),
            other => other,
        };
    }

    /// Bytes arrived.
    pub(super) fn received(&self) {
        if self.is(ConnectionPhase::Idle) {
            self.partial.store(true, Relaxed);
        }
    }

    /// Keeps the beginning of what hyper reads.
    pub(super) fn remember(&self, bytes: &[u8]) {
        let mut beginning = lock(&self.beginning);
        if self.is(ConnectionPhase::Idle) && self.awaited_head().is_none() {
            beginning.bytes.clear();
            beginning.at = self.requests();
        }
        let room = MAX_REMEMBERED.saturating_sub(beginning.bytes.len());
        beginning.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Looks at the beginning of the request after so many; at nothing where it is not known.
    pub(super) fn with_head<T>(&self, requests: usize, look: impl FnOnce(&[u8]) -> T) -> T {
        let beginning = lock(&self.beginning);
        let mut rest = beginning.bytes.as_slice();
        // Several requests may have come in one read.
        for _ in beginning.at..requests {
            rest = request_rules::after_request(rest).unwrap_or_default();
        }
        look(rest)
    }

    /// How many requests there were.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Relaxed)
    }

    /// The number of the request whose head has begun and is not there whole.
    pub(super) fn awaited_head(&self) -> Option<usize> {
        (self.partial.load(Relaxed) && self.is(ConnectionPhase::Idle)).then(|| self.requests())
    }

    /// From here to the end of this response, writes are cut in pieces.
    pub(super) fn start_dribble(&self, dribble: Dribble) {
        *lock(&self.fault) = FaultState::Dribble(dribble);
    }

    pub(super) fn dribble(&self) -> Option<Dribble> {
        lock(&self.fault).dribble()
    }

    /// Takes the connection from hyper to play this on it, once hyper has written all that it has.
    pub(super) fn take_over(&self, response: FaultResponse) {
        let mut fault = lock(&self.fault);
        *fault = FaultState::Pending(response, fault.dribble());
        drop(fault);
        self.changed.notify_one();
    }

    /// Takes the connection from hyper to play this on it, though hyper still has something to write.
    pub(super) fn play_now(&self, response: FaultResponse) {
        *lock(&self.fault) = FaultState::Due(response);
        self.changed.notify_one();
    }

    /// Returns what is to be played now, once.
    pub(super) fn due_response(&self) -> Option<FaultResponse> {
        let mut fault = lock(&self.fault);
        match std::mem::take(&mut *fault) {
            FaultState::Due(response) => Some(response),
            other => {
                *fault = other;
                None
            }
        }
    }

    /// HTTP/2: no new streams.
    pub(super) fn go_away(&self) {
        let mut fault = lock(&self.fault);
        if matches!(*fault, FaultState::None) {
            *fault = FaultState::GoAway;
        }
        drop(fault);
        self.changed.notify_one();
    }

    pub(super) fn goes_away(&self) -> bool {
        matches!(*lock(&self.fault), FaultState::GoAway)
    }
}
