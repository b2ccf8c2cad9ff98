//! The cells of the matrix: every combination that is run, each with a stable name.

use crate::matrix::groups::{GroupTarget, GroupTrial, SCENARIOS};
use crate::matrix::model::{Behaviour, Method, builtins};
use crate::matrix::scenario::faults::{Operation, Struck};
use crate::matrix::scenario::{self, Scenario, everything};
use crate::matrix::setting::{RemoveAction, Setting};
use crate::select::Selectable;

/// The connection profile: how the provisioner shows who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Auth {
    /// User and password.
    Basic,
    /// A token.
    Bearer,
}

impl Auth {
    /// Both authentications.
    pub const ALL: [Self; 2] = [Self::Basic, Self::Bearer];

    /// Returns the word in cell ids.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Bearer => "bearer",
        }
    }
}

/// The subject of a cell.
#[derive(Debug, Clone, Copy)]
pub enum Trial {
    /// A setting that must be refused.
    Refusal,
    /// Wrong credentials: nothing but the connection test may be sent.
    Credentials(Target),
    /// A scenario.
    Scenario(Target, Scenario),
    /// A scenario, and ten runs after it that must find nothing new.
    Rest(Target, Scenario),
    /// A fault that strikes an operation.
    Fault(Target, Struck),
    /// Groups.
    Groups(GroupTrial),
}

/// Against what, and how.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The connection profile.
    pub auth: Auth,
    /// `update-method`.
    pub method: Method,
    /// The profile of the mock.
    pub profile: Behaviour,
}

/// A cell of the matrix.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    /// The preferences.
    pub setting: Setting,
    /// The subject of the cell.
    pub trial: Trial,
}

/// The kinds that are counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A basic scenario.
    Matrix,
    /// A cell of the other sequences.
    Sequence,
    /// A setting that must be refused.
    Refusal,
    /// Wrong credentials.
    Credentials,
    /// Ten runs in a row.
    Rest,
    /// A fault.
    Fault,
    /// Groups.
    Groups,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Matrix,
        Self::Sequence,
        Self::Refusal,
        Self::Credentials,
        Self::Rest,
        Self::Fault,
        Self::Groups,
    ];

    /// Returns the word in `--select`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Matrix => "matrix",
            Self::Sequence => "sequence",
            Self::Refusal => "refusal",
            Self::Credentials => "credentials",
            Self::Rest => "rest",
            Self::Fault => "fault",
            Self::Groups => "groups",
        }
    }
}

/// Scenarios once more, with everything on: after the last run ten more find nothing new. Every scenario under every
/// profile; or the basic ones, and each of the others under a third of the profiles; or, of those profiles that differ in
/// attributes alone, each of the basic ones and of the scenarios about attributes under a third, and the others under a
/// ninth. Remove Action *Delete* and *Disable* take turns where a scenario fits both.
fn rests(extent: Extent) -> impl Iterator<Item = Cell> {
    let scenarios = scenario::all();
    let settings = [Operation::Delete, Operation::RemoveByDisable].map(Operation::setting);
    builtins().iter().enumerate().flat_map(move |(turn, profile)| {
        let target = Target { auth: Auth::Bearer, method: Method::Auto, profile: *profile };
        let cells: Vec<Cell> = scenarios
            .iter()
            .enumerate()
            .filter(|(number, scenario)| {
                let nth = match (profile.of_attributes, scenario.basic, scenario.of_attributes) {
                    (false, true, _) => 1,
                    (false, false, _) | (true, true, _) | (true, _, true) => 3,
                    (true, false, false) => 9,
                };
                extent == Extent::Every || (turn + number).is_multiple_of(nth)
            })
            .filter_map(|(number, scenario)| {
                let (first, second) = (settings[(turn + number) % 2], settings[(turn + number + 1) % 2]);
                let setting = [first, second].into_iter().find(|setting| (scenario.fits)(*setting))?;
                Some(Cell { setting, trial: Trial::Rest(target, *scenario) })
            })
            .collect();
        cells
    })
}

/// Returns every fault against every operation and method, at a target without peculiarities.
fn faults() -> impl Iterator<Item = Cell> {
    Struck::all().into_iter().flat_map(|struck| {
        Method::ALL.into_iter().map(move |method| {
            let target = Target { auth: Auth::Bearer, method, profile: builtins()[0] };
            Cell { setting: struck.operation.setting(), trial: Trial::Fault(target, struck) }
        })
    })
}

/// A scenario on its way through the settings.
struct Turns {
    scenario: Scenario,
    /// The number among the scenarios.
    number: usize,
    /// Number of settings that fit it.
    fitting: usize,
    /// Number of these that have passed.
    passed: usize,
}

impl Turns {
    fn of((number, scenario): (usize, Scenario)) -> Self {
        let fitting = Setting::valid().into_iter().filter(|setting| (scenario.fits)(*setting)).count();
        Self { scenario, number, fitting: fitting.max(1), passed: 0 }
    }

    fn play(&self, extent: Extent, setting: Setting, target: Target, profile: usize) -> bool {
        if !(self.scenario.fits)(setting) {
            return false;
        }
        let turn = self.passed + profile + self.number;
        let few = target.profile.of_attributes;
        if self.scenario.basic {
            let turn = turn + target.method as usize;
            let its_turn = target.auth == Auth::ALL[turn % Auth::ALL.len()] && (!few || everything(setting));
            return extent == Extent::Every || its_turn;
        }
        let its_turn = target.method == Method::ALL[turn % Method::ALL.len()];
        let its_turn = match (few, self.scenario.of_attributes) {
            (false, _) => its_turn,
            (true, true) => true,
            // Once: the settings take turns from one profile to the next.
            (true, false) => its_turn && self.passed == (profile + self.number) % self.fitting,
        };
        target.auth == Auth::Bearer && (extent == Extent::Every || its_turn)
    }

    fn pass(&mut self, setting: Setting) {
        self.passed += usize::from((self.scenario.fits)(setting));
    }
}

/// The combinations of scenarios to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All combinations.
    Every,
    /// Each setting with each profile and each scenario; with these, the authentications take turns in basic scenarios
    /// (under each method), and the methods in the other sequences; and of these a third has ten runs more. A profile that
    /// differs in attributes alone meets basic scenarios with everything on, scenarios about attributes under each method,
    /// and each of the others once.
    InTurns,
}

impl Cell {
    /// Returns the cells, in a stable order.
    pub fn all(extent: Extent) -> Vec<Self> {
        let refused = Setting::all().into_iter().filter(|setting| !setting.contradictions().is_empty());
        let mut cells: Vec<Self> = refused.map(|setting| Self { setting, trial: Trial::Refusal }).collect();
        for (number, profile) in builtins().iter().copied().enumerate() {
            let mut scenarios: Vec<Turns> = scenario::all().into_iter().enumerate().map(Turns::of).collect();
            for setting in Setting::valid() {
                for (auth, method) in
                    Auth::ALL.into_iter().flat_map(|auth| Method::ALL.map(|method| (auth, method)))
                {
                    let target = Target { auth, method, profile };
                    if extent == Extent::Every || !profile.of_attributes {
                        cells.push(Self { setting, trial: Trial::Credentials(target) });
                    }
                    let played = scenarios.iter().filter(|turns| turns.play(extent, setting, target, number));
                    cells.extend(
                        played.map(|turns| Self { setting, trial: Trial::Scenario(target, turns.scenario) }),
                    );
                }
                for turns in &mut scenarios {
                    turns.pass(setting);
                }
            }
        }
        cells.extend(faults());
        let setting = Operation::Delete.setting();
        let groups = GroupTrial::all(extent == Extent::Every).into_iter();
        cells.extend(groups.map(|trial| Self { setting, trial: Trial::Groups(trial) }));
        cells.extend(rests(extent));
        cells
    }

    /// Returns the stable name.
    pub fn id(&self) -> String {
        let setting = self.setting;
        let place = |Target { auth, method, profile }: Target| {
            format!("{setting}/{}/{}/{}", auth.as_str(), method.as_str(), profile.name)
        };
        match self.trial {
            Trial::Refusal => format!("refusal/{setting}"),
            Trial::Credentials(target) => format!("credentials/{}", place(target)),
            Trial::Scenario(target, scenario) => format!("matrix/{}/{}", place(target), scenario.slug),
            Trial::Rest(target, scenario) => format!("rest/{}/{}", place(target), scenario.slug),
            Trial::Fault(target, struck) => format!(
                "fault/{}/{}/{}/{}",
                struck.fault(),
                struck.operation.as_str(),
                target.method.as_str(),
                struck.times()
            ),
            Trial::Groups(trial) => trial.id(),
        }
    }

    /// Returns the title in words.
    pub fn title(&self) -> String {
        match self.trial {
            Trial::Refusal => "a contradicting setting is refused, every option at fault named".to_owned(),
            Trial::Credentials(_) => "wrong credentials: only the connection test is sent".to_owned(),
            Trial::Scenario(_, scenario) => scenario.title.to_owned(),
            Trial::Rest(_, scenario) => format!("{}; then ten runs that find nothing new", scenario.title),
            Trial::Fault(_, struck) => format!(
                "{} meets {}, {}; then a run without it",
                struck.operation.as_str(),
                struck.fault(),
                struck.times()
            ),
            Trial::Groups(trial) => trial.scenario.title.to_owned(),
        }
    }

    /// Returns the kind by which it is counted.
    pub fn kind(&self) -> Kind {
        match self.trial {
            Trial::Refusal => Kind::Refusal,
            Trial::Credentials(_) => Kind::Credentials,
            Trial::Scenario(_, scenario) if scenario.basic => Kind::Matrix,
            Trial::Scenario(_, _) => Kind::Sequence,
            Trial::Rest(_, _) => Kind::Rest,
            Trial::Fault(_, _) => Kind::Fault,
            Trial::Groups(_) => Kind::Groups,
        }
    }

    /// Returns the target, or `None` for a refusal and a cell about groups, whose targets are of another kind.
    pub fn target(&self) -> Option<Target> {
        match self.trial {
            Trial::Refusal | Trial::Groups(_) => None,
            Trial::Credentials(target)
            | Trial::Scenario(target, _)
            | Trial::Rest(target, _)
            | Trial::Fault(target, _) => Some(target),
        }
    }

    /// Returns the scenario, if there is one.
    pub fn scenario(&self) -> Option<Scenario> {
        match self.trial {
            Trial::Refusal | Trial::Credentials(_) | Trial::Fault(_, _) | Trial::Groups(_) => None,
            Trial::Scenario(_, scenario) | Trial::Rest(_, scenario) => Some(scenario),
        }
    }

    /// Returns the fault, if the cell is about one.
    pub fn struck(&self) -> Option<Struck> {
        match self.trial {
            Trial::Fault(_, struck) => Some(struck),
            Trial::Refusal
            | Trial::Credentials(_)
            | Trial::Scenario(_, _)
            | Trial::Rest(_, _)
            | Trial::Groups(_) => None,
        }
    }

    /// Returns the value of a property in selections, or `None` if the cell lacks the property.
    pub(crate) fn property(&self, name: &str) -> Option<String> {
        let switch = |on: bool| Some(if on { "on" } else { "off" }.to_owned());
        let Setting { creation, updation, disable, deprovision, remove_action, on_rule_deletion } =
            self.setting;
        match name {
            "id" => Some(self.id()),
            "kind" => Some(self.kind().as_str().to_owned()),
            "setting" => Some(self.setting.slug()),
            "auth" => self.target().map(|target| target.auth.as_str().to_owned()),
            "method" => self.target().map(|target| target.method.as_str().to_owned()),
            "profile" => match self.trial {
                Trial::Groups(trial) => Some(trial.target.as_str().to_owned()),
                _ => self.target().map(|target| target.profile.name.to_owned()),
            },
            "scenario" => match self.trial {
                Trial::Groups(trial) => Some(trial.scenario.slug.to_owned()),
                _ => self.scenario().map(|scenario| scenario.slug.to_owned()),
            },
            "fault" => self.struck().map(Struck::fault),
            "operation" => self.struck().map(|struck| struck.operation.as_str().to_owned()),
            "times" => self.struck().map(|struck| struck.times().to_owned()),
            "create" => switch(creation),
            "update" => switch(updation),
            "disable" => switch(disable),
            "deprovision" => switch(deprovision),
            "remove-action" => {
                let written = deprovision || remove_action == RemoveAction::Disable;
                written.then(|| remove_action.as_str().to_owned())
            }
            "rule-deletion" => switch(on_rule_deletion),
            _ => None,
        }
    }

    /// Returns the command line that runs this cell alone.
    pub fn command(&self) -> String {
        format!("cargo run --release -p conformance -- matrix --select 'id={}'", self.id())
    }
}

impl Selectable for Cell {
    fn properties() -> Vec<(&'static str, Vec<String>)> {
        properties()
    }

    fn has(&self, name: &str, fits: &dyn Fn(&str) -> bool) -> bool {
        self.property(name).is_some_and(|value| fits(&value))
    }
}

fn properties() -> Vec<(&'static str, Vec<String>)> {
    let switch = || vec!["on".to_owned(), "off".to_owned()];
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    vec![
        ("id", Vec::new()),
        ("kind", Kind::ALL.iter().map(|kind| kind.as_str().to_owned()).collect()),
        ("setting", Setting::all().into_iter().map(Setting::slug).collect()),
        ("auth", words(&Auth::ALL.map(Auth::as_str))),
        ("method", words(&Method::ALL.map(Method::as_str))),
        ("profile", profile_words()),
        ("scenario", scenario_words()),
        ("fault", fault_words()),
        ("operation", words(&Operation::ALL.map(Operation::as_str))),
        ("times", words(&["once", "always"])),
        ("create", switch()),
        ("update", switch()),
        ("disable", switch()),
        ("deprovision", switch()),
        ("remove-action", words(&["delete", "disable"])),
        ("rule-deletion", switch()),
    ]
}

fn profile_words() -> Vec<String> {
    let of_users = builtins().iter().map(|profile| profile.name);
    of_users.chain(GroupTarget::ALL.map(GroupTarget::as_str)).map(str::to_owned).collect()
}

fn scenario_words() -> Vec<String> {
    let of_users = scenario::all().into_iter().map(|scenario| scenario.slug.to_owned());
    of_users.chain(SCENARIOS.map(|scenario| scenario.slug.to_owned())).collect()
}

fn fault_words() -> Vec<String> {
    let mut words: Vec<String> = Struck::all().into_iter().map(Struck::fault).collect();
    words.sort();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn matrix_has_the_expected_number_of_cells() {
        let cells = Cell::all(Extent::Every);
        let in_turns = Cell::all(Extent::InTurns);
        let count = |cells: &[Cell], kind| cells.iter().filter(|cell| cell.kind() == kind).count();
        assert_eq!(count(&cells, Kind::Credentials), 22 * 2 * 3 * 22);
        assert_eq!(count(&in_turns, Kind::Credentials), 22 * 2 * 3 * 13);
        for cells in [&cells, &in_turns] {
            assert_eq!(count(cells, Kind::Refusal), 42);
            assert_eq!(count(cells, Kind::Fault), 9 * 2 * 3 * (35 + 6));
            let ids: BTreeSet<_> = cells.iter().map(Cell::id).collect();
            assert_eq!(ids.len(), cells.len());
        }
        assert_eq!(count(&cells, Kind::Matrix), 22 * 2 * 3 * 22 * 17);
        assert_eq!(count(&in_turns, Kind::Matrix), 22 * 3 * 13 * 17 + 2 * 3 * 9 * 17);
        assert!(count(&cells, Kind::Sequence) > 3 * 13 * 50, "{}", count(&cells, Kind::Sequence));
        assert!(count(&cells, Kind::Rest) > 13 * 100, "{}", count(&cells, Kind::Rest));
        assert!(count(&in_turns, Kind::Rest) > 13 * 17 + 350, "{}", count(&in_turns, Kind::Rest));
        assert!((25_000..32_000).contains(&in_turns.len()), "{}", in_turns.len());
    }

    /// What takes turns still meets everything else, two by two and more.
    #[test]
    fn alternating_cells_cover_all_pairs() {
        let meetings = |cells: &[Cell], kind, names: &[&str]| -> BTreeSet<Vec<Option<String>>> {
            let cells = cells.iter().filter(|cell| cell.kind() == kind);
            cells.map(|cell| names.iter().map(|name| cell.property(name)).collect()).collect()
        };
        let [every, in_turns] = [Extent::Every, Extent::InTurns].map(|extent| {
            let of_attributes =
                |cell: &Cell| cell.target().is_some_and(|target| target.profile.of_attributes);
            Cell::all(extent).into_iter().partition::<Vec<Cell>, _>(of_attributes)
        });
        for (kind, names) in [
            (Kind::Matrix, ["method", "profile", "scenario"]),
            (Kind::Sequence, ["auth", "profile", "scenario"]),
        ] {
            let (every, in_turns) = (meetings(&every.0, kind, &names), meetings(&in_turns.0, kind, &names));
            assert_eq!(every, in_turns, "{kind:?} {names:?}");
        }
        let about = |cells: &[Cell]| -> BTreeSet<String> {
            let about = |cell: &&Cell| cell.scenario().is_some_and(|scenario| scenario.of_attributes);
            cells.iter().filter(|cell| cell.kind() == Kind::Sequence).filter(about).map(Cell::id).collect()
        };
        assert_eq!(about(&every.0), about(&in_turns.0), "under each method and setting");
        let (every, in_turns) = (every.1, in_turns.1);
        for (kind, names) in [
            (Kind::Matrix, ["setting", "method", "profile", "scenario"].as_slice()),
            (Kind::Matrix, &["auth", "setting", "profile", "scenario"]),
            (Kind::Matrix, &["auth", "setting", "method", "scenario"]),
            (Kind::Matrix, &["auth", "setting", "method", "profile"]),
            (Kind::Matrix, &["auth", "method", "profile", "scenario"]),
            (Kind::Sequence, &["setting", "profile", "scenario"]),
            (Kind::Sequence, &["method", "setting", "scenario"]),
            (Kind::Sequence, &["method", "profile"]),
            (Kind::Sequence, &["method", "profile", "setting"]),
            (Kind::Rest, &["scenario"]),
        ] {
            assert_eq!(meetings(&every, kind, names), meetings(&in_turns, kind, names), "{kind:?} {names:?}");
        }
    }
}
