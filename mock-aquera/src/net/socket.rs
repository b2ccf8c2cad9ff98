//! The bytes between hyper and the network.

use std::cell::RefCell;
use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;

use super::turn::Turn;
use super::wire::{Line, Phase};

/// What is written is copied together up to here, in bytes: the kernel takes one piece faster than two, by more than
/// the copy costs.
const MAX_JOINED: usize = 4096;

thread_local! {
    static JOINED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lets something be done with small slices as one.
fn joined<T>(slices: &[IoSlice<'_>], work: impl FnOnce(&[u8]) -> T) -> Option<T> {
    let length: usize = slices.iter().map(|slice| slice.len()).sum();
    if length > MAX_JOINED {
        return None;
    }
    JOINED.with_borrow_mut(|whole| {
        whole.clear();
        for slice in slices {
            whole.extend_from_slice(slice);
        }
        Some(work(whole))
    })
}

/// A connection, encrypted or not.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Lets the kernel reset the connection when it is dropped.
    pub(super) fn reset_on_drop(&self) {
        let tcp = match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        };
        // A socket that is gone already needs no reset.
        let _ = tcp.set_zero_linger();
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(context, into),
            Self::Tls(tls) => Pin::new(tls).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Self::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => joined(slices, |whole| Pin::new(&mut *tcp).poll_write(context, whole))
                .unwrap_or_else(|| Pin::new(tcp).poll_write_vectored(context, slices)),
            Self::Tls(tls) => Pin::new(tls).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(tcp) => tcp.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Self::Tls(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}

/// What hyper reads from and writes to.
///
/// It withholds the replies that hyper makes up by itself, cuts a dribbled reply in pieces, and never closes the
/// connection: whoever drives it does that.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) stream: Stream,
    line: Arc<Line>,
    /// Read ahead to find out the protocol, and where hyper is in it.
    ahead: Vec<u8>,
    consumed: usize,
    /// What hyper wrote while no request was in flight.
    pub(super) withheld: Vec<u8>,
    pause: Option<Pin<Box<Sleep>>>,
    turn: Turn,
    pub(super) client_is_done: bool,
}

impl Socket {
    pub(super) fn new(stream: Stream, line: Arc<Line>) -> Self {
        Self {
            stream,
            line,
            ahead: Vec::new(),
            consumed: 0,
            withheld: Vec::new(),
            pause: None,
            turn: Turn::default(),
            client_is_done: false,
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
            if self.stream.read_buf(&mut self.ahead).await? == 0 {
                return Ok(false);
            }
        }
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

    /// A piece of a dribbled reply, once the pause before it is over.
    fn poll_piece(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
        (chunk, pause): super::wire::Dribble,
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
        if let Some(ahead) = this.ahead.get(this.consumed..)
            && !ahead.is_empty()
        {
            let taken = ahead.len().min(into.remaining());
            into.put_slice(&ahead[..taken]);
            this.consumed += taken;
            this.line.received();
            return Poll::Ready(Ok(()));
        }
        let before = into.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, into))?;
        if into.filled().len() == before {
            this.client_is_done = true;
        } else {
            this.turn.take();
            this.line.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.line.is(Phase::Idle) {
            this.withheld.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        if let Some(dribble) = this.line.dribble() {
            return this.poll_piece(context, bytes, dribble);
        }
        ready!(this.turn.poll(this.line.has_company(), context));
        Pin::new(&mut this.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.line.is(Phase::Idle) {
            for slice in slices {
                this.withheld.extend_from_slice(slice);
            }
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        if let Some(dribble) = this.line.dribble() {
            let bytes = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
            return this.poll_piece(context, bytes, dribble);
        }
        ready!(this.turn.poll(this.line.has_company(), context));
        Pin::new(&mut this.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.stream).poll_flush(context))?;
        this.line.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
