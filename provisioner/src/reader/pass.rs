//! One reading of a paged source from its beginning, and the proof that it was whole.

use std::collections::HashSet;

use serde_json::Value;

use crate::source::{RemoteProblem, SourceProblem, SourceUser, UniqueIds, user};

/// Times that a source is read before its contradictions are an error.
pub(super) const READS: u32 = 3;

/// A contradiction between pages: the source changed while it was read, or its server says what is not so.
#[derive(Debug)]
pub(super) struct Contradiction(pub(super) String);

/// What ended a page: an error, or a contradiction that another reading may not have.
pub(super) enum PageProblem {
    Contradiction(String),
    Problem(SourceProblem),
}

impl From<Contradiction> for PageProblem {
    fn from(Contradiction(what): Contradiction) -> Self {
        Self::Contradiction(what)
    }
}

impl From<SourceProblem> for PageProblem {
    fn from(problem: SourceProblem) -> Self {
        Self::Problem(problem)
    }
}

impl From<RemoteProblem> for PageProblem {
    fn from(problem: RemoteProblem) -> Self {
        Self::Problem(problem.into())
    }
}

/// The pages so far.
#[derive(Default)]
pub(super) struct Pass {
    ids: UniqueIds,
    pages: HashSet<String>,
    users: u64,
    total: Option<u64>,
}

impl Pass {
    /// Begins the page at an address or cursor.
    pub(super) fn begin_page(&mut self, address: &str) -> Result<(), Contradiction> {
        if self.pages.insert(address.to_owned()) {
            return Ok(());
        }
        Err(Contradiction("a page leads back to an earlier one".to_owned()))
    }

    /// Returns the number of pages so far.
    pub(super) fn pages(&self) -> usize {
        self.pages.len()
    }

    /// Takes the total that a page names.
    pub(super) fn total(&mut self, total: u64) -> Result<(), Contradiction> {
        match self.total.replace(total) {
            Some(before) if before != total => Err(Contradiction(format!(
                "the number of users was {before} on one page and {total} on the next"
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// Takes the users of a page.
    pub(super) fn users(&mut self, resources: Vec<Value>) -> Result<Vec<SourceUser>, PageProblem> {
        let mut users = Vec::with_capacity(resources.len());
        for resource in resources {
            let user = user(resource, 0)?;
            if self.ids.insert(&user).is_some() {
                let what = format!("the user with id {:?} was there twice", user.id.as_str());
                return Err(PageProblem::Contradiction(what));
            }
            users.push(user);
        }
        self.users += users.len() as u64;
        Ok(users)
    }

    /// Returns the number of users so far.
    pub(super) const fn count(&self) -> u64 {
        self.users
    }

    /// Whether a page named the number of all users.
    pub(super) const fn has_total(&self) -> bool {
        self.total.is_some()
    }

    /// Returns whether fewer users came so far than the server has; `None` if it tells no total.
    pub(super) fn is_short(&self) -> Option<bool> {
        self.total.map(|total| self.users < total)
    }

    /// Whether all users came, after the last page.
    pub(super) fn end(&self) -> Result<(), Contradiction> {
        match self.total {
            Some(total) if total != self.users => {
                Err(Contradiction(format!("the server counts {total} users and listed {}", self.users)))
            }
            Some(_) | None => Ok(()),
        }
    }
}
