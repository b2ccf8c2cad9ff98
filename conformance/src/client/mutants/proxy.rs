//! The proxy between the provisioner and the mock, which applies the changes of a mutant.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::file::{Change, Edit, ExtraRequest, Mutant, Sending};
use super::wire::{Answer, Message};
use crate::client::recording::RecordedExchange;
use crate::mutants::edit;

/// A proxy in front of the mock, which ends when dropped.
pub(super) struct Proxy {
    address: SocketAddr,
    serving: AbortHandle,
}

struct Front {
    changes: Vec<Change>,
    /// The mock, and the path of its SCIM URL.
    upstream: SocketAddr,
    base: String,
    token: String,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// The number of matching requests of each change.
    counts: HashMap<usize, usize>,
    /// The answer to the last write of a user, by the request's path.
    written: HashMap<String, Answer>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Proxy {
    /// Starts the proxy in front of a mock at `url`.
    pub(super) async fn start(mutant: &Mutant, url: &str, token: &str) -> io::Result<Self> {
        let bad = || io::Error::other(format!("{url} is no URL of the mock"));
        let rest = url.strip_prefix("http://").ok_or_else(bad)?;
        let (host, base) = rest.split_at(rest.find('/').ok_or_else(bad)?);
        let upstream = host.parse().map_err(|_| bad())?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let front = Arc::new(Front {
            changes: mutant.change.clone(),
            upstream,
            base: base.to_owned(),
            token: token.to_owned(),
            memory: Mutex::default(),
        });
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let front = front.clone();
                tokio::spawn(async move { front.serve(stream).await });
            }
        });
        Ok(Self { address, serving: serving.abort_handle() })
    }

    /// Returns the base URL for the provisioner; `url` is the mock's.
    pub(super) fn url(&self, url: &str) -> String {
        let path = url.strip_prefix("http://").and_then(|rest| rest.find('/').map(|at| &rest[at..]));
        format!("http://{}{}", self.address, path.unwrap_or_default())
    }
}

impl Front {
    /// Serves one request a connection: the client opens another one for the next.
    async fn serve(&self, mut stream: TcpStream) {
        let Ok(Some(message)) = Message::read(&mut stream).await else { return };
        let answer = self.handle(message).await;
        // An answer that did not come, or not whole, is passed on as it is.
        drop(stream.write_all(&answer.0).await);
        drop(stream.shutdown().await);
    }

    async fn handle(&self, came: Message) -> Answer {
        let recorded = self.recorded(&came, None);
        let meant: Vec<&Change> = self.meant(&recorded);
        let mut message = came.clone();
        for edit in meant.iter().flat_map(|change| &change.edits) {
            self.edit(edit, &mut message, &recorded);
        }
        for extra in meant.iter().flat_map(|change| &change.first) {
            self.extra(extra, &message, &recorded).await;
        }
        let answer = self.answer(&meant, &message, &recorded).await;
        let answered = self.recorded(&came, Some(&answer));
        for change in meant.iter().filter(|change| change.when.fits_answer(&answered)) {
            for extra in &change.then {
                self.extra(extra, &message, &recorded).await;
            }
        }
        if recorded.is_write() && answered.succeeded() {
            let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            memory.written.insert(recorded.path().to_owned(), answer.clone());
        }
        answer
    }

    async fn answer(&self, meant: &[&Change], message: &Message, recorded: &RecordedExchange) -> Answer {
        let sent =
            |pick: fn(&Sending) -> bool| meant.iter().any(|change| change.sending.as_ref().is_some_and(pick));
        if let Some(status) = meant.iter().find_map(|change| match change.sending {
            Some(Sending::Instead(status)) => Some(status),
            _ => None,
        }) {
            return Answer::bare(status);
        }
        if sent(|sending| matches!(sending, Sending::Pretend(true))) {
            let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(answer) = memory.written.get(recorded.path()) {
                return answer.clone();
            }
        }
        if sent(|sending| matches!(sending, Sending::Recreate(true))) {
            let delete = Message { method: "DELETE".to_owned(), body: String::new(), ..message.clone() };
            delete.send(self.upstream).await;
            let target = format!("{}/Users", self.base);
            let post = Message { method: "POST".to_owned(), target, ..message.clone() };
            return post.send(self.upstream).await;
        }
        if sent(|sending| matches!(sending, Sending::Twice(true))) {
            message.send(self.upstream).await;
        }
        let mut answer = message.send(self.upstream).await;
        for change in meant {
            let Some(Sending::Again(times)) = change.sending else { continue };
            for _ in 0..times {
                if !change.when.fits_answer(&self.recorded(message, Some(&answer))) {
                    break;
                }
                // Not at the very same instant, so that the journal keeps the order of what follows what.
                tokio::time::sleep(Duration::from_millis(1)).await;
                answer = message.send(self.upstream).await;
            }
        }
        answer
    }

    fn meant(&self, recorded: &RecordedExchange) -> Vec<&Change> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let mut meant = Vec::new();
        for (index, change) in
            self.changes.iter().enumerate().filter(|(_, change)| change.when.fits_request(recorded))
        {
            let count = memory.counts.entry(index).or_default();
            *count += 1;
            if *count > change.after && change.times.is_none_or(|times| *count <= change.after + times) {
                meant.push(change);
            }
        }
        meant
    }

    fn edit(&self, edit: &Edit, message: &mut Message, recorded: &RecordedExchange) {
        match edit {
            Edit::DropHeader(names) => {
                message.headers.retain(|(name, _)| !names.iter().any(|drop| drop.eq_ignore_ascii_case(name)));
            }
            Edit::SetHeader(fields) => {
                for (name, value) in fields {
                    message.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
                    message.headers.push((name.clone(), value.clone()));
                }
            }
            Edit::Method(method) => message.method.clone_from(method),
            Edit::Id(id) => message.set_path(&format!("{}/Users/{}", self.base, self.filled(id, recorded))),
            Edit::Path(path) => message.set_path(&format!("{}{}", self.base, self.filled(path, recorded))),
            Edit::InQuery(words) => {
                if let Some((path, query)) = message.target.split_once('?') {
                    let query = words
                        .iter()
                        .fold(query.to_owned(), |query, (from, to)| query.replace(from.as_str(), to));
                    message.target = format!("{path}?{query}");
                }
            }
            Edit::AddQuery(added) => {
                let sign = if message.target.contains('?') { '&' } else { '?' };
                append!(message.target, "{sign}{}", self.filled(added, recorded));
            }
            Edit::Body(body) => message.body.clone_from(body),
            Edit::BodyRemove(pointers) => message.edit_json(|json| {
                for pointer in pointers {
                    edit::remove(json, pointer);
                }
            }),
            Edit::BodySet(values) => message.edit_json(|json| edit::set(json, values)),
            Edit::InBody(words) => {
                for (from, to) in words {
                    message.body = message.body.replace(from.as_str(), to);
                }
            }
        }
    }

    /// Sends a further request with the credentials of the one that it goes with.
    async fn extra(&self, extra: &ExtraRequest, message: &Message, recorded: &RecordedExchange) {
        let body = extra.body.as_ref().map(|body| self.filled(body, recorded)).unwrap_or_default();
        let target = format!("{}{}", self.base, self.filled(&extra.path, recorded));
        let extra = Message { method: extra.method.clone(), target, headers: message.headers.clone(), body };
        extra.send(self.upstream).await;
    }

    fn filled(&self, text: &str, recorded: &RecordedExchange) -> String {
        let body = recorded.body.as_ref().map(Value::to_string).unwrap_or_default();
        text.replace("{{id}}", &recorded.user_id().unwrap_or_default())
            .replace("{{token}}", &self.token)
            .replace("{{body}}", &body)
    }

    fn recorded(&self, message: &Message, answer: Option<&Answer>) -> RecordedExchange {
        let target = message.target.strip_prefix(&self.base).unwrap_or(&message.target);
        let text = (!message.body.is_empty()).then_some(&message.body);
        RecordedExchange {
            at: None,
            took: Duration::ZERO,
            method: message.method.clone(),
            target: target.to_owned(),
            base: self.base.clone(),
            headers: message.headers.clone(),
            body: text.map(|text| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()))),
            status: answer.and_then(Answer::status),
            answer_headers: Vec::new(),
            answer: None,
        }
    }
}
