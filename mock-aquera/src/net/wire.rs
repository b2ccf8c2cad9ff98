//! The connection as a handler sees it, and the state that the parts of a connection share.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

#[cfg(test)]
use hyper::Version;
use hyper::rt::Executor;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::door::Door;
use super::rules;
use super::script::{Ending, Script};
use crate::lock;

/// How much of the beginning of a request is remembered, in bytes.
const MAX_REMEMBERED: usize = 8 * 1024;

/// What happens to a reply instead of its being sent.
///
/// HTTP/2 carries many replies on one connection, so most kinds end the stream alone there; each says what
/// comes nearest. A reply that has no body (to HEAD, 204, 304) has none either when it is sabotaged.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Sabotage {
    /// The connection is reset: the client reads `ECONNRESET`. HTTP/2: the same, with every stream on it.
    Reset,
    /// The connection ends before the first byte. HTTP/2: the stream is reset before any header.
    EmptyReply,
    /// Nothing is sent for this long, or until the client goes; then the connection ends. HTTP/2: then the stream is
    /// reset. What else came in on an HTTP/1.1 connection is never answered.
    Hang(Option<Duration>),
    /// A chunked body whose first chunk has a size that is no number; then the connection ends. HTTP/2, which has no
    /// chunks: the head, then the stream is reset.
    MalformedChunk,
    /// The head with the whole length, this fraction of the body (of the head, where there is no body), then the
    /// connection ends. HTTP/2: then the stream is reset.
    Truncate(f64),
    /// These bytes instead of a reply, then the connection ends. HTTP/2: the same, amid the frames.
    Garbage(Vec<u8>),
    /// The true reply, in pieces of so many bytes with pauses between them; the connection stays. HTTP/2: the body in
    /// pieces.
    Dribble {
        /// Bytes in a piece; 0 counts as 1.
        chunk: usize,
        /// Between two pieces.
        pause: Duration,
    },
    /// The true body under a `Content-Length` that is off by so much, then the connection ends. HTTP/2: the same, and
    /// the connection stays.
    WrongLength(i64),
    /// The true reply, which does not say that the connection ends, then it ends. HTTP/2: the true reply, then
    /// GOAWAY, and the end once the other streams are through.
    CloseAfter,
}

/// The connection that a request came in by. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    line: Arc<Line>,
    /// HTTP/2: what is asked for this stream alone.
    stream: Option<Arc<StreamState>>,
}

/// One stream of an HTTP/2 connection.
#[derive(Debug, Default)]
struct StreamState {
    sabotage: Mutex<Option<Sabotage>>,
    /// The task that sends the reply.
    task: Mutex<Option<AbortHandle>>,
}

/// Runs the tasks of the streams of one HTTP/2 connection, each of which can be ended by its [`Wire`].
#[derive(Debug, Clone, Default)]
pub(super) struct StreamTasks {
    /// The stream whose task comes next: hyper hands each over right after it has called the service.
    next: Arc<Mutex<Option<Arc<StreamState>>>>,
    open: Arc<OpenStreams>,
}

/// The streams of one HTTP/2 connection whose replies hyper does not have whole.
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
    pub(super) fn open(&self) -> Arc<OpenStreams> {
        Arc::clone(&self.open)
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
        let handle = tokio::spawn(task).abort_handle();
        if let Some(stream) = stream {
            *lock(&stream.task) = Some(handle);
        }
    }
}

impl Wire {
    pub(super) fn connection(line: &Arc<Line>) -> Self {
        Self { line: Arc::clone(line), stream: None }
    }

    /// The wire of a stream whose task is about to be run.
    pub(super) fn stream(line: &Arc<Line>, tasks: &StreamTasks) -> Self {
        let stream = Arc::<StreamState>::default();
        *lock(&tasks.next) = Some(Arc::clone(&stream));
        Self { line: Arc::clone(line), stream: Some(stream) }
    }

    /// Spoils the reply to this request. To be called before the handler returns; the last call counts.
    pub(crate) fn sabotage(&self, sabotage: Sabotage) {
        match &self.stream {
            Some(stream) => *lock(&stream.sabotage) = Some(sabotage),
            None => self.line.sabotage(sabotage),
        }
    }

    /// HTTP/1.1 (which stands for 1.0 too) or HTTP/2.
    #[cfg(test)]
    pub(crate) fn version(&self) -> Version {
        if self.stream.is_some() { Version::HTTP_2 } else { Version::HTTP_11 }
    }

    /// The address of the client.
    #[cfg(test)]
    pub(crate) fn peer(&self) -> SocketAddr {
        self.line.peer
    }

    /// Closes the listening socket at once, for this long in real time: who connects is refused. Open connections
    /// stay. The same port is listened at again afterwards. Of two calls, the later end counts.
    pub(crate) fn refuse_connections(&self, time: Duration) {
        self.line.door.refuse(time);
    }

    /// Ends the connection once its task is woken, whatever it is about to write. HTTP/2: resets the stream; the
    /// connection, which may have others, stays.
    pub(crate) fn cut(&self) {
        match &self.stream {
            None => self.line.cut(),
            Some(stream) => {
                if let Some(task) = lock(&stream.task).take() {
                    task.abort();
                }
            }
        }
    }

    pub(super) fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// What was asked for, once.
    pub(super) fn sabotaged(&self) -> Option<Sabotage> {
        match &self.stream {
            Some(stream) => lock(&stream.sabotage).take(),
            None => self.line.sabotaged(),
        }
    }
}

/// A piece size and a pause.
pub(super) type Dribble = (usize, Duration);

/// Where an HTTP/1 connection is in its exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// No request is in flight: whatever is written now is hyper's own reply to what it could not read.
    Idle,
    Busy,
    /// hyper has the whole reply, and has to write it out.
    Replied,
}

/// How the requests begin that hyper reads, so that what is wrong with one can be told in words.
#[derive(Default)]
struct Beginning {
    bytes: Vec<u8>,
    /// How many requests were read before.
    at: usize,
}

/// What the socket, the service and the driver of one connection share.
///
/// On HTTP/1 all of them run in one task, so relaxed atomics do; what other tasks touch is behind a lock.
pub(super) struct Line {
    pub(super) peer: SocketAddr,
    door: Arc<Door>,
    phase: AtomicU8,
    /// Requests so far, to tell the head of one from that of the next.
    requests: AtomicUsize,
    /// Bytes have come since the line was idle.
    partial: AtomicBool,
    is_sabotaged: AtomicBool,
    sabotage: Mutex<Option<Sabotage>>,
    is_dribbling: AtomicBool,
    dribble: Mutex<Dribble>,
    /// A reply is waited for, and the client may be told so meanwhile.
    awaits_reply: AtomicBool,
    is_taken: AtomicBool,
    /// Nothing of hyper's is left to be written before the script.
    may_play: AtomicBool,
    script: Mutex<Option<Script>>,
    ends: AtomicBool,
    beginning: Mutex<Beginning>,
    /// HTTP/2: a script is there, or the connection is to end.
    pub(super) changed: Notify,
}

/// Without what is being sent.
impl fmt::Debug for Line {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Line").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Line {
    pub(super) fn new(peer: SocketAddr, door: Arc<Door>) -> Self {
        Self {
            peer,
            door,
            phase: AtomicU8::new(Phase::Idle as u8),
            requests: AtomicUsize::new(0),
            partial: AtomicBool::new(false),
            is_sabotaged: AtomicBool::new(false),
            sabotage: Mutex::new(None),
            is_dribbling: AtomicBool::new(false),
            dribble: Mutex::new((1, Duration::ZERO)),
            awaits_reply: AtomicBool::new(false),
            is_taken: AtomicBool::new(false),
            may_play: AtomicBool::new(false),
            script: Mutex::new(None),
            ends: AtomicBool::new(false),
            beginning: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Whether there are other connections.
    pub(super) fn has_company(&self) -> bool {
        self.door.connections() > 1
    }

    pub(super) fn is(&self, phase: Phase) -> bool {
        self.phase.load(Relaxed) == phase as u8
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
    }

    /// A request was read. On HTTP/2, which has many at once, called a single time for the connection.
    pub(super) fn begin(&self) {
        self.enter(Phase::Busy);
        self.requests.fetch_add(1, Relaxed);
        self.partial.store(false, Relaxed);
        self.is_sabotaged.store(false, Relaxed);
    }

    /// The reply to an HTTP/1.1 request takes its time, or it is there.
    pub(super) fn await_reply(&self, awaits: bool) {
        self.awaits_reply.store(awaits, Relaxed);
    }

    /// Whether a reply is waited for, of which nothing is written yet.
    pub(super) fn awaits_reply(&self) -> bool {
        self.awaits_reply.load(Relaxed)
    }

    /// hyper has the whole reply.
    pub(super) fn replied(&self) {
        self.enter(Phase::Replied);
    }

    /// hyper has written all that it had.
    pub(super) fn flushed(&self) {
        if self.is(Phase::Replied) {
            self.enter(Phase::Idle);
            self.is_dribbling.store(false, Relaxed);
        }
        if self.is_taken.load(Relaxed) {
            self.may_play.store(true, Relaxed);
        }
    }

    /// Bytes came in.
    pub(super) fn received(&self) {
        if self.is(Phase::Idle) {
            self.partial.store(true, Relaxed);
        }
    }

    /// Keeps the beginning of what hyper reads.
    pub(super) fn remember(&self, bytes: &[u8]) {
        let mut beginning = lock(&self.beginning);
        if self.is(Phase::Idle) && self.awaited_head().is_none() {
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
            rest = rules::after_request(rest).unwrap_or_default();
        }
        look(rest)
    }

    /// How many requests there were.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Relaxed)
    }

    /// The number of the request whose head has begun and is not there whole.
    pub(super) fn awaited_head(&self) -> Option<usize> {
        (self.partial.load(Relaxed) && self.is(Phase::Idle)).then(|| self.requests())
    }

    fn sabotage(&self, sabotage: Sabotage) {
        *lock(&self.sabotage) = Some(sabotage);
        self.is_sabotaged.store(true, Relaxed);
    }

    fn sabotaged(&self) -> Option<Sabotage> {
        if self.is_sabotaged.load(Relaxed) { lock(&self.sabotage).take() } else { None }
    }

    /// From here to the end of this reply, writes are cut in pieces.
    pub(super) fn start_dribble(&self, dribble: Dribble) {
        *lock(&self.dribble) = dribble;
        self.is_dribbling.store(true, Relaxed);
    }

    pub(super) fn dribble(&self) -> Option<Dribble> {
        self.is_dribbling.load(Relaxed).then(|| *lock(&self.dribble))
    }

    /// Takes the connection from hyper to play this on it.
    pub(super) fn take_over(&self, script: Script) {
        *lock(&self.script) = Some(script);
        self.is_taken.store(true, Relaxed);
        self.changed.notify_one();
    }

    /// Takes the connection from hyper though it still has something to write.
    fn cut(&self) {
        self.take_over(Script::just(Ending::Reset));
        self.may_play.store(true, Relaxed);
    }

    /// The script, once it may be played.
    pub(super) fn script_to_play(&self) -> Option<Script> {
        if self.may_play.load(Relaxed) { self.script() } else { None }
    }

    pub(super) fn script(&self) -> Option<Script> {
        lock(&self.script).take()
    }

    /// HTTP/2: no new streams.
    pub(super) fn end(&self) {
        self.ends.store(true, Relaxed);
        self.changed.notify_one();
    }

    pub(super) fn ends(&self) -> bool {
        self.ends.load(Relaxed)
    }
}
