//! The layer between the provisioner and the mock, which carries out what is wrong with a mutant.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::file::{Change, Mutant};
use super::wire::{Answer, Message};
use crate::client::recorded::Recorded;
use crate::mutants::edit;

/// The layer. Dropping it ends it.
pub(super) struct Layer {
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
    /// How often each change was meant.
    counts: HashMap<usize, usize>,
    /// What the last write of a user answered, by the request's path.
    written: HashMap<String, Answer>,
}

impl Drop for Layer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Layer {
    /// Starts the layer in front of a mock at `url`.
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

    /// Where the provisioner finds it; `url` is the mock's.
    pub(super) fn url(&self, url: &str) -> String {
        let path = url.strip_prefix("http://").and_then(|rest| rest.find('/').map(|at| &rest[at..]));
        format!("http://{}{}", self.address, path.unwrap_or_default())
    }
}

impl Front {
    /// One request a connection: the client opens another one for the next.
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
        for change in &meant {
            self.change(change, &mut message, &recorded);
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

    async fn answer(&self, meant: &[&Change], message: &Message, recorded: &Recorded) -> Answer {
        if let Some(status) = meant.iter().find_map(|change| change.instead) {
            return Answer::bare(status);
        }
        if meant.iter().any(|change| change.pretend) {
            let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(answer) = memory.written.get(recorded.path()) {
                return answer.clone();
            }
        }
        if meant.iter().any(|change| change.recreate) {
            let delete = Message { method: "DELETE".to_owned(), body: String::new(), ..message.clone() };
            delete.send(self.upstream).await;
            let target = format!("{}/Users", self.base);
            let post = Message { method: "POST".to_owned(), target, ..message.clone() };
            return post.send(self.upstream).await;
        }
        if meant.iter().any(|change| change.twice) {
            message.send(self.upstream).await;
        }
        let mut answer = message.send(self.upstream).await;
        for change in meant {
            for _ in 0..change.again {
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

    fn meant(&self, recorded: &Recorded) -> Vec<&Change> {
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

    fn change(&self, change: &Change, message: &mut Message, recorded: &Recorded) {
        message
            .headers
            .retain(|(name, _)| !change.drop_header.iter().any(|drop| drop.eq_ignore_ascii_case(name)));
        for (name, value) in &change.set_header {
            message.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            message.headers.push((name.clone(), value.clone()));
        }
        if let Some(method) = &change.method {
            message.method.clone_from(method);
        }
        let (path, query) = match message.target.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (message.target.clone(), None),
        };
        let path = match (&change.path, &change.id) {
            (Some(path), _) => format!("{}{}", self.base, self.filled(path, recorded)),
            (None, Some(id)) => format!("{}/Users/{}", self.base, self.filled(id, recorded)),
            (None, None) => path,
        };
        let query = query.map(|query| {
            change.in_query.iter().fold(query, |query, (from, to)| query.replace(from.as_str(), to))
        });
        let added = change.add_query.as_ref().map(|added| self.filled(added, recorded));
        let queries: Vec<String> = query.into_iter().chain(added).collect();
        message.target = if queries.is_empty() { path } else { format!("{path}?{}", queries.join("&")) };
        if let Some(body) = &change.body {
            message.body.clone_from(body);
        }
        if (!change.body_remove.is_empty() || !change.body_set.is_empty())
            && let Ok(mut json) = serde_json::from_str::<Value>(&message.body)
        {
            change.body_remove.iter().for_each(|pointer| edit::remove(&mut json, pointer));
            edit::set(&mut json, &change.body_set);
            message.body = json.to_string();
        }
        for (from, to) in &change.in_body {
            message.body = message.body.replace(from.as_str(), to);
        }
    }

    /// Sends a further request with the credentials of the one that it goes with.
    async fn extra(&self, text: &str, message: &Message, recorded: &Recorded) {
        let mut parts = text.splitn(3, ' ');
        let (method, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let body = parts.next().map(|body| self.filled(body, recorded)).unwrap_or_default();
        let target = format!("{}{}", self.base, self.filled(path, recorded));
        let extra = Message { method: method.to_owned(), target, headers: message.headers.clone(), body };
        extra.send(self.upstream).await;
    }

    fn filled(&self, text: &str, recorded: &Recorded) -> String {
        let body = recorded.body.as_ref().map(Value::to_string).unwrap_or_default();
        text.replace("{{id}}", &recorded.user_id().unwrap_or_default())
            .replace("{{token}}", &self.token)
            .replace("{{body}}", &body)
    }

    fn recorded(&self, message: &Message, answer: Option<&Answer>) -> Recorded {
        let target = message.target.strip_prefix(&self.base).unwrap_or(&message.target);
        let text = (!message.body.is_empty()).then_some(&message.body);
        Recorded {
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
