//! The bytes between hyper and the network.

use std::future::{Future as _, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::connection_state::{ConnectionPhase, ConnectionState, Dribble, OpenStreams};
use super::request_rules;

/// How much is read at once, in bytes, and how little room is too little.
const ROOM: usize = 8 * 1024;
const MIN_ROOM: usize = 1024;

/// Sent to a client that has ended its side and waits for a reply: the system of one that has gone answers with a reset.
const STILL_AT_IT: &[u8] = b"HTTP/1.1 102 Processing\r\n\r\n";

/// The same in HTTP/2, where no interim reply would do: a frame `WINDOW_UPDATE` for the connection, by one byte (RFC 9113
/// §6.9). It asks for no answer, which such a client could not send.
const STILL_AT_STREAMS: &[u8] = &[0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// How long a client that has ended its side is given before it is asked the first time whether it is still there, and
/// the longest time between two such questions.
const ASK_AFTER: (Duration, Duration) = (Duration::from_millis(500), Duration::from_mins(1));

/// A connection, in cleartext or encrypted.
pub(super) type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// What hyper reads from and writes to.
///
/// It withholds the replies that hyper makes up by itself, cuts a dribbled reply in pieces, and never closes the
/// connection: whoever drives it does that.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) stream: Stream,
    connection: Arc<ConnectionState>,
    /// What was read ahead, and how much of it was taken since.
    ahead: Vec<u8>,
    taken: usize,
    /// What hyper wrote while no request was in flight.
    pub(super) withheld: Vec<u8>,
    /// HTTP/2: the streams that have to be through before hyper learns that the client has ended its side.
    pub(super) streams: Option<Arc<OpenStreams>>,
    /// How many streams there had been when hyper last had nothing to write and none was open.
    quiet: Option<usize>,
    /// Something was written since the last flush, maybe a part of a frame.
    is_dirty: bool,
    /// The network takes nothing at the moment.
    is_blocked: bool,
    pause: Option<Pin<Box<Sleep>>>,
    pub(super) client_is_done: bool,
    /// When a client that has ended its side is asked the next time whether it is still there.
    asking: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl Socket {
    pub(super) fn new(stream: Stream, connection: Arc<ConnectionState>) -> Self {
        Self {
            stream,
            connection,
            ahead: Vec::new(),
            taken: 0,
            withheld: Vec::new(),
            streams: None,
            quiet: None,
            is_dirty: false,
            is_blocked: false,
            pause: None,
            client_is_done: false,
            asking: None,
        }
    }

    /// Reads until the bytes are `sought` or can't become it any more, and says whether they are it. They are read
    /// again by whoever reads next.
    pub(super) async fn begins_with(&mut self, sought: &[u8]) -> io::Result<bool> {
        loop {
            let known = self.ahead.len().min(sought.len());
            if self.ahead.get(..known) != sought.get(..known) {
                return Ok(false);
            }
            if known == sought.len() {
                return Ok(true);
            }
            if poll_fn(|context| self.poll_ahead(context)).await? == 0 {
                return Ok(false);
            }
        }
    }

    /// What was read and not taken yet.
    pub(super) fn ahead(&self) -> &[u8] {
        self.ahead.get(self.taken..).unwrap_or_default()
    }

    /// So much of what was read ahead is done with.
    pub(super) fn take(&mut self, count: usize) {
        self.taken += count;
        if self.taken >= self.ahead.len() {
            self.ahead.clear();
            self.taken = 0;
            // Memory for a large body is not held for the sake of the next.
            self.ahead.shrink_to(ROOM);
        }
    }

    /// Reads on, and says how many bytes there were. With none, the client is done.
    pub(super) fn poll_ahead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.ahead.capacity() - self.ahead.len() < MIN_ROOM {
            self.ahead.drain(..self.taken);
            self.taken = 0;
            self.ahead.reserve(ROOM);
        }
        let count = ready!(pin!(self.stream.read_buf(&mut self.ahead)).poll(context))?;
        self.client_is_done = count == 0;
        Poll::Ready(Ok(count))
    }

    /// Lets the kernel reset the connection when it is dropped.
    pub(super) fn reset_on_drop(&self) {
        let tcp = match &self.stream {
            Either::Left(tcp) => tcp,
            Either::Right(tls) => tls.get_ref().0,
        };
        // A socket that is gone already needs no reset.
        let _ = tcp.set_zero_linger();
    }

    /// Reads what the client still sends and forgets it, until the client is done.
    pub(super) async fn drain(&mut self) {
        let mut bin = vec![0; 16 * 1024];
        while !self.client_is_done {
            self.client_is_done = !matches!(self.stream.read(&mut bin).await, Ok(1..));
        }
    }

    /// Ends our side of the connection.
    pub(super) async fn finish(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// Writes these bytes past hyper.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Finds out while a response is waited for whether the client has gone. One that has ended its side alone still wants
    /// its reply; the two look the same until something is sent.
    fn watch(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        while !self.client_is_done && self.ahead().len() < ROOM {
            match self.poll_ahead(context) {
                Poll::Ready(outcome) => drop(outcome?),
                Poll::Pending => return Ok(()),
            }
        }
        if self.client_is_done { self.ask(context, STILL_AT_IT) } else { Ok(()) }
    }

    /// Asks a client that has ended its side, now and then, whether it is still there.
    fn ask(&mut self, context: &mut Context<'_>, question: &[u8]) -> io::Result<()> {
        loop {
            let (time, timer) =
                self.asking.get_or_insert_with(|| (ASK_AFTER.0, Box::pin(sleep(ASK_AFTER.0))));
            if timer.as_mut().poll(context).is_pending() {
                return Ok(());
            }
            let next = (*time * 2).min(ASK_AFTER.1);
            self.asking = Some((next, Box::pin(sleep(next))));
            if self.is_dirty {
                // A client that takes nothing is asked by what it is sent.
                continue;
            }
            // It is short, and nothing stands before it: it is written whole, or there is nobody to read it.
            if let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write(context, question)
                && written? != question.len()
            {
                return Err(io::ErrorKind::WriteZero.into());
            }
            if let Poll::Ready(flushed) = Pin::new(&mut self.stream).poll_flush(context) {
                flushed?;
            }
        }
    }

    /// The client has ended its side. hyper would end all streams of HTTP/2 at once if it knew, so it is told when their
    /// replies are written.
    fn poll_streams(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(streams) = &self.streams else { return Poll::Ready(Ok(())) };
        match streams.poll_none(context) {
            Poll::Pending => self.ask(context, STILL_AT_STREAMS)?,
            Poll::Ready(begun) if self.quiet == Some(begun) => return Poll::Ready(Ok(())),
            Poll::Ready(begun) => {
                // A request that was just read may become a stream, and the last reply has to be written.
                self.quiet = Some(begun);
                if !self.is_blocked {
                    context.waker().wake_by_ref();
                }
            }
        }
        Poll::Pending
    }

    /// Looks at what hyper reads next.
    fn handed_over(&self, bytes: &mut [u8]) {
        if self.connection.is(ConnectionPhase::Idle) {
            request_rules::drop_empty_codings(bytes);
        }
        self.connection.remember(bytes);
        self.connection.received();
    }

    /// A piece of a dribbled reply, once the pause before it is over.
    fn poll_piece(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
        (chunk, pause): Dribble,
    ) -> Poll<io::Result<usize>> {
        if let Some(waiting) = &mut self.pause {
            ready!(waiting.as_mut().poll(context));
            self.pause = None;
        }
        let piece = bytes.get(..chunk.max(1)).unwrap_or(bytes);
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, piece))?;
        if !pause.is_zero() {
            self.pause = Some(Box::pin(sleep(pause)));
        }
        Poll::Ready(Ok(written))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let ahead = this.ahead();
        if !ahead.is_empty() {
            let count = ahead.len().min(into.remaining());
            into.put_slice(&ahead[..count]);
            this.take(count);
            let before = into.filled().len() - count;
            this.handed_over(&mut into.filled_mut()[before..]);
            return Poll::Ready(Ok(()));
        }
        if this.client_is_done && this.streams.is_some() {
            return this.poll_streams(context);
        }
        let before = into.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, into))?;
        if into.filled().len() == before {
            this.client_is_done = true;
            return this.poll_streams(context);
        }
        this.handed_over(&mut into.filled_mut()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.connection.is(ConnectionPhase::Idle) {
            for slice in slices {
                this.withheld.extend_from_slice(slice);
            }
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        if let Some(dribble) = this.connection.dribble() {
            let bytes = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
            return this.poll_piece(context, bytes, dribble);
        }
        this.quiet = None;
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.is_blocked = written.is_pending();
        this.is_dirty |= written.is_ready();
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.stream).poll_flush(context))?;
        if std::mem::take(&mut this.is_dirty) && this.client_is_done && this.streams.is_some() {
            // The last reply may be written now.
            context.waker().wake_by_ref();
        }
        this.connection.flushed();
        if this.connection.awaits_response.load(Relaxed) {
            this.watch(context)?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
