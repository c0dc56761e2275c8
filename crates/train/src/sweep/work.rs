//! The work of one process on a sweep: it takes what no other has taken, until nothing is left.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use report::{
    Sweep,
    sweep::{Count, RunFailure, RunState},
};

use super::{
    SweepArgs,
    child::{Ended, Runner, Running},
    found::Found,
    gather::Gathered,
    made::Made,
    plan::{Plan, Planned},
    store::{Claim, Store},
    told::Told,
};
use crate::{files::is_locked, interrupt::Interrupt};

/// How often to look whether a run has ended.
const WATCH: Duration = Duration::from_millis(20);
/// When to look again at a run that another process has.
const AGAIN: Duration = Duration::from_millis(500);

/// The work of one process.
pub(super) struct Work<'a> {
    args: &'a SweepArgs,
    store: &'a Store<'a>,
    runner: Runner,
    gathered: Gathered<'a>,
    told: Told,
    /// Runs that are still to be done, and when to look at each.
    open: Vec<(&'a Planned, Instant)>,
    active: Vec<Active<'a>>,
    /// How often runs had failed before this process began; more is not tried again here.
    attempts: HashMap<&'a str, u32>,
    /// Whether other processes work on the same runs.
    others: bool,
}

struct Active<'a> {
    planned: &'a Planned,
    running: Running,
    /// Whether it was begun, and not gone on with.
    is_new: bool,
    _claim: Claim,
}

/// What came of looking at a run.
enum Turn {
    Started,
    Settled,
    Elsewhere,
}

impl<'a> Work<'a> {
    /// Work on some of the runs of a plan.
    pub(super) fn new(
        args: &'a SweepArgs,
        plan: &'a Plan,
        store: &'a Store<'a>,
        own: Vec<&'a Planned>,
    ) -> anyhow::Result<Self> {
        let runner = Runner::new(args.jobs).context("can't find this program to start it again")?;
        let mut gathered = Gathered::new(plan);
        let sweep = gathered.publish(store, true)?;
        let done = sweep.runs.iter().filter(|run| run.state == RunState::Done);
        let done: HashSet<&str> = done.map(|run| &run.name[..]).collect();
        let mut open = own;
        open.retain(|planned| !done.contains(&planned.name[..]));
        let told = Told::new(args.quiet, sweep.count, open.len());
        told.note(format!(
            "{} runs, {} of them done, {} left for this process; folder: {}",
            plan.runs.len(),
            sweep.count.done,
            open.len(),
            plan.layout.path().display()
        ));
        let failed = open.iter().filter_map(|planned| {
            let failure = store.failure(&planned.name)?;
            Some((&planned.name[..], failure.attempts))
        });
        let now = Instant::now();
        Ok(Work {
            args,
            store,
            runner,
            gathered,
            told,
            attempts: failed.collect(),
            open: open.into_iter().map(|planned| (planned, now)).collect(),
            active: Vec::new(),
            others: false,
        })
    }

    /// Works until nothing is left, or a signal comes.
    pub(super) fn run(&mut self, interrupt: &Interrupt) -> anyhow::Result<Sweep> {
        let result = self.work(interrupt);
        // However it ends, no run is left behind, and each ends as it would alone.
        for active in &mut self.active {
            active.running.stop();
        }
        for active in self.active.drain(..) {
            let _ = active.running.wait();
        }
        self.told.end();
        result.and_then(|()| self.gathered.publish(self.store, true))
    }

    fn work(&mut self, interrupt: &Interrupt) -> anyhow::Result<()> {
        let mut waits = false;
        while interrupt.exit_code().is_none() {
            self.reap(interrupt)?;
            while self.active.len() < self.args.jobs.get() && self.start_one()? {}
            if self.active.is_empty() {
                if self.open.is_empty() || self.args.no_wait {
                    break;
                }
                if !waits {
                    let left = self.open.len();
                    self.told.note(format!(
                        "waiting for other processes, which have all that is left ({left})"
                    ));
                }
                waits = true;
            }
            thread::sleep(WATCH);
        }
        Ok(())
    }

    /// Starts a run that nobody has, if there is one.
    fn start_one(&mut self) -> anyhow::Result<bool> {
        let mut at = self.first();
        for _ in 0..self.open.len() {
            at %= self.open.len().max(1);
            let Some(&(planned, when)) = self.open.get(at) else {
                break;
            };
            if when > Instant::now() {
                at += 1;
                continue;
            }
            match self.look(planned)? {
                Turn::Started => {
                    self.open.remove(at);
                    return Ok(true);
                }
                Turn::Settled => {
                    self.open.remove(at);
                    let count = self.gathered.sweep().count;
                    self.count(count);
                }
                Turn::Elsewhere => {
                    self.others = true;
                    self.open[at].1 = Instant::now() + AGAIN;
                    at += 1;
                }
            }
        }
        Ok(false)
    }

    /// Where to begin to look: at the first run, or where others are at work anywhere, so that they don't
    /// all look at the same.
    fn first(&self) -> usize {
        match self.others {
            true => RandomState::new().hash_one(self.open.len()) as usize % self.open.len().max(1),
            false => 0,
        }
    }

    fn look(&mut self, planned: &'a Planned) -> anyhow::Result<Turn> {
        let Some(claim) = self.store.claim(&planned.name)? else {
            return Ok(Turn::Elsewhere);
        };
        let is_new = match planned.look() {
            Err(error) => {
                self.told.failed(&planned.name, &format!("{error:#}"));
                return Ok(Turn::Settled);
            }
            Ok(Found::Done(_)) => return Ok(Turn::Settled),
            Ok(Found::Nothing) => true,
            Ok(Found::Begun) => false,
        };
        let failure = self.store.failure(&planned.name);
        if failure.is_some_and(|failure| failure.attempts > self.before(planned)) {
            // Another process has just tried it.
            return Ok(Turn::Settled);
        }
        // Where that can't be told, the run itself will say why.
        if is_locked(&planned.layout.lock()).unwrap_or(false) {
            return Ok(Turn::Elsewhere);
        }
        let running = match is_new {
            true => self.runner.begin(&planned.begin),
            false => self.runner.go_on(planned.layout.path().as_os_str()),
        };
        let running = running.context("can't start a run")?;
        self.active.push(Active {
            planned,
            running,
            is_new,
            _claim: claim,
        });
        Ok(Turn::Started)
    }

    /// Sees to the runs that have ended.
    fn reap(&mut self, interrupt: &Interrupt) -> anyhow::Result<()> {
        let mut at = 0;
        while at < self.active.len() {
            match self.active[at]
                .running
                .ended()
                .context("can't wait for a run")?
            {
                None => at += 1,
                Some(ended) => {
                    let active = self.active.swap_remove(at);
                    self.end(active, &ended, interrupt);
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, active: Active<'a>, ended: &Ended, interrupt: &Interrupt) {
        let Active {
            planned, is_new, ..
        } = active;
        let name = &planned.name;
        for warning in ended.warnings() {
            // That of locks was said of the whole folder.
            if !self.store.has_no_locks() {
                self.told.warn(format!("{name}: {warning}"));
            }
        }
        let error = match planned.made(is_new, ended, interrupt) {
            Made::Stopped => return,
            Made::Elsewhere => {
                self.others = true;
                self.open.push((planned, Instant::now() + AGAIN));
                return;
            }
            Made::Done(result) => {
                self.kept(self.store.forget_failure(name));
                self.publish();
                self.told.done(name, &result);
                return;
            }
            Made::Failed(error) => error,
        };
        let failure = RunFailure {
            error,
            code: ended.code(),
            signal: ended.signal(),
            attempts: 1 + self.before(planned),
        };
        self.kept(self.store.keep_failure(name, &failure));
        self.publish();
        self.told.failed(name, &failure.error);
    }

    /// How often a run had failed before this process began.
    fn before(&self, planned: &Planned) -> u32 {
        self.attempts.get(&planned.name[..]).copied().unwrap_or(0)
    }

    fn publish(&mut self) {
        let sweep = match self.gathered.publish(self.store, false) {
            Ok(sweep) => sweep,
            Err(error) => {
                self.kept(Err(error));
                self.gathered.sweep()
            }
        };
        self.count(sweep.count);
    }

    fn count(&mut self, count: Count) {
        let left = self.open.len() + self.active.len();
        self.told.count(count, left);
    }

    /// What can't be written ends no run; at the end of all it is an error.
    fn kept(&self, written: anyhow::Result<()>) {
        if let Err(error) = written {
            self.told.warn(format!("warning: {error:#}"));
        }
    }
}
